"""Where a SIP message came from, or goes to."""

from __future__ import annotations

from typing import Literal, NamedTuple

Transport = Literal["udp", "tcp", "tls", "ws", "wss"]


class Peer(NamedTuple):
    """`flow` names an open connection of TCP, TLS or WebSocket; 0 is a datagram, or a connection still to be opened."""

    transport: Transport
    host: str
    port: int
    flow: int = 0

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"

    def __str__(self) -> str:
        return f"{self.transport}:{self.host}:{self.port}" + (f"#{self.flow}" if self.flow else "")


def parse_peer(text: str) -> Peer:
    """The inverse of `str(peer)`. Raises `ValueError` for anything else."""
    transport, _, rest = text.partition(":")
    address, _, flow = rest.partition("#")
    host, _, port = address.rpartition(":")
    if transport not in ("udp", "tcp", "tls", "ws", "wss"):
        raise ValueError(f"unknown transport in peer {text!r}")
    return Peer(transport, host, int(port), int(flow or 0))  # type: ignore[arg-type]
