"""Where an owner reads its inputs on, by what the state says was applied last.

An offset means something in one Kafka only: a mirror's copy of a topic has others. Inputs that another site's owner
applied last are found again by their id. Behind the last applied one all are unapplied, as a topic's inputs are applied in
its order; where the id is not there (not mirrored yet, or forgotten), the ids that the state has seen decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.log import Log, Record, TopicPartition
from junctor_journal.partition_state import PartitionState, Position, Source

STEP_BACK_MS = 2_000
"""A record is stamped after its input is made; this much is allowed for a clock that was set back between the two."""


async def resume_offsets(
    log: Log, site: str, sources: Sequence[str], partition: int, state: PartitionState
) -> dict[str, int]:
    """The offset to read each of this site's inputs topics from. Raises `LogUnavailable`."""
    return {topic: await _resume(log, site, topic, partition, state) for topic in sources}


async def _resume(log: Log, site: str, topic: str, partition: int, state: PartitionState) -> int:
    last = last_applied(site, topic, state)
    if last is None:
        return 0
    source, position = last
    if source == (site, topic) or not position.input_id:
        return position.offset + 1 if source == (site, topic) else 0
    tp = TopicPartition(topic, partition)
    start = (await log.offsets_at([tp], position.made_at - STEP_BACK_MS))[tp]
    end = (await log.end_offsets([tp]))[tp]
    if start >= end:
        return start
    tail = await log.tail({tp: start}, wait_ms=20)
    try:
        while await tail.position(tp) < end:
            for records in (await tail.getmany(timeout_ms=100)).values():
                for record in records:
                    if _id(record) == position.input_id:
                        return record.offset + 1
    finally:
        await tail.close()
    return start


def last_applied(site: str, topic: str, state: PartitionState) -> tuple[Source, Position] | None:
    """The last input applied of those that were first written where that topic of this site comes from, by whichever
    site's owner."""
    origin = topics.origin(site, topic)
    found = [(source, position) for source, position in state.sources.items() if topics.origin(*source) == origin]
    return max(found, key=lambda one: one[1].seq, default=None)


def _id(record: Record) -> str:
    try:
        return pb.Input.FromString(record.value or b"").id
    except DecodeError:
        return ""
