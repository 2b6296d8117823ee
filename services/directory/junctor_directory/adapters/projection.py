"""Keeps the read model up to the journal: a component that reads every partition with a reader of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from copy import deepcopy

from junctor.directory.v1 import directory_pb2 as pb
from junctor_journal import topics
from junctor_journal.errors import DeadlineExceeded, JournalError, LogUnavailable
from junctor_journal.log import Log, Record, Tail, TopicPartition
from junctor_journal.message_types import unpack_or_none
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict
from sqlalchemy.exc import SQLAlchemyError

from junctor_directory.adapters.read_model import Overtaken, ReadModel

log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5
_JOURNAL = topics.journal("directory")


class Projection:
    name = "read model"

    def __init__(self, log: Log, model: ReadModel) -> None:
        self._log = log
        self._model = model
        self._places: dict[int, tuple[int, ReaderPlace]] = {}
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
        return self._places[partition][1].seq if partition in self._places else 0

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
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
        partitions = [TopicPartition(_JOURNAL, number) for number in range(count)]
        begin, end = await self._log.begin_offsets(partitions), await self._log.end_offsets(partitions)
        self._places = await asyncio.to_thread(self._model.places)
        async with self._moved:
            self._moved.notify_all()
        positions = {tp: self._places[tp.partition][0] if tp.partition in self._places else begin[tp] for tp in begin}
        tail = await self._log.tail(positions)
        try:
            await self._read(tail, end)
        finally:
            await asyncio.shield(tail.close())

    async def _read(self, tail: Tail, end: dict[TopicPartition, int]) -> None:
        while True:
            if not self._caught_up and all([await tail.position(tp) >= end[tp] for tp in end]):
                self._caught_up = True
            for tp, records in (await tail.getmany(timeout_ms=500, max_records=500)).items():
                await self._take(tp.partition, records)

    async def _take(self, partition: int, records: Sequence[Record]) -> None:
        was, place = self._places.get(partition, (0, ReaderPlace()))
        reader = JournalReader(deepcopy(place))
        applied: list[pb.ConfigurationApplied] = []
        for record in records:
            verdict = reader.see(record.value)
            if verdict is Verdict.VALID:
                messages = (unpack_or_none(packed) for packed in reader.record.entry.events)
                applied += [message for message in messages if isinstance(message, pb.ConfigurationApplied)]
        following = records[-1].offset + 1
        await asyncio.to_thread(self._model.write, partition, was, following, reader.place, applied)
        async with self._moved:
            self._places[partition] = (following, reader.place)
            self._moved.notify_all()
