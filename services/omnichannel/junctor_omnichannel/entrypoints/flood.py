"""How much a customer may send: a bucket of tokens that fills with time."""

from __future__ import annotations

from collections.abc import Callable


class Flood:
    """`rate` frames in a second, `burst` at once. `now` is monotonic, in seconds."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._tokens = float(burst)
        self._at = now()

    def allows(self) -> bool:
        """Whether one more frame is allowed now; if so it is counted."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
