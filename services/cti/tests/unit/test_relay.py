"""A relay's legs, step by step; who has a phone; what another site's edge shows."""

import itertools
from dataclasses import replace

import pytest
from junctor_cti.application.device_slots import DeviceSlots
from junctor_cti.application.other_sites import OtherSites, Ticket
from junctor_cti.domain import commands as c
from junctor_cti.domain.call import Call, Leg, Offer
from junctor_cti.domain.decide import Line, apply, is_live
from junctor_cti.domain.relay import contact_of
from junctor_cti.domain.todo import relay_todo

CONTACT, TRUNK = "k1", "leg-1"
STREAM = f"relay/{CONTACT}/{TRUNK}"
PHONE = f"{STREAM}/phone"
ARRIVED = c.RelayArrived("demo", CONTACT, TRUNK, "r1", "alice", "1001", "a", "+86138", "offer", b"trunk")
PREPARED = c.AgentLegPrepared(STREAM, PHONE, "r1", b"phone")
RANG_UP = c.AgentLegAnswered(STREAM, PHONE, "r1", b"phone2", "answer")
ANSWERED = c.CallAnswered(STREAM, TRUNK, b"trunk2")
ACKED = c.LegRecorded(STREAM, TRUNK, b"trunk3")
TRUNK_GONE = c.LegCleared(STREAM, TRUNK, True, "bye")
PHONE_GONE = c.LegCleared(STREAM, PHONE, False, "bye")


def after(*commands):
    line, states = Line(), []
    for command in commands:
        applied = apply(line, command, 0)
        line = applied.state
        states += [event.state for event in applied.events]
    return line, states


def wanted(*commands):
    line, _ = after(*commands)
    return [todo.key for todo in relay_todo(line.relay)]


def test_the_way_of_a_talk():
    assert wanted(ARRIVED) == ["ring/r1"]
    assert wanted(ARRIVED, PREPARED) == [f"send_invite/{PHONE}"]
    assert wanted(ARRIVED, PREPARED, RANG_UP) == [f"answer/{TRUNK}"]
    assert wanted(ARRIVED, PREPARED, RANG_UP, ANSWERED) == [f"send_answer/{TRUNK}"]
    talk = (ARRIVED, PREPARED, RANG_UP, ANSWERED, ACKED)
    assert wanted(*talk) == []
    assert wanted(*talk, TRUNK_GONE) == [f"clear/{PHONE}"]
    assert wanted(*talk, PHONE_GONE) == [f"clear/{TRUNK}"]
    line, states = after(*talk, TRUNK_GONE, PHONE_GONE)
    assert states == ["ringing", "answered", "talking", "ended"]
    assert not is_live(line)


@pytest.mark.parametrize("code", [480, 486])
def test_a_phone_that_refuses_refuses_the_other_site(code):
    refused = (ARRIVED, PREPARED, c.AgentLegFailed(STREAM, PHONE, "r1", code))
    assert wanted(*refused) == [f"refuse/{TRUNK}"]
    assert after(*refused)[0].relay.code == code
    assert not is_live(after(*refused, TRUNK_GONE)[0])


def test_the_other_site_gives_up_before_the_leg_is_journalled():
    gone = (ARRIVED, TRUNK_GONE, PREPARED)
    assert wanted(*gone) == [f"cancel/{PHONE}"]
    assert not is_live(after(*gone, c.AgentLegFailed(STREAM, PHONE, "r1", 487))[0])


def test_an_answer_that_crosses_the_end_is_cleared():
    assert wanted(ARRIVED, PREPARED, TRUNK_GONE, RANG_UP) == [f"clear/{PHONE}"]


def test_a_step_that_fails_for_good_ends_it():
    failed = c.StepFailed(STREAM, "ring", "no log", "")
    assert wanted(ARRIVED, failed) == [f"refuse/{TRUNK}"]
    assert wanted(ARRIVED, PREPARED, RANG_UP, ANSWERED, failed) == [f"clear/{TRUNK}", f"clear/{PHONE}"]


