"""The UDP transport: one socket for all phones and trunks."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable

from junctor_cti.adapters.sip.peer import Peer

RECEIVE_BUFFER = 8 << 20
KEEP_ALIVE_MAX = 16


class UdpTransport(asyncio.DatagramProtocol):
    """`receive` gets each datagram that is not a keep-alive (blanks or NULs, RFC 5626 3.5.1)."""

    def __init__(self, receive: Callable[[bytes, Peer], None], counters: Counter[str]) -> None:
        self._receive, self._counters = receive, counters
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Raises `OSError` where the address is in use or not ours."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            bound.setblocking(False)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise OSError(error.errno, f"SIP over UDP cannot listen on {host}:{port}: {error.strerror}") from error
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        self.port = bound.getsockname()[1]

    def send(self, data: bytes, peer: Peer) -> None:
        if self._transport is None or self._transport.is_closing():
            self._counters["send_failed"] += 1
            return
        self._transport.sendto(data, (peer.host, peer.port))

    async def close(self) -> None:
        """Returns once the port is free."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) <= KEEP_ALIVE_MAX and not data.strip(b"\r\n\0 "):
            self._counters["keep_alive"] += 1
            return
        self._receive(data, Peer("udp", addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        self._counters["icmp_error"] += 1
