"""Time: UTC milliseconds for data, a monotonic clock for waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Injected wherever time matters; `VirtualClock` of the test kit is the other implementation."""

    def now_ms(self) -> int:
        """Unix milliseconds, never lower than the last answer."""

    def monotonic(self) -> float:
        """Seconds since some moment; for differences only."""

    async def sleep(self, seconds: float) -> None:
        """Returns after that many seconds of this clock."""


class SystemClock:
    """The machine's clock. When it is set back the last value is kept and `backward_jumps` counts it."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._last = 0
        self._behind = False
        self.backward_jumps = 0

    def now_ms(self) -> int:
        """Unix milliseconds, never lower than the last answer. One jump counts once, however long it is behind."""
        now = self._wall_ns() // 1_000_000
        if now < self._last:
            if not self._behind:
                self._behind = True
                self.backward_jumps += 1
            return self._last
        self._behind = False
        self._last = now
        return now

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(seconds)