def test_whatever_comes_twice_or_late_it_ends_once_its_legs_are_gone():
    steps = (PREPARED, RANG_UP, ANSWERED, ACKED, PHONE_GONE, TRUNK_GONE)
    for order in itertools.permutations(steps):
        line, states = after(ARRIVED, *order, *order, PHONE_GONE, TRUNK_GONE)
        assert not is_live(line), order
        assert states.count("ended") == 1, order


def test_a_relay_names_its_contact():
    assert (contact_of(STREAM), contact_of(CONTACT)) == (CONTACT, CONTACT)


def _call(contact_id, reservation_id, *, site="", answered=False):
    leg = Leg(f"{contact_id}/{reservation_id}", "up" if answered else "prepared", b"")
    offer = Offer(reservation_id, "alice", "1001", 0, site=site)
    call = Call("demo", contact_id, "bridged" if answered else "offered", 0, 0, "", "", "", "", "", leg, None)
    return Line(call=replace(call, agent=leg, offer=offer))


def test_a_phone_is_one_streams_until_that_lets_it_go():
    slots = DeviceSlots()
    assert slots.take("demo", "1001", "c1", "r1") is None
    assert slots.take("demo", "1001", "c1", "r1") is None
    assert slots.take("demo", "1001", "c2", "r2").reservation_id == "r1"
    assert slots.take("other", "1001", "c3", "r3") is None
    slots.see("c1", _call("c1", "r1", answered=True))
    assert slots.take("demo", "1001", STREAM, "r4").talking
    ended = Line(call=replace(_call("c1", "r1").call, state="wrapping", agent=None, offer=None))
    slots.see("c1", ended)
    assert slots.take("demo", "1001", "c2", "r2") is None


def test_a_claim_outlives_entries_that_say_nothing_of_the_phone():
    slots = DeviceSlots()
    slots.take("demo", "1001", "c1", "r1")
    slots.see("c1", Line(call=replace(_call("c1", "r1").call, agent=None)))
    assert slots.take("demo", "1001", "c2", "r2") is not None
    slots.see("c1", None)
    assert slots.take("demo", "1001", "c2", "r2") is None


def test_a_phone_that_another_site_rings_holds_no_phone_here():
    slots = DeviceSlots()
    slots.see("c1", _call("c1", "r1", site="b"))
    assert slots.take("demo", "1001", "c2", "r2") is None


def test_after_a_take_over_phones_are_held_as_the_journal_says():
    slots = DeviceSlots()
    line, _ = after(ARRIVED, PREPARED)
    slots.see(STREAM, line)
    assert slots.take("demo", "1001", "c2", "r2").stream == STREAM


TICKET = Ticket("a", "demo", "k&1", "r/1", "alice", "1001", 3, 2)


def test_a_ticket_is_good_for_its_call_and_its_time():
    a, b = OtherSites("a", {"b": "h:1"}, b"secret"), OtherSites("b", {"a": "h:2"}, b"secret")
    header = a.sign(TICKET, "sdp", 1_000_000)
    assert b.verified(header, "sdp", 1_005_000) == TICKET
    assert b.verified(header, "other sdp", 1_005_000) is None
    assert b.verified(header, "sdp", 1_031_000) is None
    assert OtherSites("b", {"a": "h:2"}, b"other").verified(header, "sdp", 1_005_000) is None
    assert OtherSites("b", {"c": "h:2"}, b"secret").verified(header, "sdp", 1_005_000) is None
    for broken in ("", "&", "a&b", header[:-1], header.replace("1001", "1002"), "ü&x"):
        assert b.verified(broken, "sdp", 1_005_000) is None
    assert (a.first(), a.uri("b", "1001"), OtherSites("a", {}, b"").first()) == ("b", "sip:1001@h:1", None)
