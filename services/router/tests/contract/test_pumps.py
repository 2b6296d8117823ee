"""One suite for the pumps: whoever reads the inputs, each is applied once and in order, and the journal says where to go on."""

import asyncio
import logging
import time
import uuid
from types import SimpleNamespace

import pytest
from junctor.router.v1 import router_pb2 as pb
from junctor_journal import topics
from junctor_journal.apply import Applied
from junctor_journal.inputs import new_input
from junctor_journal.kafka import KafkaLog
from junctor_journal.ledger import Ledger, LedgerSettings
from junctor_journal.log import NewRecord, TopicDeclaration
from junctor_journal.pump import GroupPump
from junctor_router.entrypoints import faust_worker
from junctor_router.entrypoints.faust_worker import FaustPump, WrongFaust
from junctor_testkit.secured_kafka import secured_kafka

PARTITIONS = 4


class Heard:
    """Remembers the ids of what it applied."""

    def __init__(self):
        self.ids = []

    def apply(self, input, body, now):
        self.ids.append(input.id)
        return Applied(pb.ReportDeviceResponse())

    def next_due(self):
        return None

    def dump(self):
        return ["\n".join(self.ids).encode()]

    def load(self, chunks):
        self.ids = b"".join(chunks).decode().split("\n") if chunks else []
        self.ids = [id for id in self.ids if id]

    def hash(self):
        return "\n".join(self.ids).encode()[-16:]


class Scene:
    def __init__(self, bootstrap, make_pump):
        self.bootstrap, self.make_pump = bootstrap, make_pump
        self.service = f"s{uuid.uuid4().hex[:8]}"
        self.sent = {partition: [] for partition in range(PARTITIONS)}
        self.running = []

    async def prepare(self):
        self.log = KafkaLog(self.bootstrap, client_id="test")
        await self.log.start()
        await self.make(topics.inputs, topics.journal, topics.snapshots, topics.events)

    async def make(self, *names):
        await self.log.ensure_topics([TopicDeclaration(name(self.service), PARTITIONS) for name in names])

    async def member(self, name):
        log = KafkaLog(self.bootstrap, client_id=name)
        await log.start()
        settings = LedgerSettings(site="a", address="x:1", instance_id=name, snapshot_every=50)
        ledger = Ledger(self.service, log, Heard, settings=settings, pump=self.make_pump(self.bootstrap))
        await ledger.start()
        self.running.append((ledger, log))
        return ledger

    async def leave(self, ledger):
        found = next(pair for pair in self.running if pair[0] is ledger)
        self.running.remove(found)
        await found[0].stop(3.0)
        await found[1].stop()

    async def send(self, count):
        for partition, sent in self.sent.items():
            ids = [f"{partition}/{n}" for n in range(len(sent), len(sent) + count)]
            body = pb.ReportDeviceRequest(agent_id="ann")
            records = [
                NewRecord(b"t/s", new_input(body, id=id, tenant="t", stream="s").SerializeToString()) for id in ids
            ]
            await self.log.producer().send_many(topics.inputs(self.service), partition, records)
            sent.extend(ids)

    async def all_applied(self, ledger, seconds=40):
        limit = time.monotonic() + seconds
        while True:
            found = heard(ledger)
            if found is not None and all(len(found[p]) >= len(ids) for p, ids in self.sent.items()):
                assert found == self.sent
                for partition in found:
                    await ledger.confirmed(partition)
                return
            assert time.monotonic() < limit, "not all was applied in time"
            await asyncio.sleep(0.05)


def heard(ledger):
    try:
        return {partition: list(ledger.state(partition).ids) for partition in range(PARTITIONS)}
    except Exception:
        return None


async def until(condition, seconds=40):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.05)


@pytest.fixture(params=["plain", "faust"])
async def scene(request, kafka):
    async for made in make_scene(request.param, kafka):
        yield made


@pytest.fixture(params=["plain", "faust"])
async def scene_with_own_broker(request, own_kafka):
    async for made in make_scene(request.param, own_kafka):
        made.broker = own_kafka
        yield made


@pytest.fixture(params=["plain", "faust"])
async def scene_behind_a_login(request, tmp_path):
    async with secured_kafka(tmp_path) as kafka:
        async for made in make_scene(request.param, SimpleNamespace(bootstrap=kafka.brokers())):
            yield made


async def make_scene(name, broker):
    scene = Scene(broker.bootstrap, FaustPump if name == "faust" else lambda bootstrap: GroupPump())
    await scene.prepare()
    yield scene
    for ledger, _ in list(scene.running):
        await scene.leave(ledger)
    await scene.log.stop()


async def test_whole_batches_are_applied_once_and_in_order(scene):
    await scene.send(300)
    member = await scene.member("one")
    await scene.all_applied(member)
    await scene.send(300)
    await scene.all_applied(member)
    assert member.ready


async def test_the_journal_says_where_to_read_on(scene):
    member = await scene.member("one")
    await scene.send(70)
    await scene.all_applied(member)
    await scene.leave(member)
    await scene.send(70)
    member = await scene.member("one")
    await scene.all_applied(member)
    assert [member.position(partition) for partition in range(PARTITIONS)] == [140] * PARTITIONS


async def test_a_member_that_is_there_before_the_inputs_are_made_is_given_their_partitions(scene, caplog):
    caplog.set_level(logging.INFO, "junctor_journal.pump")
    scene.service = f"s{uuid.uuid4().hex[:8]}"
    await scene.make(topics.journal, topics.snapshots, topics.events)
    member = await scene.member("early")
    await until(lambda: "the inputs are waited for" in caplog.messages)
    await scene.make(topics.inputs)
    await scene.send(5)
    await scene.all_applied(member)


async def test_partitions_move_to_a_second_member_and_back_while_inputs_flow(scene):
    first = await scene.member("one")
    await scene.send(50)
    await until(lambda: len(first.owned()) == PARTITIONS)
    second = await scene.member("two")
    joined = asyncio.create_task(until(lambda: len(first.owned()) == len(second.owned()) == PARTITIONS // 2))
    while not joined.done():
        await scene.send(5)
        await asyncio.sleep(0.1)
    await joined
    await scene.all_applied(first)
    await scene.all_applied(second)
    await scene.leave(second)
    await scene.send(50)
    await until(lambda: len(first.owned()) == PARTITIONS)
    await scene.all_applied(first)


async def test_the_broker_is_killed_and_comes_back_and_the_pump_stops_without_it(scene_with_own_broker):
    scene = scene_with_own_broker
    member = await scene.member("one")
    await scene.send(50)
    await scene.all_applied(member)
    await scene.broker.kill_now()
    await until(lambda: not scene.log.available or heard(member) is not None)
    await scene.broker.start_again()
    await scene.send(50)
    await scene.all_applied(member, seconds=60)
    await scene.broker.kill_now()
    began = time.monotonic()
    await member._pump.stop()
    assert time.monotonic() - began < faust_worker.STOP_SECONDS + 2
    await scene.broker.start_again()


async def test_inputs_come_through_tls_and_a_login(scene_behind_a_login):
    member = await scene_behind_a_login.member("m1")
    await scene_behind_a_login.send(20)
    await scene_behind_a_login.all_applied(member)


def test_another_faust_is_refused(monkeypatch):
    monkeypatch.setattr(faust_worker, "VERSION", "0.0.1")
    with pytest.raises(WrongFaust, match=r"knows 0\.0\.1 only"):
        FaustPump("127.0.0.1:9092")
