"""Reads the log and inserts its rows, each once.

One batch after the other: read, write the batch's limits to disk, insert under the batch's name, write the position to
disk. A crash anywhere in between leaves a batch that was begun; the next start reads the same ranges again and inserts
them under the same name, of which ClickHouse takes what it has not seen. While ClickHouse is away nothing more is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Log, Record, Tail, TopicPartition
from junctor_service.clock import SystemClock
from junctor_service.drain import remaining
from junctor_service.telemetry import Telemetry
from junctor_service.trace_context import contact_ids, contact_traceparent

from junctor_analytics.application import tables
from junctor_analytics.application.batch import Batch, Range, batch_of, same_records
from junctor_analytics.application.decoding import TOPICS, Decoded, decode
from junctor_analytics.application.ports import Positions, RowsRefused, Warehouse, WarehouseAway

log = logging.getLogger(__name__)

_READ_AT_ONCE = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0
_LOOK_FOR_TOPICS_EVERY = 5.0
_REPLAY_TIMEOUT_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """A batch ends after `flush_every` seconds, `batch_records` records or `batch_bytes` bytes, whatever comes first."""

    flush_every: float = 0.5
    batch_records: int = 5_000
    batch_bytes: int = 8_000_000
    topics: Sequence[str] = TOPICS


class Ingest:
    """A component. Ready while it reads and ClickHouse takes what it reads."""

    name = "ingest"

    def __init__(
        self,
        log: Log,
        warehouse: Warehouse,
        positions: Positions,
        telemetry: Telemetry,
        clock: SystemClock,
        settings: IngestSettings | None = None,
    ) -> None:
        self._log = log
        self._warehouse = warehouse
        self._positions = positions
        self._telemetry = telemetry
        self._clock = clock
        self._settings = settings or IngestSettings()
        self._next: dict[TopicPartition, int] = {}
        self._reading = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._delay = telemetry.histogram("junctor.analytics.insert_delay")
        self._rows = telemetry.counter("junctor.analytics.rows")
        self._skipped = telemetry.counter("junctor.analytics.skipped_records")

    @property
    def ready(self) -> bool:
        return self._reading and self._warehouse.available

    async def start(self) -> None:
        """Returns at once: neither Kafka nor ClickHouse need be there."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="ingest")

    async def stop(self, deadline: float) -> None:
        """Lets the batch under way end; what is not inserted until the deadline is inserted after the next start."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=max(0.0, remaining(deadline) / 2))
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                await self._read()
                pause = _FIRST_PAUSE
            except LogUnavailable as error:
                log.warning("events cannot be read now", extra={"error": str(error)})
            except asyncio.CancelledError as error:
                if self._canceled():
                    raise
                log.warning("a request to Kafka was given up by its client", exc_info=error)
            except Exception:
                log.exception("the ingest failed and begins anew")
            finally:
                self._reading = False
            await self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    @staticmethod
    def _canceled() -> bool:
        """Whether it is this task that is to end. A client may cancel its own future instead, when a broker dies."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def _read(self) -> None:
        """Until topics appear that are not read yet, or the service stops."""
        _, begun = await self._positions.load()
        if begun is not None:
            await self._replay(begun)
        self._next, _ = await self._positions.load()
        wanted = await self._partitions()
        if not wanted:
            raise LogUnavailable("there are no topics of events")
        tail = await self._log.tail(await self._starts(wanted))
        try:
            self._reading = True
            looked = asyncio.get_running_loop().time()
            while not self._stopping.is_set():
                records = await self._collect(tail)
                if records:
                    batch, ordered = batch_of(records)
                    await self._positions.begin(batch)
                    await self._insert(batch, ordered)
                now = asyncio.get_running_loop().time()
                if now - looked > _LOOK_FOR_TOPICS_EVERY:
                    looked = now
                    if await self._has_more_than(wanted):
                        return
        finally:
            await asyncio.shield(tail.close())

    async def _collect(self, tail: Tail) -> list[Record]:
        limits = self._settings
        records: list[Record] = []
        size = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + limits.flush_every
        while len(records) < limits.batch_records and size < limits.batch_bytes and not self._stopping.is_set():
            left = until - loop.time()
            if left <= 0:
                break
            most = min(_READ_AT_ONCE, limits.batch_records - len(records))
            for found in (await tail.getmany(max(1, int(left * 1000)), most)).values():
                records += found
                size += sum(len(record.value or b"") for record in found)
        return records

    async def _replay(self, begun: Batch) -> None:
        """Inserts a batch that a crash left, from the same ranges."""
        log.info("a batch of an earlier run is inserted again", extra={"batch": begun.token})
        records = [record for part in begun.ranges for record in await self._range(part)]
        if same_records(begun, records):
            await self._insert(begun, batch_of(records)[1])
            return
        log.error("records of a begun batch are no longer in the log", extra={"batch": begun.token})
        await self._positions.forget(begun)

    async def _range(self, part: Range) -> list[Record]:
        ends = await self._log.end_offsets([part.tp])
        begins = await self._log.begin_offsets([part.tp])
        if begins[part.tp] > part.first or ends[part.tp] <= part.last:
            return []
        found: list[Record] = []
        tail = await self._log.tail({part.tp: part.first}, wait_ms=50)
        try:
            while await tail.position(part.tp) <= part.last:
                for records in (await tail.getmany(_REPLAY_TIMEOUT_MS, _READ_AT_ONCE)).values():
                    found += [record for record in records if record.offset <= part.last]
        finally:
            await asyncio.shield(tail.close())
        return found

    async def _has_more_than(self, wanted: Sequence[TopicPartition]) -> bool:
        """Whether topics were made since; not while Kafka is away, which the reader gets over by itself."""
        try:
            return self._log.available and bool(set(await self._partitions()) - set(wanted))
        except LogUnavailable:
            return False

    async def _partitions(self) -> list[TopicPartition]:
        return [
            TopicPartition(topic, partition)
            for topic in self._settings.topics
            for partition in range(await self._log.partitions(topic))
        ]

    async def _starts(self, wanted: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where to read on; from the beginning where nothing was read, or what was read is not there any more."""
        begins, ends = await self._log.begin_offsets(wanted), await self._log.end_offsets(wanted)
        starts = {}
        for tp in wanted:
            offset = self._next.get(tp, begins[tp])
            if not begins[tp] <= offset <= ends[tp]:
                where = {"topic": tp.topic, "partition": tp.partition, "offset": offset, "first": begins[tp]}
                log.error("the log does not have what comes next; reading from its beginning", extra=where)
                offset = begins[tp]
            starts[tp] = offset
        return starts

    async def _insert(self, batch: Batch, records: Sequence[Record]) -> None:
        decoded = await decode(records)
        for reason, count in decoded.skipped.items():
            self._skipped.add(count, {"reason": reason})
        with ExitStack() as spans:
            self._open_spans(spans, batch, decoded)
            # Events come last: whoever sees an event sees what it did to contacts, segments and tasks.
            for table, rows in sorted(decoded.tables.items(), key=lambda item: item[0] == tables.EVENTS):
                inserted = await self._insert_surely(table, rows, f"{batch.token}/{table}")
                self._rows.add(inserted, {"table": table})
        now = self._clock.now_ms()
        for time in decoded.event_times:
            self._delay.record(max(0, now - time))
        await self._positions.finish(batch)

    def _open_spans(self, spans: ExitStack, batch: Batch, decoded: Decoded) -> None:
        """In each contact's trace, one for the batch; a batch of spans gives none, so that none begets the next."""
        for contact, events in decoded.contacts.items():
            try:
                contact_ids(contact)
            except ValueError:
                continue
            attributes: dict[str, str | int] = {
                "junctor.contact_id": contact,
                "junctor.batch": batch.token,
                "junctor.events": events,
            }
            parent = contact_traceparent(contact)
            spans.enter_context(self._telemetry.span("analytics.insert", traceparent=parent, attributes=attributes))

    async def _insert_surely(self, table: str, rows: Sequence[Mapping[str, Any]], token: str) -> int:
        """Tries until the rows are in, and gives their number. A refused batch is halved until the bad row is alone."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._warehouse.insert(table, rows, token)
                return len(rows)
            except WarehouseAway as error:
                log.warning(
                    "rows cannot be inserted now", extra={"table": table, "rows": len(rows), "error": str(error)}
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except RowsRefused as error:
                if len(rows) == 1:
                    log.error("a row was refused and is left out", extra={"table": table, "error": str(error)})
                    self._skipped.add(1, {"reason": "refused"})
                    return 0
                middle = len(rows) // 2
                first = await self._insert_surely(table, rows[:middle], f"{token}/0")
                return first + await self._insert_surely(table, rows[middle:], f"{token}/1")

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
