"""The entries of a journal partition that count, in order, from its first record to its present end."""

from __future__ import annotations

from collections.abc import Callable

from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.log import Log, TopicPartition
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict

from junctor_cli.journal_replay import JournalTruncated

Taker = Callable[[pb.Entry], None]


async def read_entries(log: Log, service: str, partition: int, new_taker: Callable[[], Taker]) -> None:
    """Gives each valid entry to the taker. Where a site epoch's cut voids entries that were taken, a new taker begins at
    the first record again. Raises `JournalTruncated`, and `LogUnavailable` where Kafka is away."""
    tp = TopicPartition(topics.journal(service), partition)
    begin, end = (await log.begin_offsets([tp]))[tp], (await log.end_offsets([tp]))[tp]
    if begin > 0:
        raise JournalTruncated(f"{tp.topic} partition {partition} begins at offset {begin}, not at its beginning")
    taker, reader = new_taker(), JournalReader()
    if end == 0:
        return
    tail = await log.tail({tp: 0}, wait_ms=50)
    try:
        while await tail.position(tp) < end:
            for records in (await tail.getmany(timeout_ms=200)).values():
                for record in records:
                    if record.offset >= end:
                        return
                    verdict = reader.see(record.value)
                    if verdict is Verdict.VALID:
                        taker(reader.record.entry)
                    elif verdict is Verdict.REWIND:
                        taker, reader = new_taker(), JournalReader(ReaderPlace(cuts=reader.place.cuts))
                        tail.seek(tp, 0)
                        break
    finally:
        await tail.close()
