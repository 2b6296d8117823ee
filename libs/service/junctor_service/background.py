"""A coroutine that runs as long as the service does, and is run again when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0


class Background:
    """A component around `run`. A failure is logged and counted, readiness is lost, and `run` starts anew.

    The pause before the next start doubles from `restart_after` seconds up to 10. `run` returning normally ends it:
    then it stays ready.
    """

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], *, restart_after: float = 1.0) -> None:
        self.name = name
        self.failures = 0
        self._run = run
        self._restart_after = restart_after
        self._task: asyncio.Task[None] | None = None
        self._healthy = False

    @property
    def ready(self) -> bool:
        """Whether the coroutine runs (or has ended by itself)."""
        return self._healthy

    async def start(self) -> None:
        """Starts the coroutine; does not wait for it."""
        self._healthy = True
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    async def stop(self, deadline: float) -> None:
        """Cancels the coroutine and waits for its end."""
        self._healthy = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _keep_running(self) -> None:
        pause = self._restart_after
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._run()
                return
            except Exception:
                self.failures += 1
                self._healthy = False
                log.exception("background work failed", extra={"work": self.name, "failures": self.failures})
            if asyncio.get_running_loop().time() - began > LONGEST_PAUSE:
                pause = self._restart_after
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self._healthy = True
