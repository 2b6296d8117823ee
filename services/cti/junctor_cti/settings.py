# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of `cti`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from junctor_service.settings import CommonSettings, HostPort, Secret, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class CtiSettings(CommonSettings):
    """One process serves one edge slot: a journal partition and the sockets that belong to it."""

    slot: int = setting("The edge slot: the journal's partition of this process.", default=0, minimum=0, maximum=11)
    sip_listen: HostPort = setting("Where SIP comes in by UDP; port 0: any.", default=HostPort("127.0.0.1", 5060))
    sip_advertise: str | None = setting(
        "The host that phones reach this edge at; that of SIP_LISTEN if unset.",
        default=None,
        pattern=r"[A-Za-z0-9.:-]+",
    )
    sip_tcp_port: int | None = setting("SIP by TCP; off if unset.", default=None, minimum=0, maximum=65535)
    sip_realm: str = setting("The realm of phones' digests and the host of their addresses.", default="junctor")
    sip_nonce_secret: Secret | None = setting(
        "Shared by the edges of a site; made at each start if unset.", default=None
    )
    sip_requests_per_second: int = setting("More from one source are refused; 0: no limit.", default=0, minimum=0)
    sip_alone: bool = setting(
        "No other edge takes this one's calls. While it stops or starts it leaves new calls by UDP unanswered, so that "
        "their repeats find the next process; elsewhere they get 503, so that the trunk tries another edge.",
        default=False,
    )
    media_ng: HostPort = setting("The media server's ng port.", default=HostPort("127.0.0.1", 2223))
    dtmf_listen: HostPort = setting("Where the media server reports digits.", default=HostPort("127.0.0.1", 2224))
    other_sites: tuple[str, ...] | None = setting(
        "The edges of other sites: site=host:port, separated by commas.",
        default=None,
        pattern=r"[a-z][a-z0-9-]{0,15}=[A-Za-z0-9.-]+:\d{1,5}",
    )
    other_sites_secret: Secret | None = setting("What the edges of all sites sign their calls with.", default=None)
    route_tries: int = setting(
        "Tries of 2 s to put a contact in line before the default treatment; 15 outlast a restart of the router.",
        default=15,
        minimum=1,
    )
    prompts: Path = setting("The folder of prompts, <language>/<id>.wav; the media server must read it too.")
