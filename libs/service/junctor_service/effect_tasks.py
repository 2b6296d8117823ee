"""Effects as tasks: at least once, one at a time for a key, retried while that helps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

Work = Callable[[], Awaitable[None]]
Failed = Callable[[Exception], Awaitable[None]]


class EffectTasks:
    """Runs effects outside the journal's reader. An effect is named by a key; asked for again while it runs, it is not doubled.

    An exception with a true `retryable` is tried again after a pause that doubles from 0.1 s to 2 s, `tries` times at the most;
    any other, or the last one, is given to `failed`, which makes a fact of it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: dict[tuple[Any, str], asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, owner: Any, key: str, work: Work, failed: Failed | None = None, tries: int | None = None) -> None:
        """`owner` groups effects, to be ended together (`end`); tries None goes on for as long as the owner does."""
        if (owner, key) in self._tasks:
            return
        task = asyncio.create_task(self._run(key, work, failed, tries), name=f"{self.name} {key}")
        self._tasks[(owner, key)] = task
        task.add_done_callback(lambda _: self._tasks.pop((owner, key), None))

    def end(self, owner: Any) -> None:
        """Cancels the owner's effects: somebody else makes them now."""
        for (whose, _), task in list(self._tasks.items()):
            if whose == owner:
                task.cancel()

    async def drain(self, seconds: float) -> None:
        """Waits for what runs, then cancels the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=max(0.0, seconds))
        for task in list(self._tasks.values()):
            task.cancel()

    async def _run(self, key: str, work: Work, failed: Failed | None, tries: int | None) -> None:
        pause, attempt = FIRST_PAUSE, 0
        while True:
            attempt += 1
            try:
                await work()
                return
            except Exception as error:
                if getattr(error, "retryable", False) and (tries is None or attempt < tries):
                    log.warning(
                        "effect is tried again", extra={"effect": key, "attempt": attempt, "error": repr(error)}
                    )
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                log.error("effect failed", extra={"effect": key, "attempt": attempt}, exc_info=error)
                final = error
                break
        if failed is not None:
            await self._run(f"{key} failed", lambda: failed(final), None, None)
