"""An event loop whose time jumps: where it would wait, the moment comes at once. For code without sockets and threads."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable


class _Jumping(selectors.DefaultSelector):
    now = 1_000.0

    def select(self, timeout=None):  # type: ignore[no-untyped-def]
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(scene: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 10_000))
