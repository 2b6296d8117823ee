"""One outgoing RTP stream: a constant SSRC whose sequence and time go on, whoever's audio is put into it (RFC 3550)."""

from __future__ import annotations

import os
import socket
import time
from struct import Struct

from junctor_local.media import g711

HEADER = Struct("!BBHII")
FRAME = 160
"""Samples in 20 ms at 8 kHz."""
_OWN = -1


class Output:
    """Sends to `peer` (None: nowhere) from `sock`, in `payload_type`; events as `event_type` (None: not at all)."""

    __slots__ = (
        "_delta_sequence",
        "_delta_time",
        "_last_at",
        "_sequence",
        "_sock",
        "_source",
        "_timestamp",
        "event_type",
        "packets",
        "payload_type",
        "peer",
        "ssrc",
    )

    def __init__(self, sock: socket.socket, payload_type: int = g711.PCMA) -> None:
        self._sock = sock
        self.peer: tuple[str, int] | None = None
        self.payload_type = payload_type
        self.event_type: int | None = None
        self.packets = 0
        self.ssrc = int.from_bytes(os.urandom(4), "big")
        self._sequence = int.from_bytes(os.urandom(2), "big")
        self._timestamp = int.from_bytes(os.urandom(4), "big")
        self._last_at = 0.0
        self._source: int | None = None
        self._delta_sequence = 0
        self._delta_time = 0

    def interrupt(self) -> None:
        """What comes next follows without a gap in the sequence: something was left out on purpose."""
        self._source = None

    def relay(self, payload_type: int, payload: bytes, marker: int, sequence: int, timestamp: int, source: int) -> None:
        """Audio of another stream. Its losses and disorder stay visible; a change of `source` continues seamlessly."""
        if self.peer is None:
            return
        if payload_type != self.payload_type:
            payload = payload.translate(g711.TRANSCODE[payload_type, self.payload_type])
        self._send(self.payload_type, payload, marker, sequence, timestamp, source)

    def event(self, payload: bytes, marker: int, sequence: int, timestamp: int, source: int) -> None:
        """An RFC 4733 event of another stream; left out where the peer takes none."""
        if self.event_type is None or self.peer is None:
            self._source = None
            return
        self._send(self.event_type, payload, marker, sequence, timestamp, source)

    def own(self, frame: bytes) -> None:
        """The next 20 ms of our own audio, already in `payload_type`."""
        if self.peer is not None:
            self._own(self.payload_type, frame, 0, FRAME)

    def own_event(self, payload: bytes, first: bool) -> None:
        """A packet of our own event; all packets of one event carry the timestamp of its beginning (RFC 4733 2.2.2)."""
        if self.event_type is not None and self.peer is not None:
            self._own(self.event_type, payload, 0x80 if first else 0, FRAME if first else 0)

    def _own(self, payload_type: int, payload: bytes, marker: int, advance: int) -> None:
        now = time.monotonic()
        if self._source != _OWN:
            advance, marker, self._source = self._elapsed(now), 0x80, _OWN
        self._transmit(now, payload_type | marker, payload, self._sequence + 1, self._timestamp + advance)

    def _send(self, payload_type: int, payload: bytes, marker: int, sequence: int, timestamp: int, source: int) -> None:
        now = time.monotonic()
        if source != self._source:
            self._delta_sequence = self._sequence + 1 - sequence
            self._delta_time = self._timestamp + self._elapsed(now) - timestamp
            self._source, marker = source, 0x80
        self._transmit(
            now, payload_type | marker, payload, sequence + self._delta_sequence, timestamp + self._delta_time
        )

    def _elapsed(self, now: float) -> int:
        return FRAME if self._last_at == 0.0 else max(FRAME, round((now - self._last_at) * 8000))

    def _transmit(self, now: float, second: int, payload: bytes, sequence: int, timestamp: int) -> None:
        self._last_at = now
        self._sequence = sequence & 0xFFFF
        self._timestamp = timestamp & 0xFFFFFFFF
        header = HEADER.pack(0x80, second, self._sequence, self._timestamp, self.ssrc)
        try:
            self._sock.sendto(header + payload, self.peer)  # type: ignore[arg-type]
        except OSError:  # a full socket buffer or an unreachable host: RTP is lossy
            return
        self.packets += 1
