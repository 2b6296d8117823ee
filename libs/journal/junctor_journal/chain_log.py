"""A service's journals read from their first records on, as far as they go: for programs that look at what was decided."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from junctor_journal import topics
from junctor_journal.chain_reader import ChainReader, Reading
from junctor_journal.log import Log, Tail, TopicPartition
from junctor_journal.reader import Verdict

_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class ChainCounts:
    """Of all journals of one partition: records that do not count, entries written again, gaps, reigns."""

    void: int
    repeats: int
    gaps: int
    claims: int


class ChainLog:
    """Ended by `close`. What counts is told when all journals are read to where they ended when `read_on` was called."""

    def __init__(self, log: Log, service: str) -> None:
        self.begin: Mapping[TopicPartition, int] = {}
        """Where the journals begin; entries before that were deleted."""
        self._log = log
        self._service = service
        self._topics: list[str] = []
        self._chains: dict[int, ChainReader] = {}
        self._tail: Tail | None = None

    async def open(self, partitions: Iterable[int] | None = None) -> list[int]:
        """All partitions, or those. Gives their numbers. Raises `LogUnavailable`."""
        self._topics = topics.led(self._service, await self._log.topics())
        count = await self._log.partitions(topics.journal(self._service))
        numbers = list(range(count) if partitions is None else partitions)
        places = [TopicPartition(topic, number) for topic in self._topics for number in numbers]
        self.begin = await self._log.begin_offsets(places)
        for number in numbers:
            self._chains[number] = ChainReader(self._topics, begin=self._begin_of(number))
        if places:
            self._tail = await self._log.tail(dict(self.begin), wait_ms=50)
        return numbers

    async def read_on(self) -> AsyncIterator[tuple[int, Reading]]:
        """All there is by now: (partition, reading). After REWIND the partition is told from its first entry again.

        Raises `LogUnavailable`."""
        tail = self._tail
        if tail is None:
            return
        ends = await self._log.end_offsets(self.begin)
        if len(self._topics) > 1:
            for chain in self._chains.values():
                chain.hold(_NEVER)
            async for one in self._read(tail, ends):
                yield one
            for number, chain in list(self._chains.items()):
                for reading in chain.release():
                    yield number, reading
                    if reading.verdict is Verdict.REWIND:
                        self._again(tail, number)
        async for one in self._read(tail, ends):
            yield one

    async def close(self) -> None:
        if self._tail is not None:
            await self._tail.close()

    def counts(self, partition: int) -> ChainCounts:
        chain = self._chains[partition]
        readers = chain.readers().values()
        return ChainCounts(
            chain.void + sum(reader.void for reader in readers),
            sum(reader.repeats for reader in readers),
            sum(reader.gaps for reader in readers),
            sum(reader.claims for reader in readers),
        )

    async def _read(self, tail: Tail, ends: Mapping[TopicPartition, int]) -> AsyncIterator[tuple[int, Reading]]:
        while True:
            for number, chain in self._chains.items():
                for topic, offset in chain.seeks().items():
                    tail.seek(TopicPartition(topic, number), offset)
            if all(self._chains[tp.partition].next_offset(tp.topic) >= end for tp, end in ends.items()):
                return
            for tp, records in (await tail.getmany(timeout_ms=200)).items():
                for record in records:
                    for reading in self._chains[tp.partition].see(tp.topic, record.value, record.offset):
                        yield tp.partition, reading

    def _again(self, tail: Tail, partition: int) -> None:
        begin = self._begin_of(partition)
        self._chains[partition] = self._chains[partition].rebuilt(None, begin)
        for topic, offset in begin.items():
            tail.seek(TopicPartition(topic, partition), offset)

    def _begin_of(self, partition: int) -> dict[str, int]:
        return {topic: self.begin[TopicPartition(topic, partition)] for topic in self._topics}
