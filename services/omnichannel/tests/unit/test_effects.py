"""The steps that a conversation owes: made at least once, given up when it is no use, found again by a new owner."""

import asyncio
from contextlib import contextmanager

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_omnichannel.application.effects import ConversationEffects
from junctor_omnichannel.application.feed import Feed
from junctor_omnichannel.domain.conversation import Conversation
from junctor_service.effect_tasks import EffectTasks
from junctor_service.errors import Code, ServiceError

KEY = ("demo", "x")


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


class Telemetry:
    @contextmanager
    def span(self, name, **more):
        yield


class Entry:
    tenant, stream = KEY

    def __init__(self, *messages):
        self.events = [type("Read", (), {"message": message}) for message in messages]


class World:
    """A router that answers from a list, a state that a test sets, and the facts that came of it."""

    def __init__(self):
        self.asked, self.answers, self.facts = [], [], []
        self.conversation = None
        self.clock, self.feed = Clock(), Feed()
        self.effects = ConversationEffects(
            EffectTasks("test"), self, self.report, self.look, self.feed, Telemetry(), self.clock, patience=10
        )

    def look(self, tenant, contact):
        return self.conversation

    async def report(self, message, **origin):
        self.facts.append((type(message).__name__, message.step, origin["id"]))

    async def request(self, conversation):
        await self.answer("request")

    async def cancel(self, conversation):
        await self.answer("cancel")

    async def end(self, conversation):
        await self.answer("end")

    async def answer(self, what):
        self.asked.append(what)
        if self.answers:
            raise self.answers.pop(0)

    def owes(self, *steps):
        self.conversation = Conversation(*KEY, state="queued", owed=steps)

    async def reports(self, number):
        async with asyncio.timeout(5):
            while len(self.facts) < number:
                await asyncio.sleep(0)


def away():
    return ServiceError(Code.UNAVAILABLE, "The router is away.")


async def test_a_step_that_is_owed_is_made_and_reported():
    world = World()
    world.owes("route/1")
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=True)
    await world.reports(1)
    assert world.asked == ["request"]
    assert world.facts == [("StepDone", "route/1", "demo/omnichannel/x/route/1/done")]


async def test_who_does_not_own_the_partition_only_wakes_lookers():
    world = World()
    world.owes("route/1")
    async with world.feed.watch(*KEY) as watch:
        world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=False)
        await asyncio.wait_for(watch.changed(), 1)
    assert world.asked == []
    assert not world.feed.watches


async def test_a_new_owner_finds_what_is_owed():
    world = World()
    world.owes("cancel_task")
    fold = type("Fold", (), {"streams": lambda self: {KEY: world.conversation}})()
    world.effects.on_ready(0, fold)
    await world.reports(1)
    assert world.asked == ["cancel"]


async def test_a_step_that_is_no_longer_owed_is_not_made():
    world = World()
    world.owes()
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=True)
    for _ in range(10):
        await asyncio.sleep(0)
    assert (world.asked, world.facts) == ([], [])


async def test_a_refusal_for_good_becomes_a_fact():
    world = World()
    world.owes("route/1")
    world.answers = [ServiceError(Code.NOT_FOUND, "There is no queue 'x'.")]
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=True)
    await world.reports(1)
    assert world.facts[0][:2] == ("StepFailed", "route/1")


async def test_the_router_is_asked_again_until_the_patience_is_over(monkeypatch):
    monkeypatch.setattr("junctor_service.effect_tasks.FIRST_PAUSE", 0)
    world = World()
    world.owes("route/1")
    world.answers = [away(), away()]
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=True)
    await world.reports(1)
    assert (world.asked, world.facts[0][0]) == (["request"] * 3, "StepDone")
    world.owes("route/2")
    world.answers = [away()]
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/2")), mine=True)
    world.clock.now = 100
    await world.reports(2)
    assert world.facts[1][0] == "StepFailed"


async def test_the_end_is_asked_for_until_it_is_heard(monkeypatch):
    monkeypatch.setattr("junctor_service.effect_tasks.FIRST_PAUSE", 0)
    world = World()
    world.owes("end_contact")
    world.clock.now = 1_000
    world.answers = [away(), away()]
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="end_contact")), mine=True)
    await world.reports(1)
    assert (world.asked, world.facts[0][0]) == (["end"] * 3, "StepDone")


async def test_nothing_is_asked_for_a_copy_that_turns_out_to_have_moved():
    world, current = World(), asyncio.Event()

    async def settled(conversation):
        await current.wait()

    world.effects = ConversationEffects(
        EffectTasks("test"), world, world.report, world.look, world.feed, Telemetry(), world.clock, 10, settled=settled
    )
    world.owes("route/1")
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/1")), mine=True)
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.asked == []
    world.owes()
    current.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (world.asked, world.facts) == ([], [])
    world.owes("route/2")
    world.effects.on_entry(0, Entry(pb.StepOwed(contact_id="x", step="route/2")), mine=True)
    await world.reports(1)
    assert world.asked == ["request"]
