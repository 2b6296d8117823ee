"""The owners of one process: made and ended as partitions are assigned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from junctor_journal.log import Record
from junctor_journal.owner import Owner, Phase

log = logging.getLogger(__name__)

FULL = 8_000
"""Records that may wait in one owner before its source is paused."""


class Owners:
    """All methods but `close` act at once. What pumps need to know of owners."""

    def __init__(self, new_owner: Callable[[int], Owner]) -> None:
        self._new_owner = new_owner
        self._owners: dict[int, Owner] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def get(self, partition: int) -> Owner | None:
        return self._owners.get(partition)

    def all(self) -> list[Owner]:
        return list(self._owners.values())

    def assign(self, partitions: Iterable[int]) -> None:
        """These, and no others: the rest is marked first, all at once, then closed together in the background."""
        if self._closed:
            return
        wanted = set(partitions)
        self._end([p for p in self._owners if p not in wanted])
        for partition in sorted(wanted):
            owner = self._owners.get(partition)
            if owner is not None:
                owner.doubt(False)
            else:
                owner = self._owners[partition] = self._new_owner(partition)
                owner.start()

    def doubt(self, partitions: Iterable[int]) -> None:
        """A rebalance began: go on deciding (the log fences), claim nothing. `assign` follows; the sources are then
        sought again, as the group reads them from elsewhere."""
        for partition in partitions:
            owner = self._owners.get(partition)
            if owner is not None:
                owner.doubt(True)
                owner.unsought()

    def wanting_seek(self) -> list[Owner]:
        """Those whose sources are to be read from `resume_at` on. None in doubt: until the rebalance has ended, a seek
        would go to what the group is about to take away."""
        return [owner for owner in self._owners.values() if owner.wants_seek() and not owner.doubtful]

    def put(self, partition: int, records: Sequence[Record]) -> None:
        owner = self._owners.get(partition)
        if owner is not None:
            owner.put_batch(records)

    def full(self, partition: int) -> bool:
        """Whether the partition's sources are to be paused."""
        owner = self._owners.get(partition)
        return owner is not None and owner.backlog > FULL

    @property
    def settled(self) -> bool:
        """Whether every owner is ready and reads its sources, or its site follows."""
        return all(
            owner.phase is Phase.FOLLOWING or (owner.phase is Phase.READY and not owner.wants_seek())
            for owner in self._owners.values()
        )

    async def close(self, deadline: float) -> None:
        """Drains all together, at most `deadline` seconds, then closes them."""
        self._closed = True
        if self._owners:
            await asyncio.gather(*(owner.drain(deadline) for owner in self.all()), return_exceptions=True)
        self._end(list(self._owners))
        if self._closing:
            await asyncio.wait(self._closing)

    def _end(self, partitions: Sequence[int]) -> None:
        gone = [self._owners.pop(partition) for partition in partitions]
        for owner in gone:
            owner.retire()
        if gone:
            task = asyncio.create_task(_close(gone))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(owners: Sequence[Owner]) -> None:
    for failed in await asyncio.gather(*(owner.close() for owner in owners), return_exceptions=True):
        if isinstance(failed, Exception):
            log.error("an owner was not closed cleanly", extra={"error": repr(failed)})
