"""The environment variables that a local site's services are started with."""

from collections.abc import Mapping
from pathlib import Path

from junctor_local.clickhouse_configuration import DATABASE, WRITER
from junctor_local.places import repository
from junctor_local.site_ports import HOST, SERVICES, SitePorts

# With these of a part that is configured elsewhere, the caller's settings count instead of the site's.
_GO_WITH = {
    "clickhouse": "JUNCTOR_ANALYTICS__CLICKHOUSE_",
    "issuer": "JUNCTOR_TOKEN_",
}

# A component that a site does not start where this setting already names a real one.
CONFIGURED_BY = {
    "kafka": "JUNCTOR_KAFKA_BOOTSTRAP",
    "clickhouse": "JUNCTOR_ANALYTICS__CLICKHOUSE_URL",
    "media": "JUNCTOR_CTI__MEDIA_NG",
    "issuer": "JUNCTOR_JWKS",
}


def environment(
    site: str, directory: Path, ports: SitePorts, token_secret: str, clickhouse_password: str
) -> dict[str, str]:
    """Every setting of every service; passwords and the token secret are among them."""
    found = {
        "JUNCTOR_SITE": site,
        "JUNCTOR_KAFKA_BOOTSTRAP": ports.address("kafka"),
        "JUNCTOR_STATE_DIR": str(directory / "state"),
        "JUNCTOR_JWKS": f"http://{ports.address('issuer')}/.well-known/jwks.json",
        "JUNCTOR_TOKEN_URL": f"http://{ports.address('issuer')}/token",
        "JUNCTOR_TOKEN_SECRET": token_secret,
        "JUNCTOR_CTI__SIP_LISTEN": ports.address("sip"),
        "JUNCTOR_CTI__MEDIA_NG": ports.address("media_ng"),
        "JUNCTOR_CTI__DTMF_LISTEN": ports.address("media_dtmf"),
        "JUNCTOR_CTI__PROMPTS": str(repository() / "services" / "ivr" / "junctor_ivr" / "prompts"),
        "JUNCTOR_RECORDING__DIRECTORY": str(directory / "recordings"),
        "JUNCTOR_OMNICHANNEL__WEB_LISTEN": ports.address("web_chat"),
        "JUNCTOR_GATEWAY__HTTP_LISTEN": ports.address("http"),
        "JUNCTOR_ANALYTICS__CLICKHOUSE_URL": f"http://{ports.address('clickhouse_http')}",
        "JUNCTOR_ANALYTICS__CLICKHOUSE_NATIVE": ports.address("clickhouse_tcp"),
        "JUNCTOR_ANALYTICS__CLICKHOUSE_USER": WRITER,
        "JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD": clickhouse_password,
        "JUNCTOR_ANALYTICS__CLICKHOUSE_DATABASE": DATABASE,
    }
    for service in SERVICES:
        found[f"JUNCTOR_{service.upper()}_ADDRESS"] = ports.address(service)
        found[f"JUNCTOR_{service.upper()}__GRPC_LISTEN"] = ports.address(service)
    return found


def configured(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in `environ` that name a real component to use instead of the local one, and what goes with them."""
    real = {name: setting for name, setting in CONFIGURED_BY.items() if environ.get(setting)}
    prefixes = tuple(_GO_WITH[name] for name in real if name in _GO_WITH)
    return {
        setting: value
        for setting, value in environ.items()
        if value and (setting in real.values() or (prefixes and setting.startswith(prefixes)))
    }


def addresses(ports: SitePorts) -> dict[str, str]:
    """What people and clients connect to, by component."""
    found = {service: ports.address(service) for service in SERVICES}
    found |= {name: ports.address(name) for name in ("kafka", "sip")}
    found["media"] = ports.address("media_ng")
    found["http"] = f"http://{ports.address('http')}"
    found["web_chat"] = f"ws://{ports.address('web_chat')}"
    found["issuer"] = f"http://{ports.address('issuer')}"
    found["clickhouse"] = f"http://{ports.address('clickhouse_http')}"
    found["clickhouse_native"] = ports.address("clickhouse_tcp")
    found["rtp"] = f"{HOST}:{ports.rtp_first}-{ports.rtp_last}"
    return found
