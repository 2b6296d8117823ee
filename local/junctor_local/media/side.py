"""One party of a call: its sockets, where its audio comes from and goes to. The per-packet path is here."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable

from junctor_local.media import g711
from junctor_local.media.events import Event, EventDetector
from junctor_local.media.output import HEADER, Output
from junctor_local.media.playout import Player
from junctor_local.media.sdp import Media

Address = tuple[str, int]
Report = Callable[["Side", Event], None]


class Side:
    """Receives from one party, relays to `other` and to `forks`. What the party hears goes through `output`."""

    def __init__(self, tag: str, rtp: socket.socket, rtcp: socket.socket, report: Report) -> None:
        self.tag = tag
        self.rtp, self.rtcp = rtp, rtcp
        self.port: int = rtp.getsockname()[1]
        self.output = Output(rtp)
        self.other: Side | None = None
        self.forks: dict[str, Output] = {}
        self.player: Player | None = None
        self.offered: list[int] = []
        self.event_type: int | None = None
        self.shape: list[tuple[int, str]] = []
        self.latching = True
        """Whether a source other than the SDP's address may become the party's (a listener only receives: no)."""
        self.blocked = self.silenced = self.digits_blocked = False
        self.session = self.output.ssrc
        self.version = 0
        self.counts: Counter[str] = Counter()
        self.packets = self.bytes = 0
        self.last_at = time.monotonic()
        self._report = report
        self._events = EventDetector()
        self._announced: Address | None = None
        self._source: Address | None = None
        self._former: Address | None = None

    @property
    def source(self) -> Address | None:
        """Where its packets come from, once known; until then where its SDP says."""
        return self._source or self._announced

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(self.rtp.fileno(), self._read)
        loop.add_reader(self.rtcp.fileno(), self._read_rtcp)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self.rtp.fileno())
        loop.remove_reader(self.rtcp.fileno())

    def moved_to(self, media: Media) -> None:
        """Take the party's address from its SDP. The same address again keeps the latched source."""
        address = media.address
        if address != self._announced:
            self._former = self._source or self._former
            self._announced, self._source = address, None
        self.output.peer = self.source if media.wants_audio else None
        self.event_type = self.output.event_type = media.event_type()

    def _latch(self, source: Address) -> bool:
        """Whether packets from `source` are the party's: the SDP's address always, else the first one seen (NAT).

        The source of the party before is refused: its last packets arrive after the new SDP.
        """
        if self._announced is None:
            return False
        if source != self._announced and (not self.latching or self._source is not None or source == self._former):
            return False
        self._source = source
        if self.output.peer is not None:
            self.output.peer = source
        return True

    def _read(self) -> None:
        """One packet; the loop calls again while there are more, so that every socket has its turn."""
        try:
            data, source = self.rtp.recvfrom(2048)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.counts["socket_errors"] += 1
            return
        self.packet(data, source[:2])

    def _read_rtcp(self) -> None:
        try:
            self.rtcp.recv(2048)
        except OSError:
            return
        self.counts["rtcp"] += 1

    def packet(self, data: bytes, source: Address) -> None:
        """One datagram from the party's port: relayed, or counted by why it was not."""
        if len(data) < 13 or data[0] & 0xC0 != 0x80:
            self.counts["malformed"] += 1
            return
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        payload_type, marker = second & 0x7F, second & 0x80
        if 64 <= payload_type <= 95:  # RTCP on the same port (RFC 5761 section 4)
            self.counts["rtcp"] += 1
            return
        payload = data[12:] if first == 0x80 else _payload(data)
        if not payload:
            self.counts["malformed"] += 1
            return
        if source != self._source and not self._latch(source):
            self.counts["foreign"] += 1
            return
        self.packets += 1
        self.bytes += len(data)
        self.last_at = time.monotonic()
        if payload_type in (8, 0):
            if self._events.pending:
                self._audio_ends_event(ssrc, timestamp)
            self._relay(payload_type, payload, marker, sequence, timestamp, ssrc)
        elif payload_type == self.event_type:
            for event in self._events.packet(payload, ssrc, timestamp):
                self._report(self, event)
            self._relay_event(payload, marker, sequence, timestamp, ssrc)
        else:
            self.counts["other_payload"] += 1

    def _relay(self, payload_type: int, payload: bytes, marker: int, sequence: int, timestamp: int, ssrc: int) -> None:
        if self.silenced:
            payload = g711.SILENCE[payload_type] * len(payload)
        other = self.other
        if self.blocked:
            self._interrupt()
            return
        if other is not None and other.player is None:
            other.output.relay(payload_type, payload, marker, sequence, timestamp, ssrc)
        for fork in self.forks.values():
            fork.relay(payload_type, payload, marker, sequence, timestamp, ssrc)

    def _relay_event(self, payload: bytes, marker: int, sequence: int, timestamp: int, ssrc: int) -> None:
        other = self.other
        if self.digits_blocked or self.blocked:
            self._interrupt()
            return
        if other is not None and other.player is None:
            other.output.event(payload, marker, sequence, timestamp, ssrc)
        for fork in self.forks.values():
            fork.event(payload, marker, sequence, timestamp, ssrc)

    def _interrupt(self) -> None:
        if self.other is not None and self.other.player is None:
            self.other.output.interrupt()
        for fork in self.forks.values():
            fork.interrupt()

    def _audio_ends_event(self, ssrc: int, timestamp: int) -> None:
        event = self._events.audio(ssrc, timestamp)
        if event is not None:
            self._report(self, event)


def _payload(data: bytes) -> bytes:
    """The payload behind contributing sources and extension, without padding (RFC 3550 5.1); empty where malformed."""
    start, end = 12 + 4 * (data[0] & 15), len(data)
    if data[0] & 0x10:
        if start + 4 > end:
            return b""
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if data[0] & 0x20:
        end -= data[-1]
    return data[start:end]
