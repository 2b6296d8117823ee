"""A chat whose acceptance is void at the router goes back in line: else its agent has one more than the router counts."""

import asyncio
from types import SimpleNamespace

import pytest
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_omnichannel.application.doubts import Doubts
from junctor_omnichannel.application.mapping import MAPPING
from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain.conversation import Conversation, evolve
from junctor_omnichannel.domain.decide import decide
from junctor_service.effect_tasks import EffectTasks
from junctor_service.errors import Code, ServiceError

ENTRY = c.EntryPoint("", "chat", "", "en")


def chat(contact, *accepted):
    state = Conversation("demo", contact)
    opened = c.OpenConversation(contact, "web", "sealed address", "hash", 1_000, "a", ENTRY)
    for command in (opened, *(c.ReservationReported(contact, one, "alice", True) for one in accepted)):
        for event in decide(state, command, 2_000).events:
            state = evolve(state, event)
    return state


class World:
    """The journal's partition 0, whose facts are applied when they are told, and a router that has in line whom it is set to."""

    def __init__(self, *chats):
        self.states = {("demo", one.contact_id): one for one in chats}
        self.in_line, self.asked, self.refusals = set(), [], []
        self.tasks = EffectTasks("test")
        self.doubts = Doubts(
            self.tasks, self, self.tell, lambda *key: self.states.get(key), lambda partition: self.states
        )

    async def waits(self, conversation, asked):
        self.asked.append((conversation.contact_id, asked))
        if self.refusals:
            raise self.refusals.pop()
        return conversation.contact_id in self.in_line

    async def tell(self, message, *, id, tenant, stream, **more):
        state = self.states[tenant, stream]
        for event in decide(state, MAPPING.to_domain(message), 9_000).events:
            state = evolve(state, event)
        self.states[tenant, stream] = state

    def raised(self, epoch, mine=True):
        self.states["*", "fence/3"] = Conversation("*", "fence/3", fence=epoch)
        events = [SimpleNamespace(message=pb.FenceRaised(partition=3, site_epoch=epoch))]
        self.doubts.see(0, SimpleNamespace(tenant="*", stream="fence/3", events=events), mine)

    async def settled(self):
        async with asyncio.timeout(5):
            while len(self.tasks):
                await asyncio.sleep(0)

    def at(self, contact):
        state = self.states["demo", contact]
        return state.state, state.reservation_id


async def test_only_what_the_router_has_in_line_goes_back_there():
    world = World(
        chat("void", "demo.p.1.7.1"), chat("known", "demo.p.1.8.1"), chat("waits"), chat("new", "demo.p.2.1.1")
    )
    world.in_line = {"void", "waits", "new"}
    world.raised(2)
    await world.settled()
    assert sorted(world.asked) == [("known", "epoch/3/2"), ("void", "epoch/3/2")]
    assert world.at("void") == ("queued", "")
    assert world.at("known") == ("with_agent", "demo.p.1.8.1")
    assert world.at("new") == ("with_agent", "demo.p.2.1.1")
    reservation = c.ReservationReported("void", "demo.p.1.7.1", "alice", True)
    assert decide(world.states["demo", "void"], reservation, 9_000).events == [], "it binds once"


async def test_who_was_given_it_meanwhile_keeps_it():
    world = World(chat("x", "demo.p.1.7.1"))
    told = world.tell

    async def late(message, **origin):
        world.states["demo", "x"] = chat("x", "demo.p.1.7.1", "demo.p.2.1.1")
        await told(message, **origin)

    world.doubts = Doubts(world.tasks, world, late, lambda *key: world.states.get(key), lambda partition: world.states)
    world.in_line = {"x"}
    world.raised(2)
    await world.settled()
    assert world.at("x") == ("with_agent", "demo.p.2.1.1")


async def test_a_new_owner_asks_again_and_a_process_that_owns_nothing_does_not(monkeypatch):
    monkeypatch.setattr("junctor_service.effect_tasks.FIRST_PAUSE", 0)
    world = World(chat("x", "demo.p.1.7.1"))
    world.raised(2, mine=False)
    assert not len(world.tasks)
    world.in_line = {"x"}
    world.refusals = [ServiceError(Code.UNAVAILABLE, "The router is away.")]
    world.doubts.all(0)
    await world.settled()
    assert world.at("x") == ("queued", "")
    assert world.asked == [("x", "epoch/3/2")] * 2


@pytest.mark.parametrize("named", ["", "demo.p.1.7.1"])
def test_the_routers_own_word_needs_to_name_no_reservation(named):
    requeued = c.TaskReported("x", "requeued", queue="chat", reservation_id=named)
    state = chat("x", "demo.p.1.7.1")
    for event in decide(state, requeued, 9_000).events:
        state = evolve(state, event)
    assert (state.state, state.reservation_id) == ("queued", "")
