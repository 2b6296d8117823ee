"""Two real brokers and MirrorMaker between them: order, nothing left out, repeats after kills, committed records only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord, Record, TopicDeclaration, TopicPartition
from junctor_local import places
from junctor_local.kafka import KafkaServer
from junctor_local.mirror import Mirror, copies_of, copy_name

JOURNAL, INPUTS, OWN = "junctor.t.journal.v1", "junctor.t.inputs.v1", "junctor.t.snapshots.v1"
DECLARED = [TopicDeclaration(name, 3, {"retention.ms": "604800000"}) for name in (JOURNAL, INPUTS)]
LIMIT = 90.0


@dataclass
class Sites:
    """Site a, whose topics are mirrored, and site b, where they are read."""

    kafka_a: KafkaServer
    kafka_b: KafkaServer
    mirror: Mirror
    log_a: KafkaLog
    log_b: KafkaLog

    async def write(self, topic: str, partition: int, values: range) -> None:
        records = [NewRecord(b"demo/x", str(value).encode()) for value in values]
        await self.log_a.producer().send_many(topic, partition, records)

    async def mirrored(self, topic: str, partition: int, last: int) -> list[Record]:
        """All records of the copy up to the first with the value `last`."""
        tp = TopicPartition(copy_name("a", topic), partition)
        tail = await self.log_b.tail({tp: 0})
        found: list[Record] = []
        deadline = time.monotonic() + LIMIT
        while not found or found[-1].value != str(last).encode():
            assert time.monotonic() < deadline, (
                f"{last} did not come; the last was {found[-1:]}. {self.mirror.child.tail()}"
            )
            for record in (await tail.getmany(200)).get(tp, []):
                found.append(record)
                if record.value == str(last).encode():
                    break
        await tail.close()
        return found


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[Sites]:
    async with KafkaServer(tmp_path / "a") as a, KafkaServer(tmp_path / "b") as b:
        logs = [KafkaLog(kafka.bootstrap, client_id="test") for kafka in (a, b)]
        for log in logs:
            await log.start()
        await logs[0].ensure_topics([*DECLARED, TopicDeclaration(OWN, 1, {})])
        await logs[1].ensure_topics(copies_of("a", DECLARED))
        names = [declaration.name for declaration in DECLARED]
        async with Mirror(
            tmp_path / "mirror", source=("a", a.bootstrap), target=("b", b.bootstrap), topics=names
        ) as mirror:
            yield Sites(a, b, mirror, *logs)
        for log in logs:
            await log.stop()


def in_order_without_gaps(found: list[Record], count: int) -> int:
    """Each record is the next or a repeat; gives the number of repeats."""
    seen = repeats = 0
    for record in found:
        value = int(record.value or b"-1")
        assert value <= seen, f"{value} came when {seen} was next"
        repeats += value < seen
        seen = max(seen, value + 1)
    assert seen == count
    return repeats


async def test_a_mirror_keeps_order_and_leaves_nothing_out_whoever_is_killed(
    sites: Sites, record_property: Callable[[str, object], None]
) -> None:
    await _committed_and_asked_for_only(sites)
    await asyncio.gather(*(sites.write(JOURNAL, p, range(1000)) for p in range(3)))
    await sites.mirrored(JOURNAL, 2, 999)
    # The mirror dies with records on their way, the source while they are written, and each comes back.
    writing = asyncio.create_task(sites.write(JOURNAL, 0, range(1000, 3000)))
    await sites.mirror.kill()
    await writing
    await sites.mirror.start()
    await sites.mirrored(JOURNAL, 0, 2999)
    await sites.kafka_a.kill()
    await sites.kafka_a.start()
    await sites.write(JOURNAL, 0, range(3000, 4000))
    found = await sites.mirrored(JOURNAL, 0, 3999)
    record_property("repeats", in_order_without_gaps(found, 4000))
    assert {record.key for record in found} == {b"demo/x"}


async def _committed_and_asked_for_only(sites: Sites) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=sites.kafka_a.bootstrap, transactional_id="t")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(INPUTS, b"aborted", partition=1)
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send_and_wait(INPUTS, b"7", partition=1)
    await producer.stop()
    found = await sites.mirrored(INPUTS, 1, 7)
    assert [record.value for record in found] == [b"7"]
    await sites.log_a.producer().send(OWN, b"k", b"1", partition=0)
    await sites.write(INPUTS, 0, range(1))
    await sites.mirrored(INPUTS, 0, 0)
    assert await sites.log_b.partitions(copy_name("a", OWN)) == 0


def test_what_two_sites_lead_and_what_edges_tell_is_mirrored() -> None:
    names = {declaration.name for declaration in topics.mirrored(places.repository() / "topics.yaml")}
    assert "junctor.directory.state.v1" in names
    assert {f"junctor.{s}.{t}.v1" for s in topics.LED for t in ("journal", "inputs")} <= names
    assert {topics.events(s) for s in topics.EDGES} <= names
    assert not [name for name in names if name.endswith((".snapshots.v1", ".dlq.v1")) or "audit" in name]
