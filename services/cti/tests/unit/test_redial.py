"""A caller whose site was lost redials here: whose place it is, what goes on, and what the old site still does."""

from types import SimpleNamespace

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor_cti.application.redials import LOST_SECONDS, REDIAL_SECONDS, Redials, tells_who
from junctor_cti.domain import commands as c
from junctor_cti.domain.decide import Line, apply
from junctor_cti.domain.events import (
    CallStateChanged,
    ContactClosed,
    ContactOpened,
    Reattached,
    SegmentStarted,
    Unbound,
)
from junctor_cti.domain.todo import todo

NOW, ARRIVED = 60_000, 1_000
EARLIER = c.EarlierLeg("a", 1, "cards", 2)


def came(earlier=EARLIER, arrived_at=ARRIVED):
    return c.CallArrived(
        "demo", "x", "leg", "sealed", "hash", "4000", "main", arrived_at, b"r", "en", "b", "sdp", earlier=earlier
    )


def line(*commands, state=None, now=NOW):
    state = state or Line()
    events = []
    for command in commands:
        applied = apply(state, command, now)
        state, events = applied.state, [*events, *applied.events]
    return state, events


def of(events, *kinds):
    return [event for event in events if isinstance(event, kinds)]


def test_who_was_in_line_is_in_line_again_without_the_flow():
    state, events = line(came())
    call = state.call
    assert (call.state, call.queue, call.arrived_at, call.generation) == ("queued", "cards", ARRIVED, 2)
    assert call.owed == ("route/1",)
    assert of(events, Reattached) == [Reattached("demo", "x", 2, "b", "a", "hash", ARRIVED, NOW, "4000")]
    assert of(events, ContactOpened) == []
    assert [(e.segment, e.kind) for e in of(events, SegmentStarted)] == [(3, "queue")]
    state, _ = line(c.CallAnswered("x", "leg", b"r"), c.LegRecorded("x", "leg", b"r"), state=state)
    assert {wanted.key for wanted in todo(state.call)} == {"wait/3", "owed/route/1"}


def test_who_was_in_the_flow_begins_it_again_with_the_old_arrival():
    call = line(came(c.EarlierLeg("a", 1, "", 1)))[0].call
    assert (call.state, call.arrived_at, call.generation, call.segments, call.owed) == ("in_flow", ARRIVED, 2, 2, ())


def test_the_site_that_had_it_ends_what_is_left_without_a_word_to_the_router():
    state, _ = line(came(None))
    state, events = line(c.LegMoved("x", 2, "b"), state=state)
    assert (state.call.state, state.call.owed, state.call.generation) == ("closed", ("delete_media",), 2)
    assert of(events, ContactClosed, CallStateChanged) == []
    assert line(c.LegCleared("x", "leg", True, "bye"), state=state)[1] == []


def test_a_talk_that_moved_is_unbound_and_its_agents_phone_is_free():
    state, _ = line(came(None))
    state, _ = line(c.CallAnswered("x", "leg", b"r"), c.LegRecorded("x", "leg", b"r"), state=state)
    state, _ = line(c.FlowReported("x", "route", "cards", 5, "", "en"), state=state)
    state, _ = line(c.OfferReported("x", "r1", "ann", "1001", NOW + 9_000, "cards"), state=state)
    state, _ = line(c.AgentLegPrepared("x", "agent", "r1", b"r"), state=state)
    state, _ = line(c.AgentLegAnswered("x", "agent", "r1", b"r", "sdp"), c.CallBridged("x", "r1"), state=state)
    assert state.call.state == "bridged"
    state, events = line(c.LegMoved("x", 2, "b"), state=state)
    assert of(events, Unbound) == [Unbound("demo", "x", "ann", "r1", "moved")]
    assert [leg.id for leg in state.call.leaving] == ["agent"]
    assert "end_contact" not in state.call.owed


def test_an_older_leg_and_an_unknown_contact_change_nothing():
    state, _ = line(came())
    assert line(c.LegMoved("x", 2, "a"), state=state) == (state, [])
    assert line(c.LegMoved("y", 2, "a")) == (Line(), [])


