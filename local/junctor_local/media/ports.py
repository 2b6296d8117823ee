"""Pairs of UDP ports: an even one for RTP, the next for RTCP (RFC 3550 section 11)."""

from __future__ import annotations

import socket
from collections import deque


class NoFreePorts(RuntimeError):
    """Every pair of the range is taken. Retryable: a call that ends frees two."""


class PortPool:
    """Hands out bound sockets in a round, so that a port that was just freed rests as long as possible."""

    def __init__(self, host: str, low: int, high: int) -> None:
        """`low` to `high`, both included."""
        self.host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = deque(range(low + (low & 1), high, 2))

    def take(self) -> tuple[socket.socket, socket.socket]:
        """Non-blocking RTP and RTCP sockets. Ports that another program uses are passed over."""
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                rtp = self._bind(port)
            except OSError:
                self._free.append(port)
                continue
            try:
                return rtp, self._bind(port + 1)
            except OSError:
                rtp.close()
                self._free.append(port)
        raise NoFreePorts("Ran out of ports")

    def give_back(self, rtp: socket.socket, rtcp: socket.socket) -> None:
        self._free.append(rtp.getsockname()[1])
        rtp.close()
        rtcp.close()

    def _bind(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((self.host, port))
        except OSError:
            sock.close()
            raise
        return sock
