"""The entries of a journal that count, in the order of each partition, from its first record on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal.chain_log import ChainLog
from junctor_journal.log import Log
from junctor_journal.reader import Verdict

from junctor_cli.journal_replay import JournalTruncated


class Taker(Protocol):
    """Gets the valid entries of one partition."""

    def __call__(self, entry: pb.Entry) -> None: ...


T = TypeVar("T", bound=Taker)


class JournalEntries(Generic[T]):
    """`takers` by partition. Where a site epoch's cut voids entries that one took, a new one begins at the first record."""

    def __init__(self, log: Log, service: str, new_taker: Callable[[], T]) -> None:
        self._journals, self._new_taker = ChainLog(log, service), new_taker
        self.takers: dict[int, T] = {}

    async def open(self) -> None:
        """Ended by `close`. Raises `JournalTruncated`, and `LogUnavailable` where Kafka is away."""
        self.takers = {number: self._new_taker() for number in await self._journals.open()}
        for tp, offset in self._journals.begin.items():
            if offset > 0:
                raise JournalTruncated(f"{tp.topic} partition {tp.partition} begins at offset {offset}, not at 0")

    async def read_on(self) -> None:
        """All there is by now."""
        async for partition, reading in self._journals.read_on():
            if reading.verdict is Verdict.VALID:
                self.takers[partition](reading.record.entry)
            elif reading.verdict is Verdict.REWIND:
                self.takers[partition] = self._new_taker()

    async def close(self) -> None:
        await self._journals.close()
