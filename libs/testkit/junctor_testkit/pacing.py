"""One 20 ms clock for all RTP endpoints of a process: hundreds of tasks that sleep would drift apart, one does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from weakref import WeakKeyDictionary

INTERVAL = 0.02
_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, PacingClock] = WeakKeyDictionary()


class PacingClock:
    """Calls every member once per 20 ms, by an absolute schedule: a late tick is caught up, time never stretches."""

    def __init__(self) -> None:
        self._members: dict[object, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    @staticmethod
    def of_this_loop() -> PacingClock:
        loop = asyncio.get_running_loop()
        if loop not in _clocks:
            _clocks[loop] = PacingClock()
        return _clocks[loop]

    def join(self, member: object, tick: Callable[[], None]) -> None:
        self._members[member] = tick
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, member: object) -> None:
        self._members.pop(member, None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._members:
            for tick in list(self._members.values()):
                with contextlib.suppress(OSError):
                    tick()
            due += INTERVAL
            await asyncio.sleep(max(0.0, due - loop.time()))
