"""For figures on a machine that others use too: this process, and those it starts, go ahead of what else runs (root)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psutil

NICENESS = "-10"
"""Of the processes' autogroups (sched(7)): each child has a session, and so a group, of its own."""
NOTE = f"The processes went ahead of other programs (autogroup niceness {NICENESS})."
_EVERY = 0.5


async def stay_ahead() -> None:
    """Until it is cancelled: also those that are started again."""
    done: set[tuple[int, float]] = set()
    while True:
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                key = (process.pid, process.create_time())
                if key not in done:
                    Path(f"/proc/{process.pid}/autogroup").write_text(NICENESS, encoding="ascii")
                    done.add(key)
        await asyncio.sleep(_EVERY)
