"""What every log adapter does: the one on Kafka and the one in memory."""

import asyncio

import pytest
from junctor_journal.log import NewRecord, TopicDeclaration, TopicPartition
from junctor_journal.memory import MemoryLog


@pytest.fixture(params=["memory", "kafka"])
def log(request):
    return MemoryLog() if request.param == "memory" else request.getfixturevalue("kafka_log")


@pytest.fixture
async def topic(log, service_name):
    await log.ensure_topics([TopicDeclaration(service_name, 3)])
    return service_name


async def read(tail, count, limit=10.0):
    found = []
    async with asyncio.timeout(limit):
        while len(found) < count:
            for records in (await tail.getmany(200)).values():
                found += records
    return found


async def eventually(condition, limit=15.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.02)


async def test_topics_are_created_once(log, topic):
    await log.ensure_topics([TopicDeclaration(topic, 7)])
    assert await log.partitions(topic) == 3
    assert await log.partitions(topic + "-none") == 0


async def test_records_are_read_as_they_were_sent(log, topic):
    offset = await log.producer().send(topic, b"k", b"v", [("h", b"1")], partition=1, timestamp=1_700_000_000_123)
    tail = await log.tail({TopicPartition(topic, 1): 0})
    (record,) = await read(tail, 1)
    await tail.close()
    assert (record.topic, record.partition, record.offset) == (topic, 1, offset)
    assert (record.key, record.value, tuple(record.headers), record.timestamp) == (
        b"k",
        b"v",
        (("h", b"1"),),
        1_700_000_000_123,
    )


async def test_a_key_decides_the_partition_in_the_same_way_everywhere(log, topic):
    from junctor_journal.topics import partition_of_key

    tps = [TopicPartition(topic, p) for p in range(3)]
    keys = [f"tenant/{n}".encode() for n in range(20)]
    await asyncio.gather(*(log.producer().send(topic, key, b"") for key in keys))
    tail = await log.tail(dict.fromkeys(tps, 0))
    for record in await read(tail, 20):
        assert record.partition == partition_of_key(record.key, 3)
    await tail.close()


async def test_a_deletion_is_a_record_without_a_value(log, topic):
    await log.producer().send(topic, b"k", None, partition=0)
    tail = await log.tail({TopicPartition(topic, 0): 0})
    assert (await read(tail, 1))[0].value is None
    await tail.close()


async def test_appends_are_in_order_and_pipelined(log, topic):
    appender = await log.appender(topic, 2)
    written = [await appender.append([NewRecord(b"k", b"%d" % (10 * n + i)) for i in range(10)]) for n in range(20)]
    offsets = [await one for one in written]
    assert offsets == [10 * n for n in range(20)]
    tail = await log.tail({TopicPartition(topic, 2): 0})
    assert [record.value for record in await read(tail, 200)] == [b"%d" % n for n in range(200)]
    await tail.close()
    await appender.close()


async def test_a_large_append_is_split_and_stays_in_order(log, topic):
    appender = await log.appender(topic, 0)
    offset = await (await appender.append([NewRecord(b"k", bytes([n]) * 200_000) for n in range(20)]))
    assert offset == 0
    tail = await log.tail({TopicPartition(topic, 0): 0})
    assert [record.value[0] for record in await read(tail, 20)] == list(range(20))
    await tail.close()
    await appender.close()


async def test_many_are_sent_in_order(log, topic):
    assert await log.producer().send_many(topic, 1, [NewRecord(b"k", b"%d" % n) for n in range(50)]) == 0
    tail = await log.tail({TopicPartition(topic, 1): 40})
    assert [record.value for record in await read(tail, 10)] == [b"%d" % n for n in range(40, 50)]
    await tail.close()


