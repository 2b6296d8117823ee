"""After a start nothing is written into a copy of a conversation that the other site may have taken over."""

import asyncio
from types import SimpleNamespace

import pytest
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.site.v1 import site_pb2
from junctor_journal.errors import LogUnavailable
from junctor_journal.inputs import new_input
from junctor_omnichannel.application import catching_up, greetings
from junctor_omnichannel.application.catching_up import LONGEST_SECONDS, UNREACHED_SECONDS, CatchingUp
from junctor_omnichannel.application.greetings import Greeter, journal_partition_of
from junctor_omnichannel.application.reactions import reactions
from junctor_omnichannel.domain.conversation import Conversation
from junctor_service.errors import Code, ServiceError

OLD = Conversation("demo", "x", state="with_agent", arrived_at=900)


class World:
    def __init__(self, monkeypatch):
        monkeypatch.setattr(catching_up, "PROBE_SECONDS", 0)
        self.clock, self.there, self.probes = 0.0, True, 0
        self.part = CatchingUp(
            "me", self.reached, lambda tenant, contact: 1, lambda: 2, lambda: 1_000, lambda: self.clock
        )

    async def reached(self):
        self.probes += 1
        return self.there

    async def probed(self):
        before = self.probes
        async with asyncio.timeout(5):
            while self.probes < before + 2:
                await asyncio.sleep(0)

    def reads(self, partition, process="me"):
        body = pb.GreetingRead(process=process, journal_partition=partition)
        self.part.see(partition, SimpleNamespace(input=new_input(body, id="i", tenant="*", stream="greetings")))

    def held(self, conversation=OLD):
        try:
            self.part.check(conversation)
        except ServiceError as error:
            assert (error.code, error.retryable, error.reason) == (Code.UNAVAILABLE, True, "CATCHING_UP")
            return True
        return False


@pytest.fixture
async def world(monkeypatch):
    world = World(monkeypatch)
    await world.part.start()
    yield world
    await world.part.stop(0)


async def test_a_conversation_of_before_waits_for_the_greeting_in_its_partition(world):
    assert world.held()
    world.reads(0)
    world.reads(1, "another process")
    assert world.held()
    assert [world.part.behind(partition) for partition in (0, 1)] == [False, True]
    world.reads(1)
    assert not world.held()
    assert not world.part.behind(1)


async def test_what_is_owed_waits_until_the_copy_is_current(world, monkeypatch):
    monkeypatch.setattr(catching_up, "LOOK_SECONDS", 0)
    waits = asyncio.create_task(world.part.settled(OLD))
    await world.probed()
    assert not waits.done()
    world.reads(1)
    await asyncio.wait_for(waits, 5)


async def test_what_cannot_be_elsewhere_or_is_known_to_be_is_not_held(world):
    assert not world.held(None)
    assert not world.held(Conversation("demo", "x"))
    assert not world.held(Conversation("demo", "x", state="queued", arrived_at=1_000))
    assert not world.held(Conversation("demo", "x", state="closed", arrived_at=900, moved_to="b"))


async def test_while_the_other_site_is_not_reached_the_own_conversations_go_on(world):
    world.there = False
    await world.probed()
    world.clock = UNREACHED_SECONDS - 0.1
    assert world.held()
    world.clock = UNREACHED_SECONDS
    assert not world.held()
    world.there = True
    await world.probed()
    assert world.held(), "it is back, and has not greeted"


async def test_a_mirror_that_brings_nothing_holds_them_for_a_while_only(world):
    world.clock = LONGEST_SECONDS - 0.1
    await world.probed()
    assert world.held()
    world.clock = LONGEST_SECONDS
    assert not world.held()


def beat(process, site="a", service="omnichannel"):
    return site_pb2.Heartbeat(site=site, service=service, process=process)


async def test_each_process_of_the_other_site_is_greeted_once_in_every_partition(monkeypatch):
    monkeypatch.setattr(greetings, "RETRY_SECONDS", 0)
    appended, away = [], [LogUnavailable("Kafka is away")]

    async def append(inputs):
        if away:
            raise away.pop()
        appended.append(inputs)

    greeter = Greeter("a", new_input, lambda: 2, append)
    for heard in (beat("p"), beat("p"), beat("q", site="b"), beat("r", service="cti")):
        greeter.hear(heard)
    async with asyncio.timeout(5):
        while not appended:
            await asyncio.sleep(0)
    (inputs,) = appended
    assert [journal_partition_of(input) for input in inputs] == [0, 1]
    assert len({input.id for input in inputs}) == 2


def test_a_greeting_that_the_mirror_brings_goes_through_the_own_journal_in_its_partition():
    def caused(site):
        event = SimpleNamespace(
            id="e",
            source="/junctor/omnichannel",
            journal_partition=7,
            message=pb.ProcessGreeted(site=site, process="me"),
        )
        return list(reactions(new_input, "omnichannel/a", lambda partition: [])(event))

    (read,) = caused("a")
    assert (journal_partition_of(read), pb.GreetingRead.FromString(read.body.value).process) == (7, "me")
    assert caused("b") == []
