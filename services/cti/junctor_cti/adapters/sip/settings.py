"""Settings of one SIP edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext


@dataclass(frozen=True, slots=True)
class SipSettings:
    """`host`:`port` is the UDP listener (port 0 takes a free one); the others listen where a port is given.
    `tls` is the listeners' certificate, `client_tls` what is trusted on connections that the edge opens.

    `advertised_host` goes into Via and Contact (default: `host`). `realm` and `nonce_secret` serve the digest; edges of
    one site share the secret so that a nonce holds at each. `trunks` maps a source IP address to a trunk's name.
    `outbound` is (host, port) of a proxy that takes every request outside a flow (UDP).
    With `journal_first`, BYE, CANCEL, re-INVITE, UPDATE and REFER are answered by `SipEdge.accept` only, so that the
    decider journals before; without it they are answered as soon as `on_event` has returned.
    `alone`: no other edge takes these calls. While it takes none, an INVITE by UDP gets no answer, so that a repeat of it
    (RFC 3261, 17.1.1.2: for 32 s) finds the next process; elsewhere it gets 503, so that the trunk tries another edge.
    `t1`, `t2` are RFC 3261's timers in seconds; every linger is 64 x T1.
    """

    host: str = "127.0.0.1"
    port: int = 5060
    advertised_host: str = ""
    tcp_port: int | None = None
    tls_port: int | None = None
    ws_port: int | None = None
    wss_port: int | None = None
    tls: SSLContext | None = None
    client_tls: SSLContext | None = None
    realm: str = "junctor"
    nonce_secret: bytes = b""
    nonce_lifetime_s: int = 300
    credential: Callable[[str], Mapping[str, str] | None] | None = None
    digest_algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    registration_min_s: int = 30
    registration_max_s: int = 3600
    registration_contacts: int = 5
    trunks: Mapping[str, str] = field(default_factory=dict)
    outbound: tuple[str, int] | None = None
    journal_first: bool = False
    alone: bool = False
    report_headers: tuple[str, ...] = (
        "user-agent",
        "p-asserted-identity",
        "diversion",
        "history-info",
        "user-to-user",
        "x-contact-data",
        "x-junctor-relay",
    )
    requests_per_second: int = 0
    user_agent: str = "Junctor"
    t1: float = 0.5
    t2: float = 4.0
