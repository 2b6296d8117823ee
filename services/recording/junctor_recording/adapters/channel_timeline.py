"""Where a packet's audio belongs on the recording's time line, so that both channels stay on one clock.

Positions are samples (1/8000 s) since the recording began. Within a stream the RTP timestamps place the audio, so that
jitter, reordering and gaps do no harm; its beginning is placed by arrival, and slow drift of the phone's clock against
ours is corrected when everything that arrived in the last ten seconds was too early or too late by `DRIFT`.
"""

from __future__ import annotations

from collections import Counter

from junctor_recording.adapters.g711 import HIGH, LOW

RATE = 8000
AHEAD_LIMIT = 800
"""Audio cannot come from the future: more than 100 ms ahead of the clock is a jump of the timestamps."""
DRIFT = 320
DRIFT_WINDOW = 500
LATE_LIMIT = 25
"""So many packets in a row that come too late are a jump of the timestamps too."""


class ChannelTimeline:
    """One channel: `add` packets, `take` what is old enough. What never came is silence."""

    def __init__(self, taken: int = 0) -> None:
        """`taken`: samples that are in the file already (a recording that goes on after a crash)."""
        self.counts: Counter[str] = Counter()
        self._taken = taken
        self._low, self._high = bytearray(), bytearray()
        self._stream: tuple[int, int, int] | None = None
        self._late = 0
        self._lag, self._lag_packets = 1 << 30, 0
        self._silent: list[tuple[int, int | None]] = []

    def add(self, payload_type: int, timestamp: int, ssrc: int, payload: bytes, now: int) -> None:
        """`now` is the position at which the packet arrived. Payloads other than PCMA and PCMU are left out."""
        if payload_type not in LOW:
            self.counts["other_payload"] += 1
            return
        self.counts["packets"] += 1
        position = self._position(timestamp, ssrc, len(payload), now)
        if position < self._taken:
            self.counts["late"] += 1
            self._late += 1
            if self._late >= LATE_LIMIT:
                self._stream = None
            return
        self._late = 0
        if self._is_silent(position, position + len(payload)):
            return
        self._put(position - self._taken, payload.translate(LOW[payload_type]), payload.translate(HIGH[payload_type]))

    def take(self, until: int) -> tuple[bytes, bytes]:
        """Low and high bytes of all samples up to position `until`; they cannot be changed afterwards."""
        count = max(0, until - self._taken)
        low, high = bytes(self._low[:count]).ljust(count, b"\0"), bytes(self._high[:count]).ljust(count, b"\0")
        del self._low[:count], self._high[:count]
        self._taken += count
        self._silent = [(begin, end) for begin, end in self._silent if end is None or end > self._taken]
        return low, high

    def skip(self, until: int) -> None:
        """The file holds something else up to `until`."""
        self.take(min(until, self._taken + len(self._low)))
        self._taken = max(self._taken, until)

    def pause(self, now: int) -> None:
        """Silence from position `now` on, also for packets that are on their way."""
        self._silent.append((now, None))

    def resume(self, now: int) -> None:
        self._silent = [(begin, now if end is None else end) for begin, end in self._silent]

    def _position(self, timestamp: int, ssrc: int, length: int, now: int) -> int:
        if self._stream is None or self._stream[0] != ssrc:
            return self._anchor(timestamp, ssrc, now - length)
        _, origin, begin = self._stream
        position = origin + _signed(timestamp - begin)
        if position + length > now + AHEAD_LIMIT:
            return self._anchor(timestamp, ssrc, now - length)
        self._lag = min(self._lag, now - position - length)
        self._lag_packets += 1
        if self._lag_packets >= DRIFT_WINDOW:
            lag, self._lag, self._lag_packets = self._lag, 1 << 30, 0
            if abs(lag) > DRIFT:
                self.counts["drift_corrections"] += 1
                return self._anchor(timestamp, ssrc, position + lag)
        self._stream = (ssrc, position, timestamp)
        return position

    def _anchor(self, timestamp: int, ssrc: int, position: int) -> int:
        position = max(position, 0)
        self._stream = (ssrc, position, timestamp)
        self._lag, self._lag_packets = 1 << 30, 0
        self.counts["anchored"] += 1
        return position

    def _is_silent(self, begin: int, end: int) -> bool:
        return any(begin < (last if last is not None else end) and end > first for first, last in self._silent)

    def _put(self, offset: int, low: bytes, high: bytes) -> None:
        missing = offset - len(self._low)
        if missing > 0:
            self._low.extend(bytes(missing))
            self._high.extend(bytes(missing))
        self._low[offset : offset + len(low)] = low
        self._high[offset : offset + len(high)] = high


def _signed(difference: int) -> int:
    """RTP timestamps are modulo 2^32 (RFC 3550 5.1)."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000