def test_it_may_come_back_to_the_first_site():
    state, _ = line(came(None), c.LegMoved("x", 2, "b"))
    state, _ = line(came(c.EarlierLeg("b", 2, "cards", 3)), state=state)
    assert (state.call.state, state.call.generation) == ("queued", 3)


class World:
    """This site is b."""

    def __init__(self, silent=LOST_SECONDS):
        self.silent = silent
        self.redials = Redials("b", lambda site: self.silent)

    def says(self, site, message, tenant="demo"):
        self.redials.see(SimpleNamespace(tenant=tenant, stream=message.contact_id, site=site, message=message))

    def opened(self, contact="x", site="a", at=ARRIVED, tenant="demo", caller="hash"):
        message = contact_pb2.ContactOpened(
            contact_id=contact, arrived_at=at, customer_hash=caller, entry_point="4000", site=site
        )
        self.says(site, message, tenant)

    def take(self, tenant="demo", caller="hash", number="4000"):
        return self.redials.take(tenant, caller, number)


def test_the_oldest_place_of_the_same_caller_and_number_once_each():
    world = World()
    world.opened("late", at=2_000)
    world.opened("early", at=1_500)
    world.says("a", contact_pb2.SegmentStarted(contact_id="early", segment=2, queue="cards"))
    world.says("a", contact_pb2.SegmentStarted(contact_id="early", segment=3, queue="cards", agent_id="ann"))
    found = world.take()
    assert (found.contact_id, found.site, found.queue, found.segments, found.leg) == ("early", "a", "cards", 3, 1)
    assert world.take().contact_id == "late"
    assert world.take() is None


@pytest.mark.parametrize("silent", [0.0, LOST_SECONDS - 0.1, REDIAL_SECONDS + 1])
def test_no_place_while_the_site_lives_or_long_after(silent):
    world = World(silent)
    world.opened()
    assert world.take() is None
    world.silent = LOST_SECONDS
    assert world.take() is not None


def test_nobody_elses_place():
    world = World()
    world.opened()
    assert world.take(tenant="other") is None
    assert world.take(caller="another") is None
    assert world.take(number="4001") is None
    world.opened("withheld", caller="")
    assert world.take(caller="") is None
    assert not any(tells_who(number) for number in ("", "anonymous", "+", "restricted"))
    assert tells_who("+4930123456")
    assert tells_who("1001")


def test_never_of_this_site_itself():
    world = World()
    world.opened(site="b")
    assert world.take() is None


@pytest.mark.parametrize(
    "over",
    [
        contact_pb2.ContactClosed(contact_id="x"),
        cti_pb2.CallStateChanged(contact_id="x", state=cti_pb2.CALL_STATE_WRAPPING),
    ],
)
def test_what_was_over_before_the_loss_is_over(over):
    world = World()
    world.opened()
    world.says("a", over)
    assert world.take() is None


def test_a_place_that_was_taken_before_a_restart_is_taken_in_whatever_order_events_are_read():
    for taken_first in (True, False):
        world = World()
        taken = contact_pb2.Reattached(contact_id="x", leg=2, site="b", previous_site="a")
        if taken_first:
            world.says("b", taken)
        world.opened()
        if not taken_first:
            world.says("b", taken)
        assert world.take() is None


def test_who_went_to_the_other_site_and_loses_that_one_too_has_the_place_here_again():
    world = World()
    gone = contact_pb2.Reattached(
        contact_id="x", leg=2, site="a", previous_site="b", customer_hash="hash", arrived_at=ARRIVED, entry_point="4000"
    )
    world.says("a", gone)
    world.says("a", contact_pb2.SegmentStarted(contact_id="x", segment=4, queue="cards"))
    found = world.take()
    assert (found.site, found.leg, found.arrived_at, found.queue, found.segments) == ("a", 2, ARRIVED, "cards", 4)
    world.says("a", gone)
    assert world.take() is None
