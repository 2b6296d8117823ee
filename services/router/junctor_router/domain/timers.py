"""When something is due, by kind and contact, or agent, or process. A derived structure: what holds the moments is the
state, this one orders them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

OFFER = "offer"
STEP = "step"
RELAX = "relax"
"""Something that the step required only ranks from now on."""
STARVE = "starve"
"""The contact has waited for so long that it comes before all others."""
HOLD = "hold"
"""The contact is no longer kept for its preferred agents, or for later."""
WRAP_UP = "wrap_up"
GRACE = "grace"
"""An agent whose workspace is gone has not come back."""
HOLDER = "holder"
"""A process that had streams of agents has not been heard of."""
PAUSE = "pause"
"""A contact that an agent did not take may be offered to that agent again."""


@dataclass(slots=True)
class Timers:
    _heap: list[tuple[int, str, str]] = field(default_factory=list)
    _current: dict[tuple[str, str], int] = field(default_factory=dict)

    def set(self, kind: str, contact_id: str, at: int) -> None:
        """One moment (Unix ms) for each kind and contact; a new one replaces the old one."""
        if self._current.get((kind, contact_id)) != at:
            self._current[kind, contact_id] = at
            heapq.heappush(self._heap, (at, kind, contact_id))

    def clear(self, kind: str, contact_id: str) -> None:
        self._current.pop((kind, contact_id), None)

    def next(self) -> int | None:
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: int) -> tuple[str, str] | None:
        """The next that is due, in order of moment, kind and contact."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, kind, contact_id = heapq.heappop(self._heap)
        del self._current[kind, contact_id]
        return kind, contact_id

    def _drop_stale(self) -> None:
        while self._heap and self._current.get((self._heap[0][1], self._heap[0][2])) != self._heap[0][0]:
            heapq.heappop(self._heap)
