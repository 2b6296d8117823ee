"""Publishes the events of valid entries as CloudEvents, and dead letters, in order and at least once.

Run by the partition's owner. Where it stands is what it finds at the end of the events topic: events are written one
batch after the other, so all before the highest published sequence are there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from junctor_journal import topics
from junctor_journal.cloud_events import dead_letter_record, event_records, published_position
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import LogUnavailable, RecordTooLarge
from junctor_journal.follower import Follower
from junctor_journal.log import Log, NewRecord, TopicPartition
from junctor_journal.reader import JournalReader, Verdict

log = logging.getLogger(__name__)

_LOOK_BACK = 200
_BATCH = 500
_RETRY_SECONDS = 0.5
_KEPT_MS = 7 * 24 * 3_600_000


class Relay:
    """Of one partition, for one reign. `position` is the last entry whose events are published."""

    def __init__(
        self, service: str, site: str, log: Log, follower: Follower, partition: int, clock: Callable[[], int]
    ) -> None:
        self.position = -1
        self._service = service
        self._site = site
        self._log = log
        self._follower = follower
        self._partition = partition
        self._clock = clock
        self._entries: deque[EntryRead] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Publishes what earlier owners left unpublished up to here, then what `push` gives."""
        upto = self._follower.place(self._partition).seq
        self._task = asyncio.create_task(self._run(upto), name=f"relay {self._service}/{self._partition}")

    def push(self, entry: EntryRead) -> None:
        """The next valid entry after those at `start`."""
        self._entries.append(entry)
        self._wake.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def drain(self, seq: int, deadline: float) -> None:
        """Waits until that entry's events are published, at most `deadline` seconds."""
        until = asyncio.get_running_loop().time() + deadline
        while self.position < seq and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _run(self, upto: int) -> None:
        await self._patiently(lambda: self._catch_up(upto))
        while True:
            if not self._entries:
                self._wake.clear()
                await self._wake.wait()
            batch = [self._entries.popleft() for _ in range(min(_BATCH, len(self._entries)))]
            await self._publish(batch)

    async def _catch_up(self, upto: int) -> None:
        done, not_before = await self._published()
        if done >= upto:
            self.position = max(upto, self.position)
            return
        offset, place = self._follower.checkpoint(self._partition, done)
        reader = JournalReader(place)
        tp = TopicPartition(self._follower.topic, self._partition)
        tail = await self._log.tail({tp: offset}, wait_ms=50)
        try:
            while reader.place.seq < upto:
                for records in (await tail.getmany(timeout_ms=200, max_records=_BATCH)).values():
                    batch = []
                    for record in records:
                        if reader.see(record.value) is not Verdict.VALID or not done < reader.place.seq <= upto:
                            continue
                        entry = reader.record.entry
                        if entry.now >= not_before:
                            batch.append(EntryRead(self._partition, entry, record.offset))
                    await self._publish(batch)
        finally:
            await tail.close()
        self.position = max(upto, self.position)

    async def _published(self) -> tuple[int, int]:
        """The last entry with published events, and the time before which unpublished ones are too old to publish."""
        tp = TopicPartition(topics.events(self._service), self._partition)
        begin, end = (await self._log.begin_offsets([tp]))[tp], (await self._log.end_offsets([tp]))[tp]
        if begin == end:
            return 0, 0 if begin == 0 else self._clock() - _KEPT_MS
        for start in (max(begin, end - _LOOK_BACK), begin):
            found = await self._highest(tp, start, end)
            if found is not None:
                return found, 0
        return 0, 0

    async def _highest(self, tp: TopicPartition, start: int, end: int) -> int | None:
        highest: int | None = None
        tail = await self._log.tail({tp: start}, wait_ms=50)
        try:
            while await tail.position(tp) < end:
                for records in (await tail.getmany(timeout_ms=200)).values():
                    for record in records:
                        at = published_position(record, self._partition)
                        if at is not None and (highest is None or at > highest):
                            highest = at
        finally:
            await tail.close()
        return highest

    async def _publish(self, entries: Sequence[EntryRead]) -> None:
        if not entries:
            return
        events: list[NewRecord] = []
        letters: list[NewRecord] = []
        for entry in entries:
            if entry.dead:
                letters.append(dead_letter_record(entry))
            elif entry.record.events:
                events += event_records(self._service, self._site, entry)
        if letters:
            await self._patiently(lambda: self._write(topics.dead_letters(self._service), 0, letters))
        if events:
            await self._patiently(lambda: self._write(topics.events(self._service), self._partition, events))
        self.position = entries[-1].seq

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
            except LogUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("a relay failed", extra={"service": self._service, "partition": self._partition})
                await asyncio.sleep(_RETRY_SECONDS * 4)
