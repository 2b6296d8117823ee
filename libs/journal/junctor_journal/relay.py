"""Publishes the events of entries that count as CloudEvents, and dead letters, in order and at least once.

Run in each site, by the process that the partition is assigned to: its owner, or in a site that follows, the one that
would be. Where it stands is what it finds at the end of the events topic: events are written one batch after the other,
so all before the highest published entry that counts are there. Where a site epoch ends another, that is an event too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.chain_reader import ChainReader, Reading
from junctor_journal.cloud_events import dead_letter_record, epoch_record, event_records, published_position
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import LogUnavailable, RecordTooLarge, Restoring
from junctor_journal.follower import Follower
from junctor_journal.log import Log, NewRecord, TopicPartition
from junctor_journal.reader import Verdict

log = logging.getLogger(__name__)

_LOOK_BACK = (200, 20_000)
_BATCH = 500
_RETRY_SECONDS = 0.5
_KEPT_MS = 7 * 24 * 3_600_000


class EpochRead(NamedTuple):
    """A site epoch that began."""

    started: pb.EpochStarted

    @property
    def position(self) -> tuple[int, int]:
        return self.started.epoch.site_epoch, self.started.cut_seq


class Relay:
    """Of one partition. `position` is site epoch and sequence of the last entry whose events are published."""

    def __init__(
        self, service: str, site: str, log: Log, follower: Follower, partition: int, clock: Callable[[], int]
    ) -> None:
        self.position = (-1, -1)
        self._service = service
        self._site = site
        self._log = log
        self._follower = follower
        self._partition = partition
        self._clock = clock
        self._entries: deque[EntryRead | EpochRead] = deque()
        self._wake = asyncio.Event()
        self._idle = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Publishes what earlier ones left unpublished up to here, then what `push` gives."""
        state = self._follower.state(self._partition)
        upto = (state.site_epoch, state.read)
        self._task = asyncio.create_task(self._run(upto), name=f"relay {self._service}/{self._partition}")

    def push(self, entry: EntryRead | EpochRead) -> None:
        """The next valid entry, or site epoch, after those at `start`."""
        self._entries.append(entry)
        self._wake.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def drain(self, deadline: float) -> None:
        """Waits until what was pushed is published, at most `deadline` seconds."""
        until = asyncio.get_running_loop().time() + deadline
        while (self._entries or not self._idle) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _run(self, upto: tuple[int, int]) -> None:
        await self._patiently(lambda: self._catch_up(upto))
        while True:
            if not self._entries:
                self._idle = True
                self._wake.clear()
                await self._wake.wait()
                self._idle = False
            batch = [self._entries.popleft() for _ in range(min(_BATCH, len(self._entries)))]
            await self._publish(batch)

    async def _catch_up(self, upto: tuple[int, int]) -> None:
        done, not_before = await self._published()
        if done < upto:
            place = self._follower.checkpoint(self._partition, *done)
            chain = ChainReader(self._follower.topics, place)
            tps = {TopicPartition(topic, self._partition): at.next_offset for topic, at in place.journals.items()}
            tail = await self._log.tail(tps, wait_ms=50)
            try:
                readings = list(chain.release())
                while True:
                    await self._publish(_wanted(self._partition, readings, done, upto, not_before))
                    if (chain.site_epoch, chain.seq) >= upto:
                        break
                    readings = []
                    for tp, records in (await tail.getmany(timeout_ms=200, max_records=_BATCH)).items():
                        for record in records:
                            readings += chain.see(tp.topic, record.value, record.offset)
                    for topic, offset in chain.seeks().items():
                        tail.seek(TopicPartition(topic, self._partition), offset)
            finally:
                await tail.close()
        self.position = max(upto, self.position)

    async def _published(self) -> tuple[tuple[int, int], int]:
        """The last entry with published events, and the time before which unpublished ones are too old to publish."""
        tp = TopicPartition(topics.events(self._service), self._partition)
        begin, end = (await self._log.begin_offsets([tp]))[tp], (await self._log.end_offsets([tp]))[tp]
        if begin == end:
            return (0, 0), 0 if begin == 0 else self._clock() - _KEPT_MS
        for start in (*(max(begin, end - back) for back in _LOOK_BACK), begin):
            found = await self._highest(tp, start, end)
            if found is not None:
                return found, 0
        return (0, 0), 0

    async def _highest(self, tp: TopicPartition, start: int, end: int) -> tuple[int, int] | None:
        """The highest that counts."""
        lineage = self._follower.lineage(self._partition)
        found: dict[int, int] = {}
        tail = await self._log.tail({tp: start}, wait_ms=50)
        try:
            while await tail.position(tp) < end:
                for records in (await tail.getmany(timeout_ms=200)).values():
                    for record in records:
                        at = published_position(record, self._partition)
                        if at is not None:
                            found[at[0]] = max(at[1], found.get(at[0], 0))
        finally:
            await tail.close()
        for site_epoch in sorted(found, reverse=True):
            after = lineage.after(site_epoch)
            if after is not None:
                return site_epoch, min(found[site_epoch], after.started.cut_seq)
            if site_epoch == lineage.newest:
                return site_epoch, found[site_epoch]
        return None

    async def _publish(self, entries: Sequence[EntryRead | EpochRead]) -> None:
        if not entries:
            return
        events: list[NewRecord] = []
        letters: list[NewRecord] = []
        for entry in entries:
            if isinstance(entry, EpochRead):
                # The first epoch of all ends none. A higher one may, even if this site never heard of what it ends.
                if entry.started.epoch.site_epoch > 1:
                    journal = topics.journal(self._service)
                    events.append(epoch_record(self._service, journal, self._partition, entry.started))
            elif entry.dead:
                letters.append(dead_letter_record(entry))
            elif entry.record.events:
                events += event_records(self._service, topics.origin(self._site, entry.topic), entry)
        if letters:
            await self._patiently(lambda: self._write(topics.dead_letters(self._service), 0, letters))
        if events:
            await self._patiently(lambda: self._write(topics.events(self._service), self._partition, events))
        self.position = entries[-1].position

    async def _write(self, topic: str, partition: int, records: Sequence[NewRecord]) -> None:
        try:
            await self._log.producer().send_many(topic, partition, records)
        except RecordTooLarge:
            if len(records) == 1:
                log.exception("an event is too large to be published", extra={"topic": topic})
                return
            for record in records:
                await self._write(topic, partition, [record])

    async def _patiently(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await do()
                return
            except (LogUnavailable, Restoring):
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("a relay failed", extra={"service": self._service, "partition": self._partition})
                await asyncio.sleep(_RETRY_SECONDS * 4)


def _wanted(
    partition: int, readings: Sequence[Reading], done: tuple[int, int], upto: tuple[int, int], not_before: int
) -> list[EntryRead | EpochRead]:
    found: list[EntryRead | EpochRead] = []
    for reading in readings:
        if reading.verdict is Verdict.VALID and reading.record.entry.now >= not_before:
            found.append(EntryRead(partition, reading.record.entry, reading.offset, reading.topic))
        elif reading.verdict is Verdict.EPOCH:
            found.append(EpochRead(reading.record.epoch_started))
    return [one for one in found if done < one.position <= upto]
