"""The other site's Kafka, while it answers: a lost site's journal is claimed there, and what the mirror has not brought is
brought (docs/two-sites.md, section 5, step 2).

Records are copied into the mirror's own copy, in order and from a record that lies in it: to readers it is the mirror
that went on, and what the mirror writes again later are repeats.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.log import Log, NewRecord, Record, TopicPartition
from junctor_journal.record import encode

_STEP_BACK_MS = 1_000
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class FarSite:
    """`log` is its Kafka; `near` this site's, in which its topics lie under its name."""

    site: str
    log: Log
    near: Log

    async def claim(self, service: str, partition: int, claim: pb.OwnerStarted) -> int:
        """Appends the claim to the far journal and gives its offset. Raises `LogUnavailable`."""
        topic = topics.journal(service)
        appender = await self.log.appender(topic, partition)
        try:
            record = NewRecord(str(partition).encode(), encode(pb.JournalRecord(owner_started=claim)))
            return await (await appender.append([record]))
        finally:
            await asyncio.shield(appender.abandon())

    async def bring(self, topic: str, partition: int, upto: int | None = None) -> int:
        """Copies what the mirror lacks, up to that offset or the present end; how many records. Raises `LogUnavailable`."""
        far = TopicPartition(topic, partition)
        near = TopicPartition(topics.of_site(self.site, topic), partition)
        end = (await self.log.end_offsets([far]))[far] if upto is None else upto + 1
        last = await self._last(near)
        if last is None:
            start = (await self.log.begin_offsets([far]))[far]
        else:
            start = (await self.log.offsets_at([far], last.timestamp - _STEP_BACK_MS))[far]
        found = await _read(self.log, far, start, end)
        known = 0 if last is None else 1 + next((n for n, r in enumerate(found) if r.value == last.value), -1)
        rest = [NewRecord(r.key, r.value, r.headers, r.timestamp) for r in found[known:]]
        for at in range(0, len(rest), _BATCH):
            await self.near.producer().send_many(near.topic, partition, rest[at : at + _BATCH])
        return len(rest)

    async def _last(self, near: TopicPartition) -> Record | None:
        begin, end = (await self.near.begin_offsets([near]))[near], (await self.near.end_offsets([near]))[near]
        if begin == end:
            return None
        return (await _read(self.near, near, max(begin, end - 1), end))[-1]


async def _read(log: Log, tp: TopicPartition, start: int, end: int) -> list[Record]:
    found: list[Record] = []
    if start >= end:
        return found
    tail = await log.tail({tp: start}, wait_ms=20)
    try:
        while await tail.position(tp) < end:
            for records in (await tail.getmany(timeout_ms=100)).values():
                found += [record for record in records if record.offset < end]
    finally:
        await tail.close()
    return found
