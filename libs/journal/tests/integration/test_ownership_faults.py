"""Owners stopped, killed, and racing, on real Kafka. The judge counts what was lost, doubled and reordered."""

import asyncio
import signal

import pytest
from junctor_journal.static_pump import StaticPump
from scene import Load, Worker, applied, assert_exact, judged, new_log, prepare, written
from tally_service import new_ledger

PARTITIONS = 2


@pytest.fixture
async def workers():
    started = []

    async def start(*arguments, **settings):
        worker = Worker(*arguments, **settings)
        started.append(worker)
        return await worker.start()

    yield start
    for worker in started:
        await worker.kill()


async def test_two_owners_the_first_stopped_in_the_middle_of_its_appends_and_resumed(
    kafka, kafka_log, service_name, workers
):
    await prepare(kafka_log, service_name, PARTITIONS)
    first = await workers(kafka.bootstrap, service_name, PARTITIONS, "one", hold=0.1, reclaim=60)
    load = Load(kafka_log, service_name, PARTITIONS, 200).start()
    await written(kafka_log, service_name, PARTITIONS, 40)
    await asyncio.sleep(0.05)  # half of what the next append is held back
    first.signal(signal.SIGSTOP)
    await workers(kafka.bootstrap, service_name, PARTITIONS, "two", reclaim=60)
    await asyncio.sleep(0.5)
    first.signal(signal.SIGCONT)
    await asyncio.sleep(1.5)
    await load.stop()
    results = await applied(kafka_log, service_name, PARTITIONS)
    assert_exact(results)
    assert sum(verdict.void for verdict, _ in results) > 0, "the stopped owner wrote nothing when it went on"
    assert all(verdict.claims == 2 for verdict, _ in results)


async def test_two_owners_starting_at_once(kafka, kafka_log, service_name):
    await prepare(kafka_log, service_name, PARTITIONS)
    load = Load(kafka_log, service_name, PARTITIONS, 100).start()
    rivals = []
    for name in ("one", "two"):
        log = new_log(kafka, name)
        await log.start()
        rivals.append((log, new_ledger(log, service_name, pump=StaticPump(range(PARTITIONS)), reclaim_after=0.2)))
    await asyncio.gather(*(ledger.start() for _, ledger in rivals))
    await asyncio.sleep(4)
    await load.stop()
    results = await applied(kafka_log, service_name, PARTITIONS)
    for log, ledger in rivals:
        await ledger.stop(1)
        await log.stop()
    assert_exact(await judged(kafka_log, service_name, PARTITIONS))
    assert sum(verdict.claims for verdict, _ in results) >= 2 * PARTITIONS


async def test_owners_killed_in_the_middle_of_a_batch(kafka, kafka_log, service_name, workers):
    await prepare(kafka_log, service_name, PARTITIONS)
    load = Load(kafka_log, service_name, PARTITIONS, 200).start()
    for round in range(3):
        worker = await workers(kafka.bootstrap, service_name, PARTITIONS, f"w{round}", hold=0.02)
        await asyncio.sleep(0.7)
        await worker.kill()
    await load.stop()
    await workers(kafka.bootstrap, service_name, PARTITIONS, "last")
    results = await applied(kafka_log, service_name, PARTITIONS)
    assert_exact(results)
    assert all(verdict.claims == 4 for verdict, _ in results)


async def test_a_group_member_killed_and_the_other_takes_over(kafka, kafka_log, service_name, workers):
    await prepare(kafka_log, service_name, PARTITIONS)
    first = await workers(kafka.bootstrap, service_name, PARTITIONS, "one", "group")
    await workers(kafka.bootstrap, service_name, PARTITIONS, "two", "group")
    load = Load(kafka_log, service_name, PARTITIONS, 100).start()
    await asyncio.sleep(1)
    await first.kill()
    await asyncio.sleep(1)
    await load.stop()
    assert_exact(await applied(kafka_log, service_name, PARTITIONS))


async def test_a_group_member_stopped_longer_than_its_session_comes_back(kafka, kafka_log, service_name, workers):
    await prepare(kafka_log, service_name, PARTITIONS)
    first = await workers(kafka.bootstrap, service_name, PARTITIONS, "one", "group", hold=0.1)
    second = await workers(kafka.bootstrap, service_name, PARTITIONS, "two", "group", hold=0.1)
    load = Load(kafka_log, service_name, PARTITIONS, 100).start()
    await asyncio.sleep(1)
    first.signal(signal.SIGSTOP)
    await asyncio.sleep(8)
    first.signal(signal.SIGCONT)
    await asyncio.sleep(2)
    await load.stop()
    assert_exact(await applied(kafka_log, service_name, PARTITIONS))
    assert first.process.returncode is None
    assert second.process.returncode is None
