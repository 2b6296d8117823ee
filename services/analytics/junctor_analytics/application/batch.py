"""A batch: a fixed set of ranges of the log, and the rows that they give.

A batch is named by its ranges. Whoever reads them again gets the same rows under the same name, so that ClickHouse knows
an insert that it has seen (`insert_deduplication_token`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from junctor_journal.log import Record, TopicPartition


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Offsets `first` to `last`, both included, of one partition.

    `time` is the first record's timestamp: offsets alone would name other records after the topic was made anew.
    """

    topic: str
    partition: int
    first: int
    last: int
    time: int

    @property
    def tp(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Batch:
    """Ranges, at most one of each partition, in order."""

    ranges: tuple[Range, ...]

    @property
    def token(self) -> str:
        """The batch's name: equal for equal ranges only."""
        text = json.dumps([[r.topic, r.partition, r.first, r.last, r.time] for r in self.ranges])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def batch_of(records: Iterable[Record]) -> tuple[Batch, list[Record]]:
    """The batch of records that were read, and the records in the batch's order: by topic, partition, offset."""
    ordered = sorted(records, key=lambda record: record[:3])
    ranges: dict[TopicPartition, Range] = {}
    for record in ordered:
        tp = TopicPartition(record.topic, record.partition)
        known = ranges.get(tp)
        first, time = (record.offset, record.timestamp) if known is None else (known.first, known.time)
        ranges[tp] = Range(record.topic, record.partition, first, record.offset, time)
    return Batch(tuple(ranges.values())), ordered


def same_records(batch: Batch, records: Sequence[Record]) -> bool:
    """Whether records read again are those of the batch, as far as its name can tell."""
    return batch_of(records)[0] == batch
