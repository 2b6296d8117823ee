"""A journal applied once more from its beginning, and what differs from what it says."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from junctor_journal.apply import Fold
from junctor_journal.chain_log import ChainLog
from junctor_journal.chain_reader import Reading
from junctor_journal.errors import JournalError
from junctor_journal.log import Log
from junctor_journal.partition_state import PartitionState
from junctor_journal.reader import Verdict
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
    found: Replayed = field(init=False)

    def __post_init__(self) -> None:
        self.found = Replayed(self.partition)

    def see(self, reading: Reading) -> None:
        """Counts a record, and applies it if it is an entry or begins a site epoch."""
        if reading.verdict is Verdict.VALID:
            entry = reading.record.entry
            found = self.found
            found.valid += 1
            found.dead += entry.HasField("dead")
            found.refused += entry.outcome.HasField("refusal")
            found.hashes += bool(entry.state_hash)
            differing = self.state.replay(entry, reading.value)
            self._compare(differing, entry.seq, reading.offset, type_of(entry.input.body), entry.input.id)
        elif reading.verdict is Verdict.EPOCH:
            started = reading.record.epoch_started
            differing = self.state.begin(started)
            self._compare(differing, started.cut_seq, reading.offset, started.DESCRIPTOR.full_name, "")

    def _compare(self, differing: Sequence[str], seq: int, offset: int, input_type: str, input_id: str) -> None:
        if differing and self.found.difference is None:
            self.found.difference = Difference(self.partition, seq, offset, input_type, input_id, tuple(differing))


def fold_of(service: str) -> Callable[[], Fold]:
    """What makes an empty fold of the service's partitions."""
    module, _, name = FOLDS[service].partition(":")
    found: Callable[[], Fold] = getattr(importlib.import_module(module), name)
    return found


async def replay(log: Log, service: str, partition: int, new_fold: Callable[[], Fold]) -> Replayed:
    """Applies the partition's journal from its first record to its present end, stopping at the first difference.

    Raises `JournalTruncated`, and `LogUnavailable` where Kafka is away.
    """
    journals = ChainLog(log, service)
    run = _Run(partition, PartitionState(service, new_fold()))
    try:
        await journals.open([partition])
        for tp, begin in journals.begin.items():
            if begin > 0:
                raise JournalTruncated(
                    f"{tp.topic} partition {partition} begins at offset {begin}, not at its beginning"
                )
        async for _, reading in journals.read_on():
            if reading.verdict is Verdict.REWIND:
                run = _Run(partition, PartitionState(service, new_fold()))
            else:
                run.see(reading)
            if run.found.difference is not None:
                break
    finally:
        await journals.close()
    counts = journals.counts(partition)
    run.found.void, run.found.repeated = counts.void, counts.repeats
    run.found.reigns, run.found.gaps = counts.claims, counts.gaps
    run.found.state_hash = run.state.state_hash().hex()
    return run.found
