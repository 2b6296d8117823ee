"""The directory's changes as inputs: what is told, in which order, once, and by whom."""

import asyncio
from types import SimpleNamespace

import pytest
from junctor.directory.v1 import directory_pb2 as directory
from junctor_journal.inputs import new_input
from junctor_journal.message_types import unpack
from junctor_router.adapters.pool_config import PoolConfig
from junctor_router.application.configuration_feed import ConfigurationFeed
from junctor_router.application.pools import PoolsFold
from junctor_router.domain.configuration import Score
from junctor_service.errors import Code, ServiceError

TENANT = "acme"


class Replica:
    def __init__(self):
        self.items, self.listeners = {}, []

    def get(self, *name):
        return self.items.get(name)

    def all(self, kind, tenant=None):
        return [item for item in self.items.values() if item.kind == kind and tenant in (None, item.tenant)]

    def listen(self, listener):
        self.listeners.append(listener)

    def put(self, kind, id, version, **value):
        message = directory.DirectoryValue(tenant=TENANT, version=version, value=directory.Value(id=id, **value))
        item = SimpleNamespace(tenant=TENANT, kind=kind, id=id, value=message)
        self.items[TENANT, kind, id] = item
        for listener in self.listeners:
            listener(item, False)

    def delete(self, kind, id):
        item = self.items.pop((TENANT, kind, id))
        for listener in self.listeners:
            listener(item, True)


class Log:
    """Journal and commands in one: applies at once where it owns the partition."""

    def __init__(self):
        self.partitions, self.owner, self.told, self.fold, self.refuse = 1, True, [], PoolsFold(), set()

    def owns(self, partition):
        return self.owner

    def state(self, partition):
        return self.fold

    def fact(self, message, **names):
        return new_input(message, **names)

    async def tell(self, input, deadline=None):
        body = unpack(input.body)
        self.told.append((input.stream, body.kind, body.id, body.version))
        if body.id in self.refuse:
            return SimpleNamespace(refusal=ServiceError(Code.INVALID_ARGUMENT, "no").to_status())
        applied = self.fold.apply(input, body, 1_000)
        return SimpleNamespace(refusal=applied.refusal)


@pytest.fixture
async def scene():
    replica, log = Replica(), Log()
    feed = ConfigurationFeed(PoolConfig(replica), log, log)
    yield SimpleNamespace(replica=replica, log=log, feed=feed)
    await feed.stop(0)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_everything_is_told_once_with_what_others_name_first(scene):
    scene.replica.put("agent", "ann", 4, agent=directory.Agent(name="Ann", device="1"))
    scene.replica.put("queue", "sales", 3, queue=directory.Queue(plan="p"))
    scene.replica.put("plan", "p", 2, plan=directory.Plan())
    scene.replica.put("widget", "w", 1, widget=directory.Widget())
    await scene.feed.start()
    await until(lambda: scene.feed.ready)
    assert [kind for _, kind, _, _ in scene.log.told] == ["plan", "queue", "agent"]
    scene.feed.compare_all()
    scene.replica.put("queue", "sales", 5, queue=directory.Queue(plan="p", priority=1))
    await scene.feed.applied(TENANT, "default", ("queue", "sales"))
    assert scene.log.told[3:] == [("default", "queue", "sales", 5)]


async def test_a_score_table_comes_and_goes_apart_from_its_queue(scene):
    scene.replica.put("queue", "sales", 1, queue=directory.Queue())
    rows = [directory.Score(segment="gold", attribute="region", value="north", sales=7, contacts=40)]
    scene.replica.put("scores", "sales", 2, scores=directory.ScoreTable(rows=rows))
    await scene.feed.start()
    await scene.feed.applied(TENANT, "default", ("queue", "sales"), ("scores", "sales"))
    state = scene.log.fold.pool(TENANT, "default").state
    assert state.scores == {"sales": (Score("gold", "region", "north", 0, 7),)}
    scene.replica.put("queue", "sales", 3, queue=directory.Queue(priority=1))
    await scene.feed.applied(TENANT, "default", ("queue", "sales"))
    assert state.scores
    scene.replica.delete("scores", "sales")
    await scene.feed.applied(TENANT, "default", ("scores", "sales"))
    assert (state.scores, list(state.queues)) == ({}, ["sales"])


async def test_who_does_not_own_waits_until_another_has_told(scene):
    scene.log.owner = False
    scene.replica.put("queue", "sales", 1, queue=directory.Queue())
    await scene.feed.start()
    with pytest.raises(ServiceError, match="not applied yet"):
        await scene.feed.applied(TENANT, "default", ("queue", "sales"))
    assert (scene.feed.ready, scene.log.told) == (False, [])
    scene.log.owner = True
    scene.feed.compare_all()
    await until(lambda: scene.feed.ready)


async def test_a_value_that_moves_to_another_pool_leaves_the_one_before(scene):
    scene.replica.put("plan", "p", 1, plan=directory.Plan())
    scene.replica.put("agent", "ann", 1, agent=directory.Agent())
    await scene.feed.start()
    await until(lambda: scene.feed.ready)
    scene.replica.put("agent", "ann", 2, agent=directory.Agent(pool="east"))
    await scene.feed.applied(TENANT, "east", ("agent", "ann"), ("plan", "p"))
    await scene.feed.applied(TENANT, "default", ("agent", "ann"))
    assert "ann" not in scene.log.fold.pool(TENANT, "default").state.agents
    scene.replica.delete("agent", "ann")
    await scene.feed.applied(TENANT, "east", ("agent", "ann"))
    assert scene.log.fold.pool(TENANT, "east").state.agents == {}


async def test_a_value_that_is_refused_holds_nothing_up_until_it_changes(scene):
    scene.log.refuse.add("bad")
    scene.replica.put("queue", "bad", 1, queue=directory.Queue())
    scene.replica.put("queue", "good", 2, queue=directory.Queue())
    await scene.feed.start()
    await until(lambda: scene.feed.ready)
    scene.log.refuse.clear()
    scene.replica.put("queue", "bad", 3, queue=directory.Queue())
    await until(lambda: "bad" in scene.log.fold.pool(TENANT, "default").state.queues)


async def test_a_pool_that_comes_to_lie_in_another_partition_is_told_all_there(scene):
    scene.log.partitions = 12
    folds = {}
    scene.log.state = lambda partition: folds.setdefault(partition, PoolsFold())

    async def tell(input, deadline=None):
        partition = scene.feed._configuration.partition(input.tenant, input.stream, 12)
        return SimpleNamespace(refusal=folds[partition].apply(input, unpack(input.body), 1_000).refusal)

    scene.log.tell = tell
    scene.replica.put("agent", "ann", 1, agent=directory.Agent())
    await scene.feed.start()
    await until(lambda: scene.feed.ready)
    scene.replica.put("pool", "default", 2, pool=directory.Pool(partition=3))
    await scene.feed.applied(TENANT, "default", ("agent", "ann"))
    assert "ann" in folds[3].pool(TENANT, "default").state.agents
