"""What is heard of edges becomes an input of each pool whose partition is owned here, once, where the pool has it otherwise."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.inputs import new_input
from junctor_router.application.edge_watch import EdgeWatch
from junctor_router.application.pools import PoolsFold
from junctor_router.application.roll_call import RollCalls
from junctor_service.errors import ServiceError


class Journal:
    """One partition with two tenants' pools, applied at once."""

    partitions = 1

    def __init__(self):
        self.fold, self.mine, self.told, self.slow = PoolsFold(), True, [], None
        for tenant in ("acme", "bank"):
            value = pb.ConfigurationChanged(kind="queue", id="q", version=1)
            self.fold.apply(new_input(value, id=tenant, tenant=tenant, stream="pool"), value, 1)

    def owned(self):
        return frozenset({0} if self.mine else ())

    def state(self, partition):
        return self.fold

    def fact(self, message, *, id, tenant, stream):
        return SimpleNamespace(message=message, id=id, tenant=tenant, stream=stream)

    async def tell(self, input, deadline=None):
        self.told.append(input)
        if self.slow is not None:
            await self.slow.wait()
        self.fold.apply(SimpleNamespace(tenant=input.tenant, stream=input.stream, id=input.id), input.message, 1)

    def edges(self, tenant="acme"):
        return {name: edge.reachable for name, edge in self.fold.pool(tenant, "pool").state.edges.items()}


class Heard(dict):
    def edges(self):
        return dict(self)


@pytest.fixture
async def watched():
    journal, heard = Journal(), Heard()
    watch = EdgeWatch(heard, journal, journal)
    await watch.start()
    yield journal, heard, watch
    await watch.stop(time.monotonic() + 1)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def looked(watch, times=3):
    for _ in range(times):
        watch.look()
        await asyncio.sleep(0.02)


async def test_each_pool_is_told_once_of_each_change(watched):
    journal, heard, watch = watched
    heard["cti/a"], heard["cti/a/0"] = (True, False), (True, True)
    await until(lambda: journal.edges() == journal.edges("bank") == {"cti/a": True, "cti/a/0": True})
    await looked(watch)
    assert len(journal.told) == 4
    assert len({input.id for input in journal.told}) == 4
    heard["cti/a/0"] = (False, True)
    await until(lambda: not journal.edges("bank")["cti/a/0"] and not journal.edges()["cti/a/0"])
    await looked(watch)
    assert len(journal.told) == 6


async def test_what_was_never_heard_and_is_not_now_is_not_told(watched):
    journal, heard, watch = watched
    heard["cti/b"] = (False, False)
    await looked(watch)
    assert journal.told == []


async def test_who_does_not_own_the_partition_tells_nothing_until_it_does(watched):
    journal, heard, watch = watched
    journal.mine = False
    heard["cti/a"] = (True, False)
    await looked(watch)
    assert journal.told == []
    journal.mine = True
    watch.look()
    await until(lambda: journal.edges() == {"cti/a": True})


async def test_one_site_watches_nothing():
    watch = EdgeWatch(None, Journal(), Journal())
    await watch.start()
    assert watch.ready
    await watch.stop(time.monotonic())


async def test_an_answer_to_a_roll_call_is_an_input_of_each_pool_with_the_slots_of_its_agents():
    journal = Journal()
    for tenant, agent in (("acme", "ann"), ("bank", "bob")):
        journal.fold.pool(tenant, "pool").state.agents[agent] = object()
    slots = [
        pb.Slot(tenant=tenant, agent_id=agent) for tenant, agent in (("acme", "ann"), ("bank", "bob"), ("acme", "x"))
    ]
    request = pb.AnswerRollCallRequest(request_id="r", edge="cti/a/0", partition=0, site_epoch=3, slots=slots)
    told = []

    async def tell(input):
        told.append((input.tenant, [slot.agent_id for slot in input.message.slots], input.message.site_epoch, input.id))

    journal.tell = tell
    await RollCalls(journal, journal).answer(request)
    assert sorted(told) == [
        ("acme", ["ann"], 3, "acme/roll-call/pool/r"),
        ("bank", ["bob"], 3, "bank/roll-call/pool/r"),
    ]
    request.partition = 7
    with pytest.raises(ServiceError, match="There is no partition 7"):
        await RollCalls(journal, journal).answer(request)
