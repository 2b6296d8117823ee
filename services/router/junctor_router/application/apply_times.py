"""How long the core takes for its inputs, measured at a cost that it does not feel."""

from __future__ import annotations

from collections.abc import Callable

EVERY = 64
_MS = 1_000_000


class ApplyTimes:
    """`sample` is called with the milliseconds of every 64th apply; the longest is kept of all."""

    def __init__(self, sample: Callable[[float], None]) -> None:
        self._sample = sample
        self._count = 0
        self._longest_ns = 0

    def took(self, nanoseconds: int) -> None:
        self._longest_ns = max(self._longest_ns, nanoseconds)
        self._count += 1
        if self._count % EVERY == 0:
            self._sample(nanoseconds / _MS)

    def longest_ms(self) -> float:
        """Since the last call."""
        longest, self._longest_ns = self._longest_ns, 0
        return longest / _MS
