"""A customer with a token: here, at the other site while that lives, here where it is lost; and what is known of there."""

from types import SimpleNamespace

import pytest
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_omnichannel.application.far_conversations import FarConversations
from junctor_omnichannel.application.mapping import MAPPING
from junctor_omnichannel.application.returning import Elsewhere, Place, Returning
from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain.conversation import Conversation, evolve
from junctor_omnichannel.domain.decide import decide
from junctor_service.arrivals import Arrivals

ENTRY = c.EntryPoint("greeter", "chat", "Hello!", "en")
PLACE = Place("demo", "x", "a", 1, 1_000, "loans")


class World:
    """This site is b; what the customer's return writes is in `told`."""

    def __init__(self, *, heard=False, here=None):
        self.share = 0
        self.far, self.told, self.heard, self.here = FarConversations(), [], heard, here
        self.returning = Returning(
            "b",
            {"a": "wss://a.example/chat"},
            lambda tenant, contact: self.here,
            self.far,
            lambda site: self.heard,
            lambda tenant, widget: pb.EntryPoint(bot="greeter", queue="chat"),
            self.tell,
            Arrivals("a", lambda: self.share, lambda site: self.heard),
        )

    async def tell(self, message, **origin):
        self.told.append(MAPPING.to_domain(message))

    def happens(self, *commands):
        """At the other site, as its mirrored events tell it."""
        state = Conversation("demo", "x")
        for command in commands:
            for event in decide(state, command, 2_000).events:
                state = evolve(state, event)
                self.far.see(SimpleNamespace(tenant="demo", stream="x", message=MAPPING.to_message(event)))
        return state


def test_a_share_of_new_conversations_is_sent_away_while_the_other_site_is_heard():
    world = World(heard=True)
    world.returning.arrive("demo", "x")
    world.share = 100
    with pytest.raises(Elsewhere) as there:
        world.returning.arrive("demo", "x")
    assert there.value.url == "wss://a.example/chat"
    world.here = Conversation("demo", "x", state="with_bot")
    world.returning.arrive("demo", "x")
    world.here, world.heard = None, False
    world.returning.arrive("demo", "x")


OPENED = c.OpenConversation("x", "web", "sealed address", "hash", 900, "a", ENTRY)
LOAN = c.BotReading(True, "A loan it is.", "loans", {"product": "loans"}, ("en >= 1",))
SAID = c.ReceiveMessage("x", "web", "m1", "sealed", received_at=1_000, site="a", entry=ENTRY, reading=LOAN)


async def test_what_the_mirror_brought_goes_on_here():
    world = World()
    there = world.happens(OPENED, SAID)
    await world.returning.come_back(PLACE, "web")
    (told,) = world.told
    assert (told.leg, told.previous_site, told.site, told.arrived_at) == (2, "a", "b", 900)
    assert (told.state, told.queue, told.requirements, told.data) == ("queued", "loans", ("en >= 1",), there.data)
    assert told.messages == there.messages


async def test_without_the_mirror_the_token_is_all_there_is():
    world = World()
    await world.returning.come_back(PLACE, "web")
    (told,) = world.told
    assert (told.leg, told.arrived_at, told.queue, told.state, told.messages) == (2, 1_000, "loans", "", ())


async def test_while_the_other_site_lives_the_customer_is_sent_there():
    with pytest.raises(Elsewhere) as there:
        await World(heard=True).returning.come_back(PLACE, "web")
    assert (there.value.url, there.value.retryable) == ("wss://a.example/chat", True)
    moved = Conversation("demo", "x", state="closed", moved_to="a")
    with pytest.raises(Elsewhere):
        await World(here=moved).returning.come_back(PLACE, "web")


async def test_who_is_here_already_or_was_never_away_stays():
    world = World(here=Conversation("demo", "x", state="queued"))
    await world.returning.come_back(PLACE, "web")
    world.here = None
    await world.returning.come_back(Place("demo", "x", "b", 1, 1_000, ""), "web")
    assert world.told == []


async def test_a_token_of_a_later_leg_shows_that_what_is_known_here_is_out_of_date():
    stale = Conversation("demo", "x", state="with_agent", leg=1)
    later = Place("demo", "x", "a", 2, 1_000, "loans")
    with pytest.raises(Elsewhere):
        await World(heard=True, here=stale).returning.come_back(later, "web")
    world = World(here=stale)
    await world.returning.come_back(later, "web")
    assert [told.leg for told in world.told] == [3]


def test_conversations_that_are_over_or_have_moved_are_forgotten():
    world = World()
    world.happens(OPENED)
    assert world.far.find("other", "x") is None
    assert len(world.far) == 1
    world.happens(OPENED, c.LegMoved("x", 2, "b"))
    assert len(world.far) == 0


def test_what_began_before_it_was_read_is_not_half_known():
    world = World()
    there = world.happens(OPENED, SAID)
    late = FarConversations()
    for message in there.messages:
        added = pb.MessageAdded(tenant="demo", contact_id="x", message=MAPPING.to_message(message))
        late.see(SimpleNamespace(tenant="demo", stream="x", message=added))
    assert late.find("demo", "x") is None