async def test_an_abandoned_appender_writes_no_more(log, topic):
    appender = await log.appender(topic, 0)
    await (await appender.append([NewRecord(b"k", b"1")]))
    await appender.abandon()
    from junctor_journal.errors import LogUnavailable

    with pytest.raises(LogUnavailable):
        await (await appender.append([NewRecord(b"k", b"2")]))
    assert (await log.end_offsets([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)] == 1


async def test_a_tail_seeks_and_pauses(log, topic):
    tp, other = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await log.producer().send_many(topic, 0, [NewRecord(b"k", b"%d" % n) for n in range(5)])
    tail = await log.tail({tp: 5, other: 0}, wait_ms=50)
    assert await tail.getmany(100) == {}
    tail.seek(tp, 3)
    assert [record.value for record in await read(tail, 2)] == [b"3", b"4"]
    assert await tail.position(tp) == 5
    tail.pause(tp)
    tail.seek(tp, 0)
    await log.producer().send(topic, b"k", b"other", partition=1)
    assert [record.value for record in await read(tail, 1)] == [b"other"]
    tail.resume(tp)
    assert [record.offset for record in await read(tail, 5)] == [0, 1, 2, 3, 4]
    await tail.close()


async def test_a_tail_wakes_up_for_a_new_record(log, topic):
    tail = await log.tail({TopicPartition(topic, 0): 0})
    waiting = asyncio.ensure_future(tail.getmany(10_000))
    await asyncio.sleep(0.05)
    await log.producer().send(topic, b"k", b"v", partition=0)
    async with asyncio.timeout(3):
        found = await waiting
    assert [record.value for record in found[TopicPartition(topic, 0)]] == [b"v"]
    await tail.close()


async def test_offsets_are_told(log, topic):
    tps = [TopicPartition(topic, p) for p in range(3)]
    await log.producer().send_many(topic, 1, [NewRecord(b"k", b"v", (), 1_000 * n) for n in range(1, 6)])
    assert await log.begin_offsets(tps) == dict.fromkeys(tps, 0)
    assert await log.end_offsets(tps) == {tps[0]: 0, tps[1]: 5, tps[2]: 0}
    assert await log.offsets_at(tps, 3_000) == {tps[0]: 0, tps[1]: 2, tps[2]: 0}


async def test_group_members_share_the_partitions(log, topic, service_name):
    seen = {"a": set(), "b": set()}

    def listener(name):
        return lambda tps: seen.__setitem__(name, {tp.partition for tp in tps})

    first = await log.group(f"g-{service_name}", [topic], "a", listener("a"), lambda tps: None)
    pump = asyncio.ensure_future(_turn(first))
    await eventually(lambda: seen["a"] == {0, 1, 2})
    second = await log.group(f"g-{service_name}", [topic], "b", listener("b"), lambda tps: None)
    other = asyncio.ensure_future(_turn(second))
    await eventually(lambda: seen["a"] | seen["b"] == {0, 1, 2} and not seen["a"] & seen["b"] and seen["b"])
    for task in (pump, other):
        task.cancel()
    await second.close()
    await first.close()


async def _turn(group):
    while True:
        await group.getmany(100)


async def test_a_members_partitions_are_read_only_after_seek_and_resume(log, topic, service_name):
    await log.producer().send_many(topic, 0, [NewRecord(b"k", b"%d" % n) for n in range(5)])
    assigned = []
    group = await log.group(f"g-{service_name}", [topic], "a:1/x", assigned.extend, lambda tps: None)
    async with asyncio.timeout(15):
        while not assigned:
            assert await group.getmany(100) == {}
    assert await group.getmany(200) == {}
    group.seek(TopicPartition(topic, 0), 3)
    group.resume(TopicPartition(topic, 0))
    assert [record.value for record in await read(group, 2)] == [b"3", b"4"]
    await group.close()


async def test_a_cluster_is_told_from_others_and_tells_its_topics(log, topic):
    assert topic in await log.topics()
    identity = await log.identity()
    assert identity == await log.identity()
    assert identity != await MemoryLog().identity()
