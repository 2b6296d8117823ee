"""An event loop whose time jumps: where it would wait, the moment comes at once. For code without sockets and threads."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable


class _Jumping(selectors.DefaultSelector):
    now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 1,000 s."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The virtual seconds."""
        return self._jumping.now


def in_virtual_time(scene: Callable[[], Awaitable[None]]) -> None:
    """Runs the scene in a loop of its own; fails where it takes more than 10,000 virtual seconds."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 10_000))


def now_ms() -> int:
    """Unix milliseconds by the running loop's time."""
    return 1_700_000_000_000 + int(asyncio.get_running_loop().time() * 1_000)
