"""A journal applied once more from its beginning, and what differs from what it says."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.errors import JournalError
from junctor_journal.log import Log, Record, TopicPartition
from junctor_journal.partition_state import PartitionState
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict
from junctor_journal.record import type_of

FOLDS = {
    "router": "junctor_router.application.pools:PoolsFold",
    "cti": "junctor_cti.application.calls:new_fold",
    "ivr": "junctor_ivr.application.mapping:new_fold",
    "recording": "junctor_recording.application.mapping:new_fold",
    "omnichannel": "junctor_omnichannel.application.mapping:new_fold",
    "directory": "junctor_directory.application.fold:DirectoryFold",
}


class JournalTruncated(JournalError):
    """The journal no longer has its first records, so it cannot be applied from the beginning. A retry does not help."""

    code = "FAILED_PRECONDITION"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first entry whose replay is not what the journal says. `what`: of outcome, events, state hash, not applied."""

    partition: int
    seq: int
    offset: int
    input_type: str
    input_id: str
    what: tuple[str, ...]


@dataclass(slots=True)
class Replayed:
    """What one partition holds. `void` counts records that do not count, `repeated` entries that were written twice."""

    partition: int
    valid: int = 0
    void: int = 0
    repeated: int = 0
    reigns: int = 0
    gaps: int = 0
    dead: int = 0
    refused: int = 0
    hashes: int = 0
    state_hash: str = ""
    difference: Difference | None = None


@dataclass(slots=True)
class _Run:
    """One pass over a partition; another one follows where a site epoch's cut voids what this one took."""

    partition: int
    state: PartitionState
    reader: JournalReader = field(default_factory=JournalReader)
    found: Replayed = field(init=False)

    def __post_init__(self) -> None:
        self.found = Replayed(self.partition)

    def see(self, record: Record) -> Verdict:
        """Counts a record, and applies it if it is a valid entry."""
        verdict = self.reader.see(record.value)
        if verdict is Verdict.VALID:
            self._apply(self.reader.record.entry, record)
        self.found.void, self.found.repeated = self.reader.void, self.reader.repeats
        self.found.reigns, self.found.gaps = self.reader.claims, self.reader.gaps
        return verdict

    def _apply(self, entry: pb.Entry, record: Record) -> None:
        found = self.found
        found.valid += 1
        found.dead += entry.HasField("dead")
        found.refused += entry.outcome.HasField("refusal")
        found.hashes += bool(entry.state_hash)
        differing = self.state.replay(entry, record.value or b"")
        if differing and found.difference is None:
            found.difference = Difference(
                self.partition,
                entry.seq,
                record.offset,
                type_of(entry.input.body),
                entry.input.id,
                tuple(differing),
            )


def fold_of(service: str) -> Callable[[], Fold]:
    """What makes an empty fold of the service's partitions."""
    module, _, name = FOLDS[service].partition(":")
    found: Callable[[], Fold] = getattr(importlib.import_module(module), name)
    return found


async def replay(log: Log, service: str, partition: int, new_fold: Callable[[], Fold]) -> Replayed:
    """Applies the partition's journal from its first record to its present end, stopping at the first difference.

    Raises `JournalTruncated`, and `LogUnavailable` where Kafka is away.
    """
    tp = TopicPartition(topics.journal(service), partition)
    begin, end = (await log.begin_offsets([tp]))[tp], (await log.end_offsets([tp]))[tp]
    if begin > 0:
        raise JournalTruncated(f"{tp.topic} partition {partition} begins at offset {begin}, not at its beginning")
    run = _Run(partition, PartitionState(service, new_fold()))
    if end == 0:
        return run.found
    tail = await log.tail({tp: 0}, wait_ms=50)
    try:
        while await tail.position(tp) < end and run.found.difference is None:
            for records in (await tail.getmany(timeout_ms=200)).values():
                if _see_all(run, records, end) is Verdict.REWIND:
                    cuts = ReaderPlace(cuts=run.reader.place.cuts)
                    run = _Run(partition, PartitionState(service, new_fold()), JournalReader(cuts))
                    tail.seek(tp, 0)
    finally:
        await tail.close()
    run.found.state_hash = run.state.state_hash().hex()
    return run.found


def _see_all(run: _Run, records: Sequence[Record], end: int) -> Any:
    for record in records:
        if record.offset >= end or run.found.difference is not None:
            return None
        if run.see(record) is Verdict.REWIND:
            return Verdict.REWIND
    return None
