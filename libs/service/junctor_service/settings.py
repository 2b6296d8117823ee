# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings: typed values from the environment and one optional YAML file.

A service's settings are one frozen dataclass that extends `CommonSettings`. A common field `x` is read from
`JUNCTOR_X`, for one service alone from `JUNCTOR_<SERVICE>__X`; a service's own field from `JUNCTOR_<SERVICE>__X`. In
the file named by `JUNCTOR_CONFIG` common fields stand at the top and a service's fields in a section with its name.
First found wins: environment for the service, environment, file for the service, file, default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from junctor_service.setting_values import BadValue, Duration, HostPort, Secret, convert

__all__ = [
    "CommonSettings",
    "ConnectionSettings",
    "Duration",
    "HostPort",
    "LogFormat",
    "LogLevel",
    "Secret",
    "SettingsError",
    "load_settings",
    "setting",
]

PREFIX = "JUNCTOR_"
FILE_NAME = "JUNCTOR_CONFIG"
SERVICES = ("router", "cti", "ivr", "recording", "omnichannel", "analytics", "directory", "gateway")
NOT_SETTINGS = (FILE_NAME, "JUNCTOR_CACHE")
SECTIONS = (*SERVICES, "local", "media", "issuer", "witness", "cli", "test")

S = TypeVar("S")


class LogLevel(Enum):
    """The lowest level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How a log line looks: one JSON object, or words for a person at a terminal."""

    JSON = "json"
    TEXT = "text"


class SaslMechanism(Enum):
    """How one logs in to Kafka."""

    PLAIN = "plain"
    SCRAM_SHA_256 = "scram-sha-256"
    SCRAM_SHA_512 = "scram-sha-512"


