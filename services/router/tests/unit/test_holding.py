"""Contacts kept for an agent for a while, and contacts for later that keep their place."""

import pytest
from junctor_router.domain.commands import LogOut, RejectReservation, RequeueTask
from junctor_router.domain.configuration import CalendarValue, OpenHours, QueueValue, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import AgentState, TaskState


@pytest.fixture
def two(centre):
    """ann is in a call, bob is free."""
    centre.agent("ann")
    centre.arrive("busy")
    centre.accept("busy")
    centre.agent("bob")
    return centre


def test_a_contact_waits_for_its_last_agent_and_then_anyone_takes_it(two):
    two.arrive("c1", preferred_agents=("ann",), hold_ms=10_000)
    assert two.task("c1").state is TaskState.QUEUED
    assert explain_contact(two.pool.state, two.task("c1")).reasons == (
        "It is kept for ann for 10 s more.",
        "ann: has as many voice contacts as allowed (1).",
    )
    events = two.wait(10_000)
    assert [type(event).__name__ for event in events] == ["StepEntered", "ReservationCreated"]
    assert (events[0].cause, two.task("c1").agent_id) == ("released", "bob")


def test_the_last_agent_who_becomes_free_in_time_gets_it(two):
    two.arrive("other", excluded_agents=("bob",))
    two.arrive("c1", preferred_agents=("ann",), hold_ms=10_000)
    two.wait(9_000)
    two.do(RequeueTask("busy"))
    assert (two.task("c1").agent_id, two.task("c1").chosen_by) == ("ann", "preferred by the request")
    assert two.task("busy").agent_id == "bob"


def test_who_is_not_here_is_not_waited_for(two):
    two.agent("cem", None)
    two.arrive("c1", preferred_agents=("cem", "ghost"), hold_ms=10_000)
    assert two.task("c1").agent_id == "bob"


def test_when_the_last_agent_leaves_the_contact_is_released(two):
    two.agent("cem", AgentState.NOT_READY)
    two.arrive("c1", preferred_agents=("cem",), hold_ms=60_000)
    two.do(LogOut("cem"))
    two.wait(1)
    assert two.task("c1").agent_id == "bob"


def test_a_last_agent_who_declines_is_waited_for_no_longer(centre):
    centre.agent("ann")
    centre.arrive("c1", preferred_agents=("ann",), hold_ms=60_000)
    centre.agent("bob")
    centre.do(RejectReservation("ann", centre.task("c1").reservation_id, "c1", "declined"))
    assert centre.task("c1").agent_id == "bob"


def test_the_plans_time_begins_after_the_hold(two):
    two.queue("loans", Step("loan >= 5", 5_000), overflow="voicemail")
    two.arrive("c1", queue="loans", preferred_agents=("ann",), hold_ms=10_000)
    two.wait(14_000)
    assert two.task("c1").step_until == two.task("c1").step_entered_at + 5_000
    two.wait(1_000)
    assert "c1" not in two.pool.state.tasks


def test_a_callback_is_offered_at_its_time_and_keeps_its_place(centre):
    arrived = centre.now
    centre.arrive("callback", arrived_at=arrived, not_before=centre.now + 60_000)
    centre.wait(30_000)
    assert centre.arrive("c1").response.position == 1
    centre.agent("ann")
    assert (centre.task("c1").agent_id, centre.task("callback").state) == ("ann", TaskState.QUEUED)
    centre.arrive("c2")
    centre.wait(29_999)
    centre.agent("bob", AgentState.NOT_READY)
    assert explain_contact(centre.pool.state, centre.task("callback")).reasons[0].startswith("It is for later")
    centre.wait(1)
    centre.agent("cem")
    assert centre.task("callback").agent_id == "cem"
    assert centre.task("c2").state is TaskState.QUEUED


def test_a_callback_then_waits_for_its_named_agent(two):
    two.arrive("c1", preferred_agents=("ann",), hold_ms=10_000, not_before=two.now + 5_000)
    two.wait(5_000)
    assert two.task("c1").held_until == two.now + 10_000
    two.pool = two.restored()
    two.wait(10_000)
    assert two.task("c1").agent_id == "bob"


def test_a_callback_for_when_the_queue_is_closed_is_closed_at_once(centre):
    centre.configure(
        "nine", CalendarValue("UTC", (OpenHours(tuple(range(7)), 0, 24 * 60),), ("2027-01-16",)), "calendar"
    )
    centre.configure("sales", QueueValue(calendar="nine"))
    day = 24 * 3_600_000
    assert centre.arrive("c1", not_before=centre.now + 60_000).response.state is TaskState.QUEUED
    assert centre.arrive("c2", not_before=centre.now + day).response.state is TaskState.CANCELED


@pytest.mark.parametrize(
    ("field", "value"), [("hold_ms", -1), ("hold_ms", 10**9), ("not_before", -1), ("not_before", 10**18)]
)
def test_times_that_make_no_sense_are_refused(centre, field, value):
    assert centre.arrive("c1", **{field: value}).refusal.reason == f"{field.upper()}_OUT_OF_RANGE".replace("_MS", "")
