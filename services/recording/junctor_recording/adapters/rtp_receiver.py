"""One UDP port that takes the RTP of one fork (RFC 3550)."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable

_HEADER = struct.Struct("!BBHII")
SOURCE_SILENT_FOR = 1.0
"""Seconds after which another source may take over: the media process was started anew."""

OnPacket = Callable[[int, int, int, bytes], None]
"""payload type, timestamp, SSRC, payload"""


class RtpReceiver:
    """Reads while the loop runs, and at once by `drain`. Strangers' and malformed packets are counted and dropped."""

    def __init__(self, sock: socket.socket, on_packet: OnPacket, loop: asyncio.AbstractEventLoop) -> None:
        self.host, self.port = sock.getsockname()[:2]
        self.counts: Counter[str] = Counter()
        self._sock, self._on_packet, self._loop = sock, on_packet, loop
        self._source: tuple[str, int] | None = None
        self._last_at = 0.0
        loop.add_reader(sock.fileno(), self._read)

    @classmethod
    def open(cls, host: str, ports: Iterable[int], on_packet: OnPacket) -> RtpReceiver:
        """Bind the first free port of `ports` (0: any). Raises OSError where all are taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        failure = OSError(f"{host}: no free port for a recording's audio")
        for port in ports:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            try:
                sock.bind((host, port))
            except OSError as error:
                sock.close()
                failure = error
                continue
            return cls(sock, on_packet, asyncio.get_running_loop())
        raise failure

    def drain(self) -> None:
        """Take all that has arrived, before time is judged."""
        while self._read():
            pass

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _read(self) -> bool:
        """Up to 32 packets; whether there may be more."""
        for _ in range(32):
            try:
                data, source = self._sock.recvfrom(2048)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                self.counts["socket_errors"] += 1
                return False
            self._packet(data, source[:2])
        return True

    def _packet(self, data: bytes, source: tuple[str, int]) -> None:
        if len(data) < 13 or data[0] & 0xC0 != 0x80:
            self.counts["malformed"] += 1
            return
        first, second, _, timestamp, ssrc = _HEADER.unpack_from(data)
        payload = data[12:] if first == 0x80 else _payload(data)
        if not payload:
            self.counts["malformed"] += 1
            return
        now = time.monotonic()
        if source != self._source:
            if self._source is not None and now - self._last_at < SOURCE_SILENT_FOR:
                self.counts["foreign"] += 1
                return
            self._source = source
        self._last_at = now
        self._on_packet(second & 0x7F, timestamp, ssrc, payload)


def _payload(data: bytes) -> bytes:
    """Without contributing sources, extension and padding (RFC 3550 5.1); empty where malformed."""
    start, end = 12 + 4 * (data[0] & 15), len(data)
    if data[0] & 0x10:
        if start + 4 > end:
            return b""
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if data[0] & 0x20:
        end -= data[-1]
    return data[start:end]
