"""The entries of a journal that count, in the order of each partition, from its first record on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.log import Log, Record, Tail, TopicPartition
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict

from junctor_cli.journal_replay import JournalTruncated


class Taker(Protocol):
    """Gets the valid entries of one partition."""

    def __call__(self, entry: pb.Entry) -> None: ...


T = TypeVar("T", bound=Taker)


class JournalEntries(Generic[T]):
    """`takers` by partition. Where a site epoch's cut voids entries that one took, a new one begins at the first record."""

    def __init__(self, log: Log, service: str, new_taker: Callable[[], T]) -> None:
        self._log, self._topic, self._new_taker = log, topics.journal(service), new_taker
        self.takers: dict[int, T] = {}
        self._readers: dict[int, JournalReader] = {}
        self._tail: Tail | None = None

    async def open(self) -> None:
        """Ended by `close`. Raises `JournalTruncated`, and `LogUnavailable` where Kafka is away."""
        places = [TopicPartition(self._topic, number) for number in range(await self._log.partitions(self._topic))]
        for tp, offset in (await self._log.begin_offsets(places)).items():
            if offset > 0:
                raise JournalTruncated(f"{tp.topic} partition {tp.partition} begins at offset {offset}, not at 0")
        self.takers = {tp.partition: self._new_taker() for tp in places}
        self._readers = {tp.partition: JournalReader() for tp in places}
        if places:
            self._tail = await self._log.tail(dict.fromkeys(places, 0), wait_ms=50)

    async def read_on(self) -> None:
        """All there is by now."""
        if self._tail is None:
            return
        ends = await self._log.end_offsets([TopicPartition(self._topic, number) for number in self.takers])
        while any([await self._tail.position(tp) < end for tp, end in ends.items()]):
            for tp, records in (await self._tail.getmany(timeout_ms=200)).items():
                self._take(tp, records)

    async def close(self) -> None:
        if self._tail is not None:
            await self._tail.close()

    def _take(self, tp: TopicPartition, records: list[Record]) -> None:
        for record in records:
            reader = self._readers[tp.partition]
            verdict = reader.see(record.value)
            if verdict is Verdict.VALID:
                self.takers[tp.partition](reader.record.entry)
            elif verdict is Verdict.REWIND:
                self.takers[tp.partition] = self._new_taker()
                self._readers[tp.partition] = JournalReader(ReaderPlace(cuts=reader.place.cuts))
                if self._tail is not None:
                    self._tail.seek(tp, 0)
                return
