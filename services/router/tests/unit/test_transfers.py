"""Transfers: to another queue, and to a named agent."""

import pytest
from junctor_router.domain.commands import CompleteTask, EndContact, LogIn, LogOut, RejectReservation, RequeueTask
from junctor_router.domain.configuration import AgentValue, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import AgentState, Channel, TaskState
from router_given import names


@pytest.fixture
def talking(centre):
    """Ann has c1; Bob, who meets nothing, and Cem, who does, are there."""
    centre.queue("loans", Step("loan >= 5"))
    centre.agent("ann", loan=9)
    centre.arrive("c1", queue="loans")
    centre.accept("c1")
    centre.agent("bob")
    centre.agent("cem", loan=9)
    centre.wait(60_000)
    return centre


def test_a_named_agent_is_offered_it_whatever_the_queue_requires(talking):
    arrived = talking.task("c1").arrived_at
    events = talking.do(RequeueTask("c1", agent_id="ann", to_agent_id="bob")).events
    assert names(events) == ["TaskRequeued", "ReservationCreated"]
    assert (events[0].cause, events[0].agent_id, events[0].to_agent_id) == ("transferred", "ann", "bob")
    assert (events[1].agent_id, talking.task("c1").arrived_at) == ("bob", arrived)


def test_a_busy_one_is_waited_for_and_after_that_the_queue_serves_it(talking):
    talking.arrive("c3", preferred_agents=("bob",))
    talking.accept("c3")
    assert talking.task("c3").agent_id == "bob"
    talking.do(RequeueTask("c1", to_agent_id="bob", hold_ms=5_000))
    assert talking.task("c1").state is TaskState.QUEUED
    assert "It is kept for bob for 5 s more." in explain_contact(talking.pool.state, talking.task("c1")).reasons
    events = talking.wait(5_000)
    assert names(events) == ["StepEntered", "ReservationCreated"]
    assert (events[0].cause, events[1].agent_id) == ("released", "cem")


def test_it_comes_as_soon_as_the_named_agent_is_free(centre):
    for name in ("ann", "bob"):
        centre.agent(name)
        centre.arrive(f"of-{name}")
        centre.accept(f"of-{name}")
    centre.arrive("waits-longer", arrived_at=centre.now - 90_000)
    centre.do(RequeueTask("of-ann", to_agent_id="bob"))
    centre.do(EndContact("of-bob"))
    centre.do(CompleteTask("bob", "of-bob"))
    assert centre.task("of-ann").agent_id == "bob"


def test_a_named_agent_who_leaves_lets_it_go(talking):
    talking.arrive("v2", preferred_agents=("bob",))
    talking.accept("v2")
    talking.do(RequeueTask("c1", to_agent_id="bob", hold_ms=600_000))
    talking.do(LogOut("bob"))
    talking.do(EndContact("v2"))
    talking.wait(10_000)
    assert talking.task("c1").agent_id == "cem"


def test_a_named_agent_who_declines_leaves_it_to_the_queue_at_once(talking):
    talking.do(RequeueTask("c1", to_agent_id="bob", hold_ms=40_000))
    offer = talking.task("c1").offers[0]
    talking.do(RejectReservation("bob", offer.reservation_id, "c1", "declined"))
    assert talking.task("c1").agent_id == "cem"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (RequeueTask("c1", to_agent_id="ghost"), "AGENT_UNKNOWN"),
        (RequeueTask("c1", to_agent_id="off"), "AGENT_NOT_LOGGED_IN"),
        (RequeueTask("c1", to_agent_id="ann"), "TRANSFER_TO_HOLDER"),
        (RequeueTask("c1", to_agent_id="chats"), "CHANNEL_NOT_SERVED"),
        (RequeueTask("c1", to_agent_id="bob", hold_ms=-1), "HOLD_OUT_OF_RANGE"),
        (RequeueTask("c1", agent_id="bob"), "TASK_OF_ANOTHER"),
        (RequeueTask("c1", "nowhere"), "QUEUE_UNKNOWN"),
        (RequeueTask("c9", to_agent_id="bob"), "TASK_UNKNOWN"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(talking, command, reason):
    talking.agent("off", state=None)
    talking.configure("chats", AgentValue({}, "p"))
    talking.do(LogIn("chats", (Channel.CHAT,), AgentState.READY))
    before = talking.pool.hash()
    assert talking.do(command).refusal.reason == reason
    assert talking.pool.hash() == before


def test_to_another_queue_it_begins_at_the_first_step_there(talking):
    talking.queue("sales-two", Step("loan >= 20", 1_000), Step(""))
    talking.do(RequeueTask("c1", "sales-two", "transfer"))
    assert (talking.task("c1").queue, talking.task("c1").step) == ("sales-two", 0)
    assert names(talking.wait(1_000)) == ["StepEntered", "ReservationCreated"]


def test_a_restart_keeps_whom_it_is_kept_for(talking):
    talking.do(LogOut("bob"))
    talking.do(LogIn("bob", state=AgentState.NOT_READY))
    talking.do(RequeueTask("c1", to_agent_id="bob"))
    talking.pool = talking.restored()
    talking.do(LogIn("bob", state=AgentState.READY))
    assert talking.task("c1").agent_id == "bob"
