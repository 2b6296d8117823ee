"""The ingest on a log, a warehouse and a disk in memory: a crash at any moment loses and doubles nothing."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from junctor_analytics.application.batch import batch_of
from junctor_analytics.application.ingest import Ingest, IngestSettings
from junctor_journal import topics
from junctor_journal.log import NewRecord, TopicDeclaration
from junctor_journal.memory import MemoryLog
from junctor_service.clock import SystemClock
from junctor_service.telemetry import Telemetry

TOPIC = topics.events("cti")


class Crash(BaseException):
    """The process is no more."""


class Bench:
    def __init__(self, warehouse, positions, as_written, floor):
        self.warehouse, self.positions, self._as_written = warehouse, positions, as_written
        self.log = MemoryLog()
        self.day = floor(4, "demo", 10**12)
        self.telemetry = None
        self.topics = [TOPIC, topics.events("omnichannel"), topics.events("router")]

    async def open(self, names=None):
        await self.log.ensure_topics([TopicDeclaration(name, 2) for name in names or self.topics])

    def ingest(self, **limits):
        settings = IngestSettings(**{"flush_every": 0.01, "topics": self.topics, **limits})
        self.telemetry = Telemetry("analytics", SimpleNamespace(site="a", tracing=False, metrics_interval=0))
        return Ingest(self.log, self.warehouse, self.positions, self.telemetry, SystemClock(), settings)

    async def publish(self, contacts):
        first = len(self.day.facts)
        for _ in range(contacts):
            self.day.contact()
        for fact in self.day.facts[first:]:
            await self.log.producer().send_many(
                topics.events(fact.service), hash(fact.contact) % 2, [self._as_written(fact, "demo")]
            )

    def events(self):
        return sorted(row["event_id"] for row in self.warehouse.rows("event_rows"))

    def published(self):
        return sorted(fact.id for fact in self.day.facts)

    def skipped(self):
        found = [p for p in self.telemetry.points() if p.name == "junctor.analytics.skipped_records"]
        return {point.attributes["reason"]: point.value for point in found}


@pytest.fixture
def bench(memory_warehouse, memory_positions, as_written, floor):
    return Bench(memory_warehouse(), memory_positions(), as_written, floor)


async def until(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def stop(ingest):
    await ingest.stop(time.monotonic() + 2)


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("moment", ["before_insert", "after_insert", "before_finish"])
async def test_a_crash_at_any_insert(bench, at, moment):
    await bench.open()
    await bench.publish(6)
    left = at

    def crash(*_):
        nonlocal left
        left -= 1
        if left == -1:
            raise Crash

    victim = bench.positions if moment == "before_finish" else bench.warehouse
    setattr(victim, moment, crash)
    ingest = bench.ingest(batch_records=3)
    with pytest.raises(Crash):
        await ingest._run()
    setattr(victim, moment, lambda *_: None)
    ingest = bench.ingest(batch_records=11)
    await ingest.start()
    await until(lambda: bench.events() == bench.published() and bench.positions.begun is None)
    await stop(ingest)
    assert bench.events() == bench.published()


async def test_an_absent_warehouse_stops_reading_and_is_told(bench):
    await bench.open()
    bench.warehouse.away = True
    ingest = bench.ingest(batch_records=5)
    await ingest.start()
    await bench.publish(5)
    await until(lambda: bench.positions.begun is not None)
    assert not ingest.ready
    assert bench.positions.next == {}
    bench.warehouse.away = False
    await until(lambda: bench.events() == bench.published())
    assert ingest.ready
    await stop(ingest)


async def test_the_log_goes_and_comes(bench):
    await bench.open()
    bench.log.down()
    ingest = bench.ingest()
    await ingest.start()
    assert not ingest.ready
    bench.log.up()
    await bench.publish(2)
    await until(lambda: bench.events() == bench.published())
    bench.log.down()
    bench.log.up()
    await bench.publish(2)
    await until(lambda: bench.events() == bench.published())
    await stop(ingest)


async def test_a_row_that_is_refused_is_found_and_left_out(bench, monkeypatch):
    await bench.open()
    await bench.publish(4)
    spoiled = bench.day.facts[5].id
    insert = type(bench.warehouse).insert

    async def strict(self, table, rows, token):
        bad = [
            {**row, "time": "x"} if row.get("event_id") == spoiled and table == "event_rows" else row for row in rows
        ]
        await insert(self, table, bad, token)

    monkeypatch.setattr(type(bench.warehouse), "insert", strict)
    ingest = bench.ingest()
    await ingest.start()
    await until(lambda: bench.events() == sorted(set(bench.published()) - {spoiled}))
    assert bench.skipped() == {"refused": 1}
    await stop(ingest)


async def test_a_topic_that_comes_later_is_read(bench, monkeypatch):
    monkeypatch.setattr("junctor_analytics.application.ingest._LOOK_FOR_TOPICS_EVERY", 0.02)
    await bench.open([topics.events("router")])
    ingest = bench.ingest()
    await ingest.start()
    await until(lambda: ingest.ready)
    await bench.open()
    await bench.publish(3)
    await until(lambda: bench.events() == bench.published())
    await stop(ingest)


async def test_records_of_a_begun_batch_that_are_gone_do_not_stop_it(bench):
    await bench.open()
    await bench.publish(3)
    records = [record for partition in range(2) for record in bench.log.records(TOPIC, partition)]
    batch, _ = batch_of([record._replace(timestamp=record.timestamp - 1) for record in records])
    bench.positions.begun = batch
    bench.positions.next = {part.tp: 10**6 for part in batch.ranges}
    ingest = bench.ingest()
    await ingest.start()
    await until(lambda: bench.events() == bench.published())
    await stop(ingest)


async def test_a_batch_is_named_by_its_ranges(bench, as_read):
    await bench.publish(0)
    bench.day.contact()
    records = [as_read(fact, "demo", offset) for offset, fact in enumerate(bench.day.facts)]
    batch, ordered = batch_of(records)
    assert batch_of(reversed(records)) == (batch, ordered)
    assert batch_of(records[:-1])[0].token != batch.token
    later = [record._replace(timestamp=record.timestamp + 1) for record in records]
    assert batch_of(later)[0].token != batch.token


async def test_each_event_tells_how_late_its_row_was(bench):
    await bench.open()
    ingest = bench.ingest()
    await ingest.start()
    await bench.publish(2)
    await bench.log.producer().send_many(TOPIC, 0, [NewRecord(b"k", b"?")])
    await until(lambda: bench.skipped() == {"not_an_event": 1} and bench.events() == bench.published())
    await stop(ingest)
