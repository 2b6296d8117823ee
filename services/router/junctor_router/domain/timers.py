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


SPAN_MS = 2_048
"""Moments so close together are put in order at once."""


@dataclass(slots=True)
class Timers:
    """Those of the next moments stand in a heap, where one that was cleared stays until it comes up; later ones lie in
    spans of time, unordered, and leave no trace when they are cleared: most contacts are served long before they starve.
    """

    _current: dict[tuple[str, str], int] = field(default_factory=dict)
    _heap: list[tuple[int, str, str]] = field(default_factory=list)
    _ordered_until: int = 0
    """Moments before this one are in the heap, the others in spans."""
    _spans: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    _span_numbers: list[int] = field(default_factory=list)
    """A heap of the spans' numbers."""

    def set(self, kind: str, contact_id: str, at: int) -> None:
        """One moment (Unix ms) for each kind and contact; a new one replaces the old one."""
        name = (kind, contact_id)
        before = self._current.get(name)
        if before == at:
            return
        if before is not None:
            self.clear(kind, contact_id)
        self._current[name] = at
        if at < self._ordered_until:
            heapq.heappush(self._heap, (at, kind, contact_id))
            return
        number = at // SPAN_MS
        span = self._spans.get(number)
        if span is None:
            self._spans[number] = {name}
            heapq.heappush(self._span_numbers, number)
        else:
            span.add(name)

    def clear(self, kind: str, contact_id: str) -> None:
        at = self._current.pop((kind, contact_id), 0)
        if at >= self._ordered_until and at:
            self._spans[at // SPAN_MS].discard((kind, contact_id))

    def next(self) -> int | None:
        self._bring_up()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: int) -> tuple[str, str] | None:
        """The next that is due, in order of moment, kind and contact."""
        self._bring_up()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, kind, contact_id = heapq.heappop(self._heap)
        del self._current[kind, contact_id]
        return kind, contact_id

    def _bring_up(self) -> None:
        """Makes the heap's first one the first of all."""
        heap = self._heap
        while True:
            while heap and self._current.get((heap[0][1], heap[0][2])) != heap[0][0]:
                heapq.heappop(heap)
            if heap or not self._span_numbers:
                return
            number = heapq.heappop(self._span_numbers)
            self._ordered_until = (number + 1) * SPAN_MS
            self._heap = heap = [(self._current[name], *name) for name in self._spans.pop(number)]
            heapq.heapify(heap)
