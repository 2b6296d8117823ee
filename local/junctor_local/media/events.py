"""Digits in RTP (RFC 4733): many packets of one event become one digit, at its end."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
LOST_END_SAMPLES = 800
"""Audio this long (100 ms) after an event's last packet ends it: all of its end packets were lost."""


@dataclass(frozen=True, slots=True)
class Event:
    """`code` 0-15 (`DIGITS`), `duration_ms`, `volume` in -dBm0."""

    code: int
    duration_ms: int
    volume: int


class EventDetector:
    """Of one incoming stream. Each event is told by SSRC and the timestamp of its beginning, so repeats are known."""

    __slots__ = ("_done", "_open", "_open_key")

    def __init__(self) -> None:
        self._open: Event | None = None
        self._open_key: tuple[int, int] | None = None
        self._done: tuple[int, int] | None = None

    def packet(self, payload: bytes, ssrc: int, timestamp: int) -> list[Event]:
        """Events that this packet ends: its own at the end bit, and an earlier one that lost its end packets."""
        key = (ssrc, timestamp)
        if len(payload) < 4 or payload[0] >= len(DIGITS) or key == self._done or self._is_older(key):
            return []
        ended: list[Event] = []
        if self._open is not None and self._open_key != key:
            ended.append(self._open)
        event = Event(payload[0], int.from_bytes(payload[2:4], "big") // 8, payload[1] & 0x3F)
        if payload[1] & 0x80:
            ended.append(event)
            self._open, self._open_key, self._done = None, None, key
        else:
            self._open, self._open_key = event, key
        return ended

    def audio(self, ssrc: int, timestamp: int) -> Event | None:
        """The event that audio at `timestamp` shows to be over although its end was never seen."""
        if self._open is None or self._open_key is None:
            return None
        end = self._open_key[1] + self._open.duration_ms * 8 + LOST_END_SAMPLES
        if self._open_key[0] == ssrc and (timestamp - end) & 0x80000000:
            return None
        event, self._done = self._open, self._open_key
        self._open, self._open_key = None, None
        return event

    @property
    def pending(self) -> bool:
        return self._open is not None

    def _is_older(self, key: tuple[int, int]) -> bool:
        return self._done is not None and self._done[0] == key[0] and bool((key[1] - self._done[1]) & 0x80000000)
