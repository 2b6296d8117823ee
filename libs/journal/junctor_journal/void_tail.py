"""What was decided and does not count: the records of a service's journals that are void, each with the reason.

For people (`junctor site tail`), after a site came back. Inputs are never void: one whose decision is void was decided again
by the site that led then, or will be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.lineage import Begun, Lineage
from junctor_journal.log import Log, Record, TopicPartition
from junctor_journal.reader import JournalReader, Verdict, Why
from junctor_journal.record import type_of


@dataclass(frozen=True, slots=True)
class VoidDecision:
    """An entry that does not count. `site`: whose journal it lies in; `offset`: in the topic as it is in this Kafka.
    `decided_again`: the entry that counts for the same input, as (site epoch, sequence); None where there is none (yet)."""

    site: str
    topic: str
    partition: int
    offset: int
    site_epoch: int
    seq: int
    now: int
    tenant: str
    stream: str
    input_id: str
    input_type: str
    events: tuple[str, ...]
    reason: str
    decided_again: tuple[int, int] | None


class _Seen(NamedTuple):
    verdict: Verdict
    offset: int


async def void_decisions(log: Log, service: str, site: str) -> AsyncIterator[VoidDecision]:
    """All void entries of the journals that lie in `site`'s Kafka, by partition; repeats are left out. Reads the journals
    from their beginnings to their present ends. Raises `LogUnavailable`."""
    names = topics.led(service, await log.topics())
    for partition in range(await log.partitions(topics.journal(service))):
        for void in await _of_partition(log, names, site, partition):
            yield void


async def _of_partition(log: Log, names: list[str], site: str, partition: int) -> list[VoidDecision]:
    """Three readings: which site epochs began, what is void by that, and what counts for the same inputs."""
    lineage = Lineage()
    async for topic, reader, _ in _seen(log, names, partition):
        if (
            reader.record.HasField("epoch_started")
            and reader.place.begun == reader.record.epoch_started.epoch.site_epoch
        ):
            lineage.add(Begun(reader.record.epoch_started, topic))
    void: dict[tuple[str, int, int, int], tuple[int, pb.Entry, str]] = {}
    async for topic, reader, seen in _seen(log, names, partition):
        entry = reader.record.entry
        if reader.record.HasField("entry") and (reason := _reason(lineage, reader, seen.verdict)):
            key = (topic, entry.epoch.site_epoch, entry.owner_id, entry.seq)
            void.setdefault(key, (seen.offset, entry, reason))
    wanted = {entry.input.id for _, entry, _ in void.values()}
    counted: dict[str, tuple[int, int]] = {}
    if wanted:
        async for _, reader, seen in _seen(log, names, partition):
            entry = reader.record.entry
            at = (entry.epoch.site_epoch, entry.seq)
            if seen.verdict is Verdict.VALID and lineage.counts(*at) and entry.input.id in wanted:
                counted[entry.input.id] = at
    return [
        _decision(site, key[0], partition, offset, entry, reason, counted.get(entry.input.id))
        for key, (offset, entry, reason) in void.items()
    ]


def _decision(
    site: str,
    topic: str,
    partition: int,
    offset: int,
    entry: pb.Entry,
    reason: str,
    decided_again: tuple[int, int] | None,
) -> VoidDecision:
    return VoidDecision(
        site=topics.origin(site, topic),
        topic=topic,
        partition=partition,
        offset=offset,
        site_epoch=entry.epoch.site_epoch,
        seq=entry.seq,
        now=entry.now,
        tenant=entry.input.tenant,
        stream=entry.input.stream,
        input_id=entry.input.id,
        input_type=type_of(entry.input.body),
        events=tuple(type_of(packed) for packed in entry.events),
        reason=reason,
        decided_again=decided_again,
    )


def _reason(lineage: Lineage, reader: JournalReader, verdict: Verdict) -> str | None:
    """In words; None for an entry that counts, and for a repeat."""
    if verdict is not Verdict.VALID:
        return None if verdict is Verdict.VOID and reader.why is Why.REPEAT else reader.why.value
    epoch, seq = reader.record.entry.epoch.site_epoch, reader.record.entry.seq
    if lineage.counts(epoch, seq):
        return None
    after = lineage.after(epoch)
    if after is not None:
        cut, by = after.started.cut_seq, after.site_epoch
        return f"beyond entry {cut}, where site epoch {by} goes on in site {after.started.site}"
    return f"site epoch {epoch} was passed over by a later one that had not seen it"


async def _seen(log: Log, names: list[str], partition: int) -> AsyncIterator[tuple[str, JournalReader, _Seen]]:
    """Each record of each journal, judged: the reader holds it."""
    for topic in names:
        reader = JournalReader()
        async for record in _records(log, TopicPartition(topic, partition)):
            yield topic, reader, _Seen(reader.see(record.value), record.offset)


async def _records(log: Log, tp: TopicPartition) -> AsyncIterator[Record]:
    begin, end = (await log.begin_offsets([tp]))[tp], (await log.end_offsets([tp]))[tp]
    if begin >= end:
        return
    tail = await log.tail({tp: begin}, wait_ms=20)
    try:
        while await tail.position(tp) < end:
            for records in (await tail.getmany(timeout_ms=100)).values():
                for record in records:
                    if record.offset < end:
                        yield record
    finally:
        await tail.close()
