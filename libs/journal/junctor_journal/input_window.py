"""The inputs that a partition's state has seen, with what was answered: a repeat gets the same answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

KEPT_MS = 24 * 3_600_000
KEPT_INPUTS = 50_000


class Seen(NamedTuple):
    """When (entry's `now`, Unix ms) and by which entry an input was applied, and its encoded `Outcome`."""

    now: int
    seq: int
    outcome: bytes


class InputWindow:
    """Depends on the journal alone: ids leave after 24 hours of the entries' own time, or when there are too many.

    `_order` has the ids as they came: a dict passes over all that left it to find its first.
    """

    def __init__(self, kept_inputs: int = KEPT_INPUTS) -> None:
        self._kept_inputs = kept_inputs
        self._seen: dict[str, Seen] = {}
        self._order: deque[str] = deque()

    def get(self, input_id: str) -> Seen | None:
        return self._seen.get(input_id)

    def add(self, input_id: str, seen: Seen) -> None:
        if input_id not in self._seen:
            self._order.append(input_id)
        self._seen[input_id] = seen
        oldest = seen.now - KEPT_MS
        while len(self._seen) > self._kept_inputs or self._seen[self._order[0]].now < oldest:
            del self._seen[self._order.popleft()]

    def items(self) -> list[tuple[str, Seen]]:
        """As they came."""
        return list(self._seen.items())

    def load(self, items: Iterable[tuple[str, Seen]]) -> None:
        self._seen = dict(items)
        self._order = deque(self._seen)

    def copy(self) -> InputWindow:
        window = InputWindow(self._kept_inputs)
        window._seen, window._order = self._seen.copy(), self._order.copy()
        return window

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, input_id: str) -> bool:
        return input_id in self._seen
