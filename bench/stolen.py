"""What the host took: on a shared machine a core that has work may be given to others, and everything on it stands still."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right

import psutil


class StolenTime:
    """Samples the kernel's count of stolen time (proc(5), steal), which moves in steps of 10 ms."""

    def __init__(self, every: float = 0.01) -> None:
        """`every`: seconds between samples."""
        self._every = every
        self._at: list[float] = []
        self._stolen: list[float] = []

    async def run(self) -> None:
        while True:
            self._at.append(time.monotonic())
            self._stolen.append(float(getattr(psutil.cpu_times(), "steal", 0.0)))
            await asyncio.sleep(self._every)

    def between(self, began: float, ended: float) -> float:
        """Seconds that all cores together lost between two moments of `time.monotonic()`, the samples around them included."""
        first = max(0, bisect_right(self._at, began) - 1)
        last = min(len(self._at) - 1, bisect_left(self._at, ended))
        return self._stolen[last] - self._stolen[first] if last > first else 0.0
