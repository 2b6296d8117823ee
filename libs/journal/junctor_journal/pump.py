"""Brings the inputs to their owners. Where to read on is told by the journal, never by group offsets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Protocol

from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Group, Log, Tail, TopicPartition
from junctor_journal.owners import Owners

logger = logging.getLogger(__name__)

_MAX_RECORDS = 2_000
_RETRY_SECONDS = 0.5
_WAIT_MS = 500
_WAIT_UNSETTLED_MS = 50


class Pump(Protocol):
    """Who says which partitions this process owns, and carries their records to `Owners`."""

    @property
    def ready(self) -> bool: ...

    async def start(self, log: Log, sources: Sequence[str], group_id: str, instance_id: str, owners: Owners) -> None:
        """`sources`: the inputs topics, all with the journal's partitions."""
        ...

    async def stop(self) -> None:
        """Ends the reading. The owners are closed by their user."""
        ...


async def until_made(log: Log, sources: Sequence[str]) -> None:
    """Returns when all of them are there. A member that joins a group earlier is given nothing of a topic that is made later,
    for as long as its client takes to look at topics again (five minutes; in Faust for good)."""
    while True:
        missing = [topic for topic in sources if not await log.partitions(topic)]
        if not missing:
            return
        logger.info("the inputs are waited for", extra={"topics": missing})
        await asyncio.sleep(_RETRY_SECONDS)


class PumpLoop:
    """What pumps share: seek for owners that became ready, pause sources that are too far ahead."""

    def __init__(self, owners: Owners, sources: Sequence[str]) -> None:
        self._owners = owners
        self._sources = sources
        self._paused: set[TopicPartition] = set()

    async def turn(self, tail: Tail) -> None:
        """One reading: seeks, one `getmany`, and its records to the owners."""
        for owner in self._owners.wanting_seek():
            tps = [TopicPartition(topic, owner.partition) for topic in self._sources]
            for tp in tps:
                tail.seek(tp, owner.resume_at(*tp))
            tail.resume(*tps)
            self._paused.difference_update(tps)
            owner.sought()
        wait = _WAIT_MS if self._owners.settled else _WAIT_UNSETTLED_MS
        for tp, records in (await tail.getmany(timeout_ms=wait, max_records=_MAX_RECORDS)).items():
            self._owners.put(tp.partition, records)
            if tp not in self._paused and self._owners.full(tp.partition):
                tail.pause(tp)
                self._paused.add(tp)
        for tp in [tp for tp in self._paused if not self._owners.full(tp.partition)]:
            tail.resume(tp)
            self._paused.discard(tp)
        if self._paused:
            await asyncio.sleep(0.002)


class GroupPump:
    """Partitions by membership in a consumer group, static by `instance_id`: a quick restart moves nothing."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._joined = False

    @property
    def ready(self) -> bool:
        """True once this process is a member of the group. It may own nothing."""
        return self._joined

    async def start(self, log: Log, sources: Sequence[str], group_id: str, instance_id: str, owners: Owners) -> None:
        self._task = asyncio.create_task(self._run(log, sources, group_id, instance_id, owners), name="pump")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, journal: Log, sources: Sequence[str], group_id: str, instance_id: str, owners: Owners) -> None:
        def assigned(tps: Collection[TopicPartition]) -> None:
            self._joined = True
            owners.assign({tp.partition for tp in tps})

        def revoked(tps: Collection[TopicPartition]) -> None:
            owners.doubt({tp.partition for tp in tps})

        while True:
            group: Group | None = None
            try:
                await until_made(journal, sources)
                group = await journal.group(group_id, sources, instance_id or None, assigned, revoked)
                member = _OnlyAssigned(group)
                loop = PumpLoop(owners, sources)
                while True:
                    await loop.turn(member)
            except asyncio.CancelledError:
                raise
            except LogUnavailable as error:
                logger.warning("the inputs cannot be read now", extra={"group": group_id, "error": str(error)})
            except Exception:
                logger.exception("reading the inputs failed", extra={"group": group_id})
            finally:
                owners.doubt([owner.partition for owner in owners.all()])
                if group is not None:
                    await asyncio.shield(group.close())
            await asyncio.sleep(_RETRY_SECONDS)


class _OnlyAssigned:
    """A group member's reader that leaves alone what a rebalance has just taken away."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self.getmany = group.getmany
        self.position = group.position
        self.close = group.close

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp in self._group.assignment():
            self._group.seek(tp, offset)

    def pause(self, *partitions: TopicPartition) -> None:
        self._group.pause(*self._group.assignment().intersection(partitions))

    def resume(self, *partitions: TopicPartition) -> None:
        self._group.resume(*self._group.assignment().intersection(partitions))
