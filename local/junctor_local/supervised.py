"""A component of a site that comes back when it dies."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from junctor_local.child import Child, NotReady

log = logging.getLogger(__name__)

# A first death is answered at once; who dies again and again waits longer each time.
_BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_AFTER = 30.0
# What services exit with when a setting is wrong: starting again does not help.
_BAD_SETTINGS = 2


@dataclass(slots=True)
class Supervised:
    """One component: how it starts, when it is well, and whether it shall run.

    `start` starts the child and returns when that is ready or raises NotReady; `healthy` may be asked at any time.
    """

    name: str
    child: Child
    start: Callable[[], Awaitable[None]]
    healthy: Callable[[], Awaitable[bool]]
    address: str
    changed: Callable[[], None]
    stop_limit: float = 15.0
    wanted: bool = False
    restarts: int = 0
    _watch: asyncio.Task[None] | None = None

    async def up(self) -> None:
        """Starts it, returns when it is ready and keeps it running from then on.

        A start that fails is tried again with the back-off, except after a wrong setting; then NotReady.
        """
        self.wanted = True
        self.child.on_start = self.changed
        for wait in _BACK_OFF[1:4]:
            try:
                await self.start()
            except NotReady:
                await self.child.kill()
                if self.child.returncode == _BAD_SETTINGS or not self.wanted:
                    raise
                await asyncio.sleep(wait)
            else:
                break
        else:
            await self.start()
        self._watch = asyncio.create_task(self._keep(), name=f"watch {self.name}")

    async def down(self, kill: bool = False) -> None:
        """Stops it (SIGTERM, or SIGKILL at once) and leaves it down."""
        self.wanted = False
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            self._watch = None
        if kill:
            await self.child.kill()
        else:
            await self.child.stop(self.stop_limit)
        self.changed()

    async def _keep(self) -> None:
        deaths = 0
        while True:
            status = await self.child.wait()
            lived = time.time() - self.child.started_at
            deaths = 0 if lived > _STEADY_AFTER else deaths
            wait = _BACK_OFF[min(deaths, len(_BACK_OFF) - 1)]
            log.warning("component died", extra={"component": self.name, "status": status, "restart_in_s": wait})
            self.changed()
            await asyncio.sleep(wait)
            deaths += 1
            self.restarts += 1
            try:
                await self.start()
            except NotReady as error:
                log.error("component did not come back", extra={"component": self.name, "reason": str(error)})
                await self.child.kill()
            except OSError as error:
                log.error("component could not be started", extra={"component": self.name, "reason": str(error)})
