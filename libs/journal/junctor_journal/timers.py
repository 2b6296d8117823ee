"""When each stream wants its next `Tick`: a heap whose outdated places are passed over."""

from __future__ import annotations

import heapq

StreamKey = tuple[str, str]


class Timers:
    """Times are Unix milliseconds. Equal times come in the order of tenant and stream: the same in every replay."""

    def __init__(self) -> None:
        self._due: dict[StreamKey, int] = {}
        self._heap: list[tuple[int, StreamKey]] = []

    def set(self, key: StreamKey, at: int | None) -> None:
        """None for no timer."""
        if at is None:
            self._due.pop(key, None)
        elif self._due.get(key) != at:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))
            if len(self._heap) > 64 + 4 * len(self._due):
                self._heap = [(due, stream) for stream, due in self._due.items()]
                heapq.heapify(self._heap)

    def get(self, key: StreamKey) -> int | None:
        return self._due.get(key)

    def first(self) -> tuple[int, StreamKey] | None:
        """The earliest one."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def items(self) -> list[tuple[StreamKey, int]]:
        return sorted(self._due.items())

    def copy(self) -> Timers:
        copied = Timers()
        copied._due = self._due.copy()
        copied._heap = self._heap.copy()
        return copied
