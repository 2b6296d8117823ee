"""A clock that stands still until a test moves it: waits end in order, at their exact moments, at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools

SETTLE_ROUNDS = 50


class VirtualClock:
    """The `Clock` of tests (`now_ms`, `monotonic`, `sleep`). Wall time and monotonic time move together."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._wall_us = now_ms * 1000
        self._mono_us = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self._wall_us // 1000

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._mono_us / 1_000_000

    @property
    def sleepers(self) -> int:
        """How many tasks wait for the clock."""
        return sum(1 for _, _, future in self._sleepers if not future.done())

    async def sleep(self, seconds: float) -> None:
        """Returns when the test has moved the clock that far; at once for 0 or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._mono_us + round(seconds * 1_000_000), next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Moves the clock on, wakes every sleeper at its own moment, and lets what was woken run after each."""
        end = self._mono_us + round(seconds * 1_000_000)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._move_to(due)
            if not future.done():
                future.set_result(None)
                await self.settle()
        self._move_to(end)
        await self.settle()

    def set_wall(self, now_ms: int) -> None:
        """Sets the wall clock alone, forward or back, as an administrator might."""
        self._wall_us = now_ms * 1000

    @staticmethod
    async def settle() -> None:
        """Lets tasks that can run do so."""
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(0)

    def _move_to(self, moment_us: int) -> None:
        self._wall_us += moment_us - self._mono_us
        self._mono_us = moment_us
