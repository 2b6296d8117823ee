"""Replicas of a compacted topic and events of others, on both logs."""

import asyncio

import pytest
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.log import TopicDeclaration
from junctor_journal.memory import MemoryLog
from junctor_journal.replica import Replica, StateWriter
from junctor_journal.static_pump import StaticPump
from tally_service import add, declarations, new_ledger


@pytest.fixture(params=["memory", "kafka"])
def log(request):
    return MemoryLog() if request.param == "memory" else request.getfixturevalue("kafka_log")


async def eventually(condition, limit=15.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_replica_holds_the_last_values(log, service_name):
    await log.ensure_topics([TopicDeclaration(service_name, 1, {"cleanup.policy": "compact"})])
    writer = StateWriter(log, service_name)
    for n in range(3):
        await writer.put("t", "queue", f"q/{n}", pb.Input(id=str(n)))
    await writer.put("t", "queue", "q/1", pb.Input(id="new"))
    await writer.delete("t", "queue", "q/2")
    replica = Replica(log, service_name, pb.Input)
    await replica.start()
    assert replica.ready
    assert [(item.id, item.value.id) for item in replica.all("queue", "t")] == [("q/0", "0"), ("q/1", "new")]
    assert replica.get("t", "queue", "q/2") is None
    changes = []
    stop = replica.listen(lambda item, deleted: changes.append((item.tenant, item.id, deleted)))
    await writer.put("u", "queue", "q", pb.Input(id="x"))
    await writer.delete("t", "queue", "q/0")
    await log.producer().send(service_name, b"not a key", b"", partition=0)
    await log.producer().send(service_name, b"t/queue/broken", b"\xff\xff", partition=0)
    await writer.put("t", "plan", "p", pb.Input(id="y"))
    await eventually(lambda: len(changes) == 3)
    assert changes == [("u", "q", False), ("t", "q/0", True), ("t", "p", False)]
    stop()
    await replica.stop()


async def test_a_key_part_may_not_contain_a_slash(log, service_name):
    with pytest.raises(ValueError, match="cannot be a part"):
        await StateWriter(log, service_name).put("a/b", "queue", "q", pb.Input())


async def test_events_are_read_on_from_kept_positions(log, service_name):
    await log.ensure_topics(declarations(service_name, 2))
    ledger = new_ledger(log, service_name, pump=StaticPump(range(2)))
    await ledger.start()
    await ledger.wait_ready()
    await ledger.command(add("1"), deadline=20)
    topic = topics.events(service_name)
    await log.producer().send(topic, b"k", b"no event", partition=0)
    reader = EventReader(log, [topic], "earliest")
    await reader.start()
    found = []
    async with asyncio.timeout(10):
        while not found:
            found += await reader.getmany(100)
    positions = reader.positions()
    await reader.stop()
    (event,) = found
    assert (event.tenant, event.stream, event.source, event.causation_id) == ("t", "s", f"/junctor/{service_name}", "1")
    assert event.sequence == 1
    await ledger.command(add("2"), deadline=20)
    later = EventReader(log, [topic], positions)
    await later.start()
    found = []
    async with asyncio.timeout(10):
        while not found:
            found += await later.getmany(100)
    assert [event.causation_id for event in found] == ["2"]
    await later.stop()
    await ledger.stop(2)
