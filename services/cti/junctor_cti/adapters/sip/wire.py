"""The edge's sockets as one: sends to any peer, and writes the Via and Contact that lead back here."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable

from junctor_cti.adapters.sip import codec
from junctor_cti.adapters.sip.peer import Peer, Transport
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.adapters.sip.streams import Streams
from junctor_cti.adapters.sip.udp import UdpTransport

DEFAULT_PORTS: dict[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


class Wire:
    def __init__(
        self,
        settings: SipSettings,
        receive: Callable[[bytes, Peer], None],
        closed: Callable[[Peer], None],
        failed: Callable[[Peer], None],
        counters: Counter[str],
    ) -> None:
        self._settings, self._counters = settings, counters
        self._udp = UdpTransport(receive, counters)
        self._streams = Streams(receive, closed, failed, counters, settings.client_tls)
        self.ports: dict[Transport, int] = {}

    async def start(self) -> None:
        """Raises `OSError` for an address in use; what was bound before is closed again."""
        settings = self._settings
        wanted: dict[Transport, int | None] = {
            "tcp": settings.tcp_port,
            "tls": settings.tls_port,
            "ws": settings.ws_port,
            "wss": settings.wss_port,
        }
        try:
            await self._udp.start(settings.host, settings.port)
            self.ports["udp"] = self._udp.port
            for transport, port in wanted.items():
                if port is not None:
                    self.ports[transport] = await self._streams.listen(transport, settings.host, port, settings.tls)
        except (OSError, ValueError):
            await self.close()
            raise

    async def close(self) -> None:
        await self._udp.close()
        await self._streams.close()

    def alive(self, peer: Peer) -> bool:
        return not peer.flow or self._streams.alive(peer.flow)

    def send(self, data: bytes, peer: Peer) -> None:
        """Never raises: what cannot be sent is counted, and repeated or timed out by its transaction."""
        self._counters["sent"] += 1
        try:
            if peer.transport == "udp":
                self._udp.send(data, peer)
            else:
                self._streams.send(data, peer)
        except (OSError, ValueError, OverflowError):
            self._counters["send_failed"] += 1

    def via(self, peer: Peer) -> str:
        host, port = self._here(peer.transport)
        return f"SIP/2.0/{peer.transport.upper()} {host}:{port};branch={codec.new_branch()};rport"

    def contact(self, peer: Peer) -> str:
        host, port = self._here(peer.transport)
        tail = "" if peer.transport == "udp" else f";transport={peer.transport}"
        return f"<sip:junctor@{host}:{port}{tail}>"

    def route(self, uri: str) -> Peer | None:
        """The peer that a URI names by IP address, None where it names a host."""
        parsed = codec.bare_uri(uri)
        host = parsed.host.strip("[]")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return None
        named = (parsed.uri_params.get("transport") or "udp").lower()
        transport: Transport = next((t for t in DEFAULT_PORTS if t == named), "udp")
        if parsed.uri.lower().startswith("sips:"):
            transport = "tls"
        return Peer(transport, host, parsed.port or DEFAULT_PORTS[transport])

    def _here(self, transport: Transport) -> tuple[str, int]:
        host = self._settings.advertised_host or self._settings.host
        return (f"[{host}]" if ":" in host else host), self.ports.get(transport) or self.ports.get("udp", 0)
