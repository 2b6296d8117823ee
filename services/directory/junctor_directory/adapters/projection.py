"""Keeps the read model up to the journal: a component that reads every partition with a reader of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from junctor.directory.v1 import directory_pb2 as pb
from junctor_journal import topics
from junctor_journal.chain_place import decode_place, encode_place
from junctor_journal.chain_reader import ChainReader, Reading
from junctor_journal.errors import DeadlineExceeded, JournalError, LogUnavailable
from junctor_journal.log import Log, Tail, TopicPartition
from junctor_journal.message_types import unpack_or_none
from junctor_journal.reader import Verdict
from sqlalchemy.exc import SQLAlchemyError

from junctor_directory.adapters.read_model import Overtaken, ReadModel

log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5
_JOURNAL = topics.journal("directory")


class Rewind(Exception):
    """Entries that were taken do not count after all: the model is built again."""


class Projection:
    name = "read model"

    def __init__(self, log: Log, model: ReadModel) -> None:
        self._log = log
        self._model = model
        self._chains: dict[int, ChainReader] = {}
        self._written: dict[int, bytes] = {}
        self._seqs: dict[int, int] = {}
        self._moved = asyncio.Condition()
        self._caught_up = False
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """It has reached the end that the journal had at the start, and still runs."""
        return self._caught_up and self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Raises where the database cannot be opened. Reading goes on in the background."""
        try:
            await asyncio.to_thread(self._model.open)
        except SQLAlchemyError as error:
            raise RuntimeError(f"The directory's database cannot be opened: {error}") from error
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await asyncio.to_thread(self._model.close)

    async def reached(self, partition: int, seq: int, seconds: float) -> None:
        """Returns once the rows hold that entry. Raises `DeadlineExceeded` (a retry helps)."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self._seq(partition) >= seq)
        except TimeoutError as error:
            raise DeadlineExceeded("The lists are behind the journal.") from error

    def _seq(self, partition: int) -> int:
        return self._seqs.get(partition, 0)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Rewind:
                log.error("the read model is built again")
                await asyncio.to_thread(self._model.forget)
            except Overtaken:
                log.info("another process writes the read model")
            except (JournalError, SQLAlchemyError) as error:
                log.warning("the read model waits", extra={"error": repr(error)})
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("the read model failed")
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        count = await self._log.partitions(_JOURNAL)
        if count == 0:
            raise LogUnavailable(f"there is no topic {_JOURNAL}")
        names = topics.led("directory", await self._log.topics())
        tps = [TopicPartition(name, number) for name in names for number in range(count)]
        begin, end = await self._log.begin_offsets(tps), await self._log.end_offsets(tps)
        self._written = await asyncio.to_thread(self._model.places)
        for number in range(count):
            place = decode_place(self._written[number]) if number in self._written else None
            starts = {name: begin[TopicPartition(name, number)] for name in names}
            self._chains[number] = ChainReader(names, place, starts, held=len(names) > 1)
            self._seqs[number] = self._chains[number].seq
        async with self._moved:
            self._moved.notify_all()
        tail = await self._log.tail({tp: self._chains[tp.partition].next_offset(tp.topic) for tp in tps})
        try:
            await self._read(tail, end)
        finally:
            await asyncio.shield(tail.close())

    async def _read(self, tail: Tail, end: dict[TopicPartition, int]) -> None:
        """With two sites' journals nothing counts before both are read to their ends: a later site epoch may void it."""
        reached = False
        while True:
            if not reached and all(self._chains[tp.partition].next_offset(tp.topic) >= end[tp] for tp in end):
                reached = True
                for number, chain in self._chains.items():
                    await self._take(number, chain.release())
                self._caught_up = True
            for number, chain in self._chains.items():
                for topic, offset in chain.seeks().items():
                    tail.seek(TopicPartition(topic, number), offset)
            for tp, records in (await tail.getmany(timeout_ms=500, max_records=500)).items():
                chain = self._chains[tp.partition]
                readings = [reading for r in records for reading in chain.see(tp.topic, r.value, r.offset)]
                await self._take(tp.partition, readings)

    async def _take(self, partition: int, readings: Sequence[Reading]) -> None:
        applied: list[pb.ConfigurationApplied] = []
        for reading in readings:
            if reading.verdict is Verdict.REWIND:
                raise Rewind
            if reading.verdict is Verdict.VALID:
                messages = (unpack_or_none(packed) for packed in reading.record.entry.events)
                applied += [message for message in messages if isinstance(message, pb.ConfigurationApplied)]
        chain = self._chains[partition]
        seq, place = chain.seq, encode_place(chain.place())
        was = self._written.get(partition, b"")
        if place != was:
            await asyncio.to_thread(self._model.write, partition, was, place, applied)
        async with self._moved:
            self._written[partition], self._seqs[partition] = place, seq
            self._moved.notify_all()
