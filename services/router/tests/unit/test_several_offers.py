"""A contact that is offered to several agents at once: the first who accepts has it."""

import pytest
from junctor_router.application.queries import agent_message
from junctor_router.domain.commands import (
    AcceptReservation,
    CancelTask,
    EndContact,
    LogIn,
    LogOut,
    RejectReservation,
    RequeueTask,
)
from junctor_router.domain.configuration import AgentValue
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import AgentState, Channel, ReservationState, TaskState
from router_given import names

AGENTS = ("ann", "bob", "cem", "dil")


@pytest.fixture
def wide(centre):
    centre.queue("chats", offer_agents=3, wrap_up_ms=0)
    for name in AGENTS:
        centre.agent(name)
        centre.wait(1_000)
    return centre


def arrive(centre, contact_id="t1"):
    return centre.arrive(contact_id, queue="chats", channel=Channel.CHAT)


def offered(centre, contact_id="t1"):
    return [offer.agent_id for offer in centre.task(contact_id).offers]


def accept(centre, agent_id, contact_id="t1"):
    offer = centre.task(contact_id).offer_to(agent_id)
    return centre.do(AcceptReservation(agent_id, offer.reservation_id, contact_id))


def load(centre, agent_id):
    return centre.person(agent_id).load.get(Channel.CHAT, 0)


def test_as_many_agents_as_the_queue_says_are_offered_it_in_the_order_of_their_idle_time(wide):
    events = arrive(wide).events
    assert names(events) == ["TaskQueued"] + 3 * ["ReservationCreated"]
    assert offered(wide) == ["ann", "bob", "cem"]
    assert len({event.reservation_id for event in events[1:]}) == 3
    assert {event.expires_at for event in events[1:]} == {wide.now + 20_000}


def test_the_first_who_accepts_has_it_and_the_others_keep_their_slots_and_ranks(wide):
    arrive(wide)
    losers = [wide.task("t1").offer_to(name).reservation_id for name in ("ann", "cem")]
    events = accept(wide, "bob").events
    assert names(events) == ["ReservationAccepted", "ReservationEnded", "ReservationEnded"]
    assert [(event.reservation_id, event.state, event.cause) for event in events[1:]] == [
        (id, ReservationState.RESCINDED, "accepted_elsewhere") for id in losers
    ]
    assert (wide.task("t1").agent_id, wide.task("t1").others) == ("bob", ())
    assert [load(wide, name) for name in AGENTS] == [0, 1, 0, 0]
    late = wide.do(AcceptReservation("ann", losers[0], "t1"))
    assert late.refusal.reason == "RESERVATION_ENDED"
    arrive(wide, "t2")
    assert offered(wide, "t2")[0] == "ann"


def test_who_rejects_leaves_it_to_the_others_and_the_last_puts_it_back(wide):
    arrive(wide)
    first = wide.task("t1").offers[0]
    assert names(wide.do(RejectReservation("ann", first.reservation_id, "t1", "declined")).events) == [
        "ReservationEnded"
    ]
    assert (wide.task("t1").state, offered(wide)) == (TaskState.RESERVED, ["bob", "cem"])
    for name in ("cem", "bob"):
        offer = wide.task("t1").offer_to(name)
        outcome = wide.do(RejectReservation(name, offer.reservation_id, "t1", "declined"))
    assert names(outcome.events) == ["ReservationEnded", "TaskRequeued", "ReservationCreated"]
    assert offered(wide) == ["dil"]


def test_a_time_out_is_one_time_out_of_the_contact_and_everybody_who_let_it_ring_does_not_respond(wide):
    arrive(wide)
    wide.do(LogOut("dil"))
    events = wide.wait(20_000)
    assert names(events).count("TaskRequeued") == 1
    assert [e.agent_id for e in events if names([e]) == ["ReservationEnded"]] == ["ann", "bob", "cem"]
    assert {wide.person(name).state for name in ("ann", "bob", "cem")} == {AgentState.NOT_RESPONDING}
    assert wide.wait(60_000) == []


@pytest.mark.parametrize("command", [CancelTask("t1"), RequeueTask("t1")])
def test_all_offers_end_with_the_contact(wide, command):
    arrive(wide)
    events = wide.do(command).events
    assert names(events).count("ReservationEnded") == 3
    held = 0 if isinstance(command, CancelTask) else 1
    assert sum(load(wide, name) for name in AGENTS) == held


def test_one_who_leaves_takes_only_the_own_offer_along(wide):
    arrive(wide)
    assert names(wide.do(LogOut("ann")).events) == ["ReservationEnded", "AgentStateChanged"]
    assert offered(wide) == ["bob", "cem"]


def test_contacts_in_line_come_before_further_offers(centre):
    centre.queue("chats", offer_agents=2, wrap_up_ms=1_000)
    for name in ("ann", "bob"):
        centre.configure(name, AgentValue({}, "p", {Channel.CHAT: 1}))
        centre.do(LogIn(name, state=AgentState.READY))
        arrive(centre, f"of-{name}")
        accept(centre, name, f"of-{name}")
    arrive(centre, "t1")
    arrive(centre, "t2")
    for name in ("ann", "bob"):
        centre.do(EndContact(f"of-{name}"))
    centre.wait(1_000)
    assert (offered(centre, "t1"), offered(centre, "t2")) == (["ann"], ["bob"])


def test_calls_ring_at_one_agent_only(wide):
    wide.arrive("v1", queue="chats")
    assert offered(wide, "v1") == ["ann"]


def test_each_agent_sees_the_own_reservation(wide):
    arrive(wide)
    state = wide.pool.state
    seen = [agent_message(state, state.agents[name]).tasks[0] for name in ("ann", "bob")]
    assert [task.agent_id for task in seen] == ["ann", "bob"]
    assert seen[0].reservation_id != seen[1].reservation_id
    assert len(seen[0].offered_to) == 3


def test_it_is_explained(wide):
    arrive(wide)
    assert "At the same time to bob (longest idle), cem (longest idle)" in (
        explain_contact(wide.pool.state, wide.task("t1")).summary
    )


def test_a_restart_keeps_all_offers(wide):
    arrive(wide)
    wide.pool = wide.restored()
    assert offered(wide) == ["ann", "bob", "cem"]
    assert names(accept(wide, "cem").events) == ["ReservationAccepted", "ReservationEnded", "ReservationEnded"]
