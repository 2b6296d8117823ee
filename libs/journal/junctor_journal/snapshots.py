"""When snapshots are taken: by the owner's process, of the followed state, every so many entries."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from junctor_journal.errors import JournalError, Restoring
from junctor_journal.follower import Follower
from junctor_journal.log import Log
from junctor_journal.snapshot import close_snapshot, write_snapshot

log = logging.getLogger(__name__)

_RELAY_SECONDS = 30.0
_REFRESH_SECONDS = 12 * 3_600.0


class Snapshots:
    """One at a time. A snapshot is closed only when the relay is past it: a restart then finds what is unpublished
    behind the snapshot. `relayed` gives site epoch and sequence of the last entry of a partition with published events."""

    def __init__(
        self,
        service: str,
        log: Log,
        follower: Follower,
        relayed: Callable[[int], tuple[int, int]],
        every: int,
        pause: float,
    ) -> None:
        self.written = 0
        self._service = service
        self._log = log
        self._follower = follower
        self._relayed = relayed
        self._every = every
        self._pause = pause
        self._last: dict[int, int] = {}
        self._refreshing: dict[int, asyncio.TimerHandle] = {}
        self._busy = False
        self._task: asyncio.Task[None] | None = None

    def on_entry(self, partition: int, seq: int) -> None:
        """To be called with each entry of an owned partition."""
        last = self._last.setdefault(partition, seq - seq % self._every)
        if seq - last >= self._every and not self._busy:
            self._begin(partition, seq)

    def begin(self, partition: int) -> None:
        """The partition is owned now. A quiet one's snapshot is written again twice a day, as the topic forgets."""
        self.end(partition)
        again = asyncio.get_running_loop().call_later(_REFRESH_SECONDS, self._refresh, partition)
        self._refreshing[partition] = again

    def end(self, partition: int) -> None:
        """It is owned no more."""
        timer = self._refreshing.pop(partition, None)
        if timer is not None:
            timer.cancel()

    async def stop(self) -> None:
        for partition in list(self._refreshing):
            self.end(partition)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _refresh(self, partition: int) -> None:
        self.begin(partition)
        if not self._busy and self._follower.position(partition) > 0:
            self._begin(partition, self._follower.position(partition))

    def _begin(self, partition: int, seq: int) -> None:
        self._last[partition] = seq
        self._busy = True
        self._task = asyncio.create_task(self._take(partition), name=f"snapshot {self._service}/{partition}")

    def _next(self) -> None:
        """What came while one was taken may be as much as the next one waits for, and nothing may come after it."""
        for partition in self._refreshing:
            try:
                seq = self._follower.position(partition)
            except Restoring:
                continue
            if seq - self._last.get(partition, seq) >= self._every:
                self._begin(partition, seq)
                return

    async def _take(self, partition: int) -> None:
        began = time.monotonic()
        try:
            state = self._follower.state(partition)
            seq, pieces = state.seq, iter(state.dump())
            held = await self._follower.place_at(partition, seq)
            manifest = await write_snapshot(self._log, self._service, partition, held, pieces)
            async with asyncio.timeout(_RELAY_SECONDS):
                while self._relayed(partition) < (held.site_epoch, held.seq):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await close_snapshot(self._log, self._service, partition, manifest)
            self.written += 1
            log.info("snapshot written", extra={"partition": partition, "seq": held.seq, "chunks": manifest.chunks})
            await asyncio.sleep(began + self._pause - time.monotonic())
        except (JournalError, TimeoutError) as error:
            log.warning("no snapshot was written", extra={"partition": partition, "error": repr(error)})
        except Exception:
            log.exception("a snapshot failed", extra={"partition": partition})
        finally:
            self._busy = False
        self._next()
