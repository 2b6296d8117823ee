"""How long the current call may still take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("junctor_deadline", default=None)


def time_left() -> float | None:
    """Seconds until the caller stops waiting (0 when it has); None where nobody waits."""
    moment = _deadline.get()
    return None if moment is None else max(0.0, moment - time.monotonic())


@contextmanager
def deadline_in(seconds: float | None) -> Iterator[None]:
    """Inside, `time_left` counts from this many seconds."""
    token = _deadline.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)
