"""An event loop whose time jumps: where it would wait, the moment comes at once. For code without sockets."""

import asyncio
import selectors


class _Jumping(selectors.DefaultSelector):
    def __init__(self):
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


def now_ms():
    """Unix milliseconds by the running loop's time."""
    return 1_700_000_000_000 + int(asyncio.get_running_loop().time() * 1_000)
