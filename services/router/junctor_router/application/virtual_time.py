"""A pool in virtual time: what people do is put on an agenda, the core decides, its timers tick when they are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from junctor_router.domain.commands import Command, Tick
from junctor_router.domain.events import Event
from junctor_router.domain.pool import Pool

Action = Callable[[], Command | None]
"""Called at its moment; None where the time has overtaken it."""
Place = tuple[int, int]
"""Moment (Unix ms) and order among what happens in the same millisecond."""

FIRST, LATER = -1, 1 << 60
_TICK = Tick()


class VirtualPool:
    """`seen(event, now)` gets each event in order. `tick_at(due)` says when the tick for a due moment comes."""

    def __init__(
        self, pool: Pool, seen: Callable[[Event, int], None], tick_at: Callable[[int], Place] = lambda due: (due, FIRST)
    ) -> None:
        self.pool = pool
        self.now = pool.state.now
        self.applied = 0
        self.applying: Command = _TICK
        self._seen = seen
        self._tick_at = tick_at
        self._agenda: list[tuple[int, int, int, Action]] = []
        self._count = 0

    def at(self, moment: int, action: Action, order: int = LATER) -> None:
        """A moment that has passed is now."""
        self._count += 1
        heapq.heappush(self._agenda, (max(moment, self.now), order, self._count, action))

    def do(self, command: Command) -> None:
        """Applies at the present moment. A refusal is nobody's error here: the world has moved on."""
        self.applied += 1
        self.applying = command
        now = self.now
        for event in self.pool.apply(command, now).events:
            self._seen(event, now)

    def run(self, until: int, done: Callable[[], bool] = lambda: False) -> None:
        """All that happens up to that moment, or until `done`."""
        agenda = self._agenda
        while not done():
            due = self.pool.next_due()
            tick = None if due is None else self._tick_at(due)
            if tick is not None and (not agenda or tick <= agenda[0][:2]):
                if tick[0] > until:
                    break
                self.now = max(self.now, tick[0])
                self.do(_TICK)
            elif agenda and agenda[0][0] <= until:
                moment, _, _, action = heapq.heappop(agenda)
                self.now = max(self.now, moment)
                command = action()
                if command is not None:
                    self.do(command)
            else:
                break