class SettingsError(Exception):
    """Some settings cannot be used. `sentences` has one for each; a retry helps only after the settings are changed."""

    retryable = False

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def setting(
    help: str,
    *,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
) -> Any:
    """A field with its explanation and bounds (inclusive; seconds for a duration). Without default it is required."""
    bounds = {"help": help, "minimum": minimum, "maximum": maximum, "pattern": pattern}
    return field(metadata=bounds) if default is MISSING else field(default=default, metadata=bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How Kafka and services are reached: all that a program of a person needs, and a part of what a service needs."""

    kafka_bootstrap: tuple[HostPort, ...] = setting("Kafka's brokers.", default=(HostPort("127.0.0.1", 9092),))
    kafka_tls: bool = setting("Whether connections to Kafka are encrypted.", default=False)
    kafka_authority: Path | None = setting(
        "PEM: who signed the brokers' certificates; else the system's.", default=None
    )
    kafka_certificate: Path | None = setting("PEM: the certificate shown to brokers.", default=None)
    kafka_key: Path | None = setting("PEM: its key.", default=None)
    kafka_user: str | None = setting("The user for Kafka (SASL).", default=None)
    kafka_password: Secret | None = setting("The user's password.", default=None)
    kafka_mechanism: SaslMechanism = setting("How the user logs in.", default=SaslMechanism.SCRAM_SHA_512)
    grpc_tls_authority: Path | None = setting("PEM: who signed the other services' certificates.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings(ConnectionSettings):
    """What every service needs to know. Durations are seconds."""

    site: str = setting("The data centre.", default="a", pattern="[a-z][a-z0-9-]{0,15}")
    other_site: str | None = setting(
        "The other of two active data centres.", default=None, pattern="[a-z][a-z0-9-]{0,15}"
    )
    other_kafka_bootstrap: tuple[HostPort, ...] = setting(
        "The other data centre's Kafka, where it is reached from here: what it decided last is then not lost with it.",
        default=(),
    )
    voters: tuple[str, ...] = setting(
        "The register's voters: name=host:port or name=lease:namespace[@kubeconfig], one for each site and a witness.",
        default=(),
    )
    preferred_partitions: tuple[int, ...] = setting(
        "The partitions that this data centre leads where no site does.", default=()
    )
    grpc_listen: HostPort = setting("Where the gRPC server listens; port 0: any.", default=HostPort("127.0.0.1", 0))
    grpc_advertise: HostPort | None = setting("Where others reach it; the bound address if unset.", default=None)
    grpc_tls_certificate: Path | None = setting("PEM: the gRPC server's certificate chain.", default=None)
    grpc_tls_key: Path | None = setting("PEM: its key.", default=None)
    probe_listen: HostPort | None = setting(
        "Where health alone is served, without TLS, from the start on.", default=None
    )
    metrics_listen: HostPort | None = setting("Where metrics are served for Prometheus, GET /metrics.", default=None)
    state_dir: Path = setting("Where the service keeps files.", default=Path(".local/state"))
    jwks: str = setting("The token issuer's public keys: a URL or the path of a JWKS file.")
    token_issuer: str = setting("The `iss` of tokens.", default="junctor")
    token_audience: str = setting("The `aud` of tokens.", default="junctor")
    token_url: str | None = setting("Where workload tokens are fetched.", default=None, pattern="https?://.+")
    token_secret: Secret | None = setting("What the issuer asks for a workload token.", default=None)
    router_address: HostPort | None = setting("The router's gRPC address.", default=None)
    cti_address: HostPort | None = setting("The cti service's gRPC address.", default=None)
    ivr_address: HostPort | None = setting("The ivr service's gRPC address.", default=None)
    recording_address: HostPort | None = setting("The recording service's gRPC address.", default=None)
    omnichannel_address: HostPort | None = setting("The omnichannel service's gRPC address.", default=None)
    analytics_address: HostPort | None = setting("The analytics service's gRPC address.", default=None)
    directory_address: HostPort | None = setting("The directory's gRPC address.", default=None)
    gateway_address: HostPort | None = setting("The gateway's address.", default=None)
    log_level: LogLevel = setting("The lowest level that is logged.", default=LogLevel.INFO)
    log_format: LogFormat = setting("How log lines look.", default=LogFormat.JSON)
    metrics_interval: Duration = setting(
        "How often metrics are told; 0: never.", default=Duration(10.0), minimum=0, maximum=3600
    )
    tracing: bool = setting("Whether spans are recorded.", default=True)
    key_store_dir: Path | None = setting("Where contacts' keys are kept; `keys` in the state directory.", default=None)
    key_store_url: Secret | None = setting(
        "postgresql://…, where keys are kept in PostgreSQL; else they are in files.", default=None
    )
    master_key: Secret | None = setting(
        "What wraps contacts' keys, 64 hexadecimal digits; else a file beside them.", default=None
    )
    drain_deadline: Duration = setting(
        "From SIGTERM to the hard end.", default=Duration(10.0), minimum=0.1, maximum=600
    )
    rpc_deadline: Duration = setting(
        "For calls that come without one.", default=Duration(10.0), minimum=0.1, maximum=600
    )
    rpc_deadline_limit: Duration = setting("Longer ones are cut.", default=Duration(60.0), minimum=0.1, maximum=3600)

    @property
    def keys_dir(self) -> Path:
        """The key store's directory."""
        return self.key_store_dir or self.state_dir / "keys"


def by_site(places: tuple[str, ...] | None) -> dict[str, str]:
    """Of a setting with items like `b=host:port`: the address by site."""
    return {site: address for site, _, address in (item.partition("=") for item in places or ())}


def load_settings(
    settings_class: type[S],
    *,
    service: str,
    environ: Mapping[str, str] | None = None,
    warnings: list[str] | None = None,
) -> S:
    """The settings of `service`. Raises `SettingsError` with a sentence for every bad or missing value.

    Names with our prefix that nobody reads are reported in `warnings` (one sentence each) if a list is given.
    """
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    unknown = warnings if warnings is not None else []
    file, path = _read_file(environ, problems)
    section = file.get(service, {})
    if not isinstance(section, dict):
        problems.append(f"{service}: {section!r} in {path} is not a section; expected names and values below it.")
        section = {}
    common = {f.name for f in fields(CommonSettings)}
    hints = get_type_hints(settings_class)
    values: dict[str, Any] = {}
    for f in fields(settings_class):  # type: ignore[arg-type]
        flat, own = f"{PREFIX}{f.name.upper()}", f"{PREFIX}{service.upper()}__{f.name.upper()}"
        places: list[tuple[str, str, Any]] = [(own, "the environment", environ.get(own))]
        if f.name in common:
            places.append((flat, "the environment", environ.get(flat)))
        places.append((f"{service}.{f.name}", str(path), section.get(f.name)))
        if f.name in common:
            places.append((f.name, str(path), file.get(f.name)))
        found = next(((name, where, raw) for name, where, raw in places if raw is not None), None)
        if found is None:
            if f.default is MISSING and f.default_factory is MISSING:
                name = flat if f.name in common else own
                problems.append(f"{name} is not set; expected {f.metadata['help'].rstrip('.').lower()}.")
            continue
        name, where, raw = found
        try:
            values[f.name] = convert(raw, hints[f.name], f.metadata)
        except BadValue as bad:
            shown = "(secret)" if bad.secret else repr(raw)
            problems.append(f"{name}={shown} from {where} {bad.wrong}; expected {bad.expected}.")
    own_names = {f.name for f in fields(settings_class)}  # type: ignore[arg-type]
    unknown += _unknown_in_environment(environ, service, common, own_names)
    unknown += _unknown_in_file(file, section, path, service, common, own_names)
    if problems:
        raise SettingsError(problems)
    return settings_class(**values)


def _read_file(environ: Mapping[str, str], problems: list[str]) -> tuple[dict[str, Any], Path | None]:
    name = environ.get(FILE_NAME)
    if not name:
        return {}, None
    shown = f"{FILE_NAME}={name!r} from the environment"
    path = Path(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{shown} cannot be read ({error.strerror}); expected a YAML file.")
        return {}, path
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        problems.append(f"{shown} is not valid YAML{line}; expected names and values.")
        return {}, path
    if content is None:
        return {}, path
    if not isinstance(content, dict):
        problems.append(f"{shown} holds no names; expected lines like `site: a`.")
        return {}, path
    return content, path


def _unknown_in_environment(environ: Mapping[str, str], service: str, common: set[str], own: set[str]) -> list[str]:
    found = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        section, double, key = name.removeprefix(PREFIX).lower().partition("__")
        if double and section == service:
            known = key in own
        elif double:
            known = section in SECTIONS
        else:
            known = section in common
        if not known:
            found.append(f"{name} in the environment is not a setting of {service}; it is not used.")
    return found


def _unknown_in_file(
    file: dict[str, Any], section: dict[str, Any], path: Path | None, service: str, common: set[str], own: set[str]
) -> list[str]:
    at_top = [str(name) for name in file if name not in common and name not in SECTIONS and name != service]
    in_section = [f"{service}.{name}" for name in section if name not in own]
    return [f"{name} in {path} is not a setting of {service}; it is not used." for name in sorted(at_top + in_section)]
