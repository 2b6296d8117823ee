"""Edges of two sites: offers reach only who is heard, and the roll call of a site epoch says what agents' slots hold."""

import pytest
from junctor_router.domain.commands import (
    AcceptReservation,
    AgentStreamOpened,
    EdgeReported,
    EndContact,
    ReportDevice,
    RequestTask,
    RequeueTask,
    RollCallAnswered,
    Slot,
)
from junctor_router.domain.configuration import Step
from junctor_router.domain.edges import LOST_MS
from junctor_router.domain.explanation import explain_agent, explain_contact
from junctor_router.domain.values import Channel, DeviceState, TaskState
from router_given import names

PHONES_A, PHONES_B = "cti/a/0", "cti/b/0"


def heard(centre, *edges, reachable=True):
    events = []
    for edge in edges:
        events += centre.do(EdgeReported(edge, reachable, edge.count("/") == 2)).events
    return events + centre.wait(20)


def silent(centre, *edges):
    return heard(centre, *edges, reachable=False)


def person(centre, name, edge=PHONES_B):
    centre.agent(name)
    centre.do(ReportDevice(name, DeviceState.IDLE, edge=edge))


def arrive(centre, contact_id, site="a", channel=Channel.VOICE, queue="sales"):
    return centre.do(RequestTask(contact_id, channel, queue, edge=f"cti/{site}", arrived_at=centre.now))


def begin(centre, epoch):
    """As a take-over does; what it issues again is by reservation."""
    pool = centre.pool
    issued = pool.reissued(epoch, centre.now)
    pool.begin(epoch, centre.now, issued)
    return {one.contact_id: one for one in issued}


def answer(centre, *slots, edge=PHONES_B, epoch=2):
    said = [Slot(agent, contact, reservation, talking) for agent, contact, reservation, talking in slots]
    return centre.do(RollCallAnswered(edge, epoch, tuple(said))).events


@pytest.fixture
def two(centre):
    """Agents ann at site a and bob at site b, both sites heard."""
    centre.queue("sales")
    heard(centre, "cti/a", "cti/b", PHONES_A, PHONES_B)
    person(centre, "ann", PHONES_A)
    person(centre, "bob", PHONES_B)
    return centre


def why_agent(centre, agent):
    return " ".join(explain_agent(centre.pool.state, centre.person(agent)).reasons)


def why_contact(centre, contact):
    return " ".join(explain_contact(centre.pool.state, centre.task(contact)).reasons)


def same_everywhere(centre):
    assert centre.restored().hash() == centre.pool.hash()
    if not centre.pool.state.site_epoch > 1:
        assert centre.replayed().hash() == centre.pool.hash()


def test_edges_that_were_never_heard_of_are_not_watched_over(centre):
    centre.queue("sales")
    centre.agent("ann")
    arrive(centre, "t1")
    assert centre.task("t1").agent_id == "ann"
    assert silent(centre, "omnichannel/z") == []
    arrive(centre, "t2")
    same_everywhere(centre)


def test_agents_whose_edge_is_silent_are_passed_over_until_it_is_heard(two):
    silent(two, PHONES_B)
    arrive(two, "t1")
    arrive(two, "t2")
    assert two.task("t1").agent_id == "ann"
    assert two.task("t2").state is TaskState.QUEUED
    assert "edge cti/b/0 is not reached" in why_agent(two, "bob")
    same_everywhere(two)
    assert "ReservationCreated" in names(heard(two, PHONES_B))
    assert two.task("t2").agent_id == "bob"
    same_everywhere(two)


def test_a_contact_whose_edge_is_silent_keeps_its_place_and_is_passed_over(two):
    silent(two, PHONES_A, PHONES_B)
    for contact, site in (("t1", "b"), ("t2", "a")):
        arrive(two, contact, site)
        two.wait(10)
    silent(two, "cti/b")
    heard(two, PHONES_A)
    assert two.task("t2").agent_id == "ann"
    assert two.task("t1").state is TaskState.QUEUED
    assert "not reached" in why_contact(two, "t1")
    arrive(two, "t3", "a")
    heard(two, "cti/b")
    same_everywhere(two)
    heard(two, PHONES_B)
    assert two.task("t1").agent_id == "bob"
    same_everywhere(two)


