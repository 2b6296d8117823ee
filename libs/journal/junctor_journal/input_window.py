"""The inputs that a partition's state has seen, with what was answered: a repeat gets the same answer."""

from __future__ import annotations

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
    """Depends on the journal alone: ids leave after 24 hours of the entries' own time, or when there are too many."""

    def __init__(self, kept_inputs: int = KEPT_INPUTS) -> None:
        self._kept_inputs = kept_inputs
        self._seen: dict[str, Seen] = {}

    def get(self, input_id: str) -> Seen | None:
        return self._seen.get(input_id)

    def add(self, input_id: str, seen: Seen) -> None:
        self._seen[input_id] = seen
        oldest = seen.now - KEPT_MS
        while len(self._seen) > self._kept_inputs or next(iter(self._seen.values())).now < oldest:
            del self._seen[next(iter(self._seen))]

    def items(self) -> list[tuple[str, Seen]]:
        return list(self._seen.items())

    def load(self, items: Iterable[tuple[str, Seen]]) -> None:
        self._seen = dict(items)

    def copy(self) -> InputWindow:
        window = InputWindow(self._kept_inputs)
        window._seen = self._seen.copy()
        return window

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, input_id: str) -> bool:
        return input_id in self._seen
