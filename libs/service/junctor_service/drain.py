"""The end of a process: signals ask for a drain, a thread makes sure that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

HARD_END_EXIT = 3


def remaining(deadline: float) -> float:
    """Seconds until a moment of `time.monotonic`, not below 0."""
    return max(0.0, deadline - time.monotonic())


class HardEnd:
    """Ends the process at a deadline, whatever its event loop does: a thread waits, then `os._exit(3)`."""

    def __init__(self, seconds: float, exit: Callable[[int], None] = os._exit) -> None:
        self._done = threading.Event()
        self._exit = exit
        self._seconds = seconds
        self._thread = threading.Thread(target=self._wait, name="hard-end", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """The drain ended in time."""
        self._done.set()

    def _wait(self) -> None:
        if self._done.wait(self._seconds):
            return
        sys.stderr.write(f"The drain took longer than {self._seconds:g} s; the process ends now.\n")
        sys.stderr.flush()
        self._exit(HARD_END_EXIT)


class StopSignals:
    """SIGTERM and SIGINT set `asked`; a second SIGINT ends the process at once (exit 130)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asked = asyncio.Event()
        self._loop = loop
        self._interrupts = 0
        loop.add_signal_handler(signal.SIGTERM, self.asked.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)

    def remove(self) -> None:
        """Gives the signals back."""
        self._loop.remove_signal_handler(signal.SIGTERM)
        self._loop.remove_signal_handler(signal.SIGINT)

    def _interrupted(self) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            os._exit(130)
        self.asked.set()