def test_what_rings_across_is_taken_back_at_once_and_rings_elsewhere(two):
    arrive(two, "t1")
    arrive(two, "t2", "b")
    first, second = two.task("t1").agent_id, two.task("t2").agent_id
    assert {first, second} == {"ann", "bob"}
    person(two, "cid", PHONES_A)
    events = silent(two, PHONES_B, "cti/b")
    assert [event.cause for event in events if type(event).__name__ == "ReservationEnded"] == ["unreachable"] * 2
    assert two.task("t1").agent_id in {"ann", "cid"}
    assert two.task("t2").state is TaskState.QUEUED
    same_everywhere(two)


def test_a_talk_goes_on_when_an_edge_falls_silent(two):
    arrive(two, "t1")
    two.accept("t1")
    assert silent(two, PHONES_A, PHONES_B, "cti/a", "cti/b") == []
    assert two.task("t1").state is TaskState.ASSIGNED


def test_a_plan_runs_on_while_the_contact_cannot_be_reached(two):
    two.queue("short", Step("", duration_ms=5_000), overflow="voicemail")
    silent(two, "cti/b")
    arrive(two, "t1", "b", queue="short")
    events = two.wait(5_000)
    assert [(e.contact_id, e.treatment) for e in events if type(e).__name__ == "TaskOverflowed"] == [
        ("t1", "voicemail")
    ]


def test_a_workspace_across_a_cut_link_gets_nothing_in_any_channel(two):
    two.do(AgentStreamOpened("bob", "router/b/p1"))
    heard(two, "router/a", "router/b")
    silent(two, "router/b", PHONES_A)
    arrive(two, "t1", channel=Channel.CHAT)
    assert two.task("t1").agent_id == "ann"
    assert "workspace" in why_agent(two, "bob")
    two.do(AgentStreamOpened("bob", "router/a/p2"))
    two.do(EndContact("t1"))
    arrive(two, "t2")
    assert two.task("t2").agent_id == "bob"
    same_everywhere(two)


def test_a_phone_that_is_registered_elsewhere_since_is_not_gone(two):
    two.do(ReportDevice("ann", DeviceState.IDLE, edge=PHONES_B))
    two.do(ReportDevice("ann", DeviceState.UNREGISTERED, edge=PHONES_A))
    assert (two.person("ann").edge, two.person("ann").device) == (PHONES_B, DeviceState.IDLE)
    silent(two, PHONES_A)
    arrive(two, "t1")
    assert two.task("t1").agent_id == "ann"
    two.do(ReportDevice("ann", DeviceState.UNREGISTERED, edge=PHONES_B))
    assert two.person("ann").device is DeviceState.UNREGISTERED


def test_after_a_site_epoch_began_phones_ring_only_once_their_edge_has_answered(two):
    begin(two, 2)
    arrive(two, "t1")
    assert two.task("t1").state is TaskState.QUEUED
    assert "not said what its phones hold" in why_agent(two, "bob")
    same_everywhere(two)
    answer(two, epoch=1)
    assert two.task("t1").state is TaskState.QUEUED
    answer(two)
    assert two.task("t1").agent_id == "bob"
    same_everywhere(two)


def test_an_agent_whose_slot_is_empty_is_free_and_the_contact_waits_for_its_own_edge(two):
    silent(two, PHONES_A)
    arrive(two, "t1")
    two.accept("t1")
    arrive(two, "t2", "b")
    begin(two, 2)
    silent(two, "cti/a")
    events = answer(two)
    ended = next(event for event in events if type(event).__name__ == "ReservationEnded")
    assert (ended.contact_id, ended.cause, ended.agent_id) == ("t1", "slot_empty", "bob")
    assert two.task("t2").agent_id == "bob"
    assert two.task("t1").state is TaskState.QUEUED
    heard(two, "cti/a")
    answer(two, edge=PHONES_A)
    heard(two, PHONES_A)
    assert two.task("t1").state is TaskState.QUEUED, "out of line though ann is free"
    assert "a word from its edge cti/a" in why_contact(two, "t1")
    same_everywhere(two)
    two.do(RequeueTask("t1"))
    assert two.task("t1").agent_id == "ann"
    same_everywhere(two)


