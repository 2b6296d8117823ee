"""A token bucket per source address, so that one scanner cannot take the edge's time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MAX_SOURCES = 10_000
BURST_SECONDS = 2


class FloodGate:
    """Lets `rate` requests per second through for each source, twice that at once; 0 lets everything through."""

    def __init__(self, rate: int, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, source: str) -> bool:
        if not self._rate:
            return True
        now, full = self._clock(), float(self._rate * BURST_SECONDS)
        tokens, since = self._buckets.pop(source, (full, now))
        tokens = min(full, tokens + (now - since) * self._rate)
        admitted = tokens >= 1
        self._buckets[source] = (tokens - 1 if admitted else tokens, now)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return admitted