@pytest.mark.parametrize("word", ["requested", "ended", "nothing"])
def test_the_contacts_own_edge_says_what_becomes_of_it(two, word):
    silent(two, PHONES_A)
    arrive(two, "t1")
    two.accept("t1")
    begin(two, 2)
    answer(two)
    task = two.task("t1")
    assert task.agent_id == ""
    arrived = task.arrived_at
    if word == "requested":
        two.wait(100)
        arrive(two, "t1")
        assert (two.task("t1").agent_id, two.task("t1").arrived_at) == ("bob", arrived)
    elif word == "ended":
        assert names(two.do(EndContact("t1", "customer")).events) == ["TaskCanceled"]
    else:
        assert two.wait(LOST_MS - 1) == []
        (event,) = two.wait(1)
        assert (event.contact_id, event.cause) == ("t1", "lost_with_site")
    same_everywhere(two)


def test_a_talk_that_the_slot_has_stays_and_one_that_is_not_known_keeps_the_agent_from_rings(two):
    arrive(two, "t1")
    two.accept("t1")
    talker = two.task("t1").agent_id
    talking = (talker, "t1", two.task("t1").reservation_id, True)
    edge = two.person(talker).edge
    other = next(name for name in ("ann", "bob") if name != talker)
    unknown = (other, "t9", "acme.default.1.77.1", True)
    begin(two, 2)
    for at in (PHONES_A, PHONES_B):
        answer(two, *([talking] if at == edge else [unknown]), edge=at)
    assert two.task("t1").agent_id == talker
    arrive(two, "t2", "b")
    assert two.task("t2").state is TaskState.QUEUED
    assert "acme.default.1.77.1" in why_agent(two, other)
    same_everywhere(two)
    answer(two, edge=two.person(other).edge)
    assert two.task("t2").agent_id == other
    same_everywhere(two)


def test_rings_that_were_issued_again_are_not_ended_by_an_answer_that_has_not_heard_of_them(two):
    arrive(two, "t1")
    again = begin(two, 2)["t1"]
    for edge in (PHONES_A, PHONES_B):
        answer(two, (again.agent_id, "t1", again.previous_reservation_id, False), edge=edge)
    assert two.task("t1").state is TaskState.RESERVED
    assert two.do(AcceptReservation(again.agent_id, again.reservation_id, "t1")).refusal is None
    answer(two)
    assert two.task("t1").state is TaskState.ASSIGNED


def test_a_later_answer_leaves_ended_talks_to_a_contacts_edge_that_is_heard(two):
    silent(two, PHONES_A)
    arrive(two, "t1")
    two.accept("t1")
    begin(two, 2)
    answer(two, ("bob", "t1", two.task("t1").reservation_id, True))
    answer(two)
    assert two.task("t1").state is TaskState.ASSIGNED, "cti/a will say how it ended"
    silent(two, "cti/a")
    answer(two)
    assert two.task("t1").agent_id == ""


def test_a_join_that_comes_after_the_agents_edge_gave_it_up_occupies_nobody(two):
    """The model's first hole: the fact of the contact's edge is late, and its agent is free already."""
    silent(two, PHONES_A)
    arrive(two, "t1")
    two.accept("t1")
    late = two.task("t1").reservation_id
    begin(two, 2)
    answer(two)
    refused = two.do(AcceptReservation("bob", late, "t1")).refusal
    assert refused is not None
    arrive(two, "t2", "b")
    assert two.task("t2").agent_id == "bob"
    assert two.do(AcceptReservation("bob", late, "t1")).refusal is not None
    assert two.task("t2").state is TaskState.RESERVED, "a stale join displaces no pending reservation"
    same_everywhere(two)


def test_a_join_of_what_was_taken_back_unheard_occupies_nobody(two):
    """The edge across a cut link never heard that the offer ended: its accept comes when the link is mended."""
    silent(two, PHONES_A)
    arrive(two, "t1")
    late = two.task("t1").reservation_id
    silent(two, PHONES_B)
    heard(two, PHONES_A)
    assert two.task("t1").agent_id == "ann"
    heard(two, PHONES_B)
    assert two.do(AcceptReservation("bob", late, "t1")).refusal is not None
    assert (two.task("t1").agent_id, two.person("bob").tasks) == ("ann", {})
    same_everywhere(two)
