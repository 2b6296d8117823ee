"""A contact's way: given a pool, when a command comes, then events and states."""

import pytest
from junctor_router.domain.commands import (
    AcceptReservation,
    CancelTask,
    CompleteTask,
    EndContact,
    ExtendWrapUp,
    RejectReservation,
    RequeueTask,
)
from junctor_router.domain.configuration import CalendarValue, OpenHours, QueueValue, Step
from junctor_router.domain.values import AgentState, Channel, ReservationState, TaskState
from router_given import names


def test_an_idle_agent_is_offered_the_contact_at_once(centre):
    centre.agent("ann")
    outcome = centre.arrive("c1")
    assert names(outcome.events) == ["TaskQueued", "ReservationCreated"]
    assert (outcome.response.state, outcome.response.position) == (TaskState.RESERVED, 0)
    assert outcome.events[1].expires_at == centre.now + 20_000


def test_without_an_agent_it_waits_in_order_of_priority_and_arrival(centre):
    late = centre.arrive("a-late", arrived_at=2_000).response
    early = centre.arrive("b-early", arrived_at=1_000).response
    urgent = centre.arrive("c-urgent", arrived_at=3_000, priority=1).response
    assert (late.position, early.position, urgent.position) == (1, 1, 1)
    centre.agent("ann")
    assert centre.task("c-urgent").state is TaskState.RESERVED
    centre.agent("bob")
    assert centre.task("b-early").agent_id == "bob"
    assert centre.task("a-late").state is TaskState.QUEUED


def test_asked_again_nothing_changes(centre):
    centre.arrive("c1")
    again = centre.arrive("c1", queue="elsewhere")
    assert (again.events, again.response.position) == ((), 1)


def test_accept_end_wrap_up_complete(centre):
    centre.agent("ann")
    centre.arrive("c1", data={"segment": "gold"})
    assert names(centre.accept("c1").events) == ["ReservationAccepted"]
    centre.wait(30_000)
    assert centre.do(EndContact("c1")).response.state is TaskState.WRAPPING
    centre.wait(1_000)
    completed = centre.do(CompleteTask("ann", "c1", "sold", 120)).events[0]
    assert (completed.ended_at - completed.assigned_at, completed.completed_at - completed.ended_at) == (30_000, 1_000)
    assert (completed.disposition, completed.by_timer) == ("sold", False)
    assert (completed.outcome_value, completed.segment) == (120, "gold")
    assert names(centre.arrive("c2").events) == ["TaskQueued", "ReservationCreated"]


def test_the_wrap_up_ends_by_its_timer_and_can_be_extended(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    centre.do(EndContact("c1"))
    assert centre.do(ExtendWrapUp("ann", "c1", 10_000)).response.wrap_up_until == centre.now + 15_000
    assert centre.wait(14_999) == []
    assert names(centre.wait(1)) == ["TaskCompleted"]


def test_without_wrap_up_the_end_completes(centre):
    centre.queue("mails", wrap_up_ms=0)
    centre.agent("ann")
    centre.arrive("m1", queue="mails", channel=Channel.MAIL)
    centre.accept("m1")
    assert centre.do(EndContact("m1")).response.state is TaskState.COMPLETED


def test_nobody_answers(centre):
    centre.agent("ann")
    centre.arrive("c1")
    arrived = centre.task("c1").arrived_at
    events = centre.wait(20_000)
    assert names(events) == ["ReservationEnded", "AgentStateChanged", "TaskRequeued"]
    assert (events[0].state, events[1].state) == (ReservationState.TIMED_OUT, AgentState.NOT_RESPONDING)
    assert (centre.task("c1").state, centre.task("c1").arrived_at) == (TaskState.QUEUED, arrived)


def test_an_offer_goes_on_to_the_next_agent(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.agent("bob")
    centre.wait(20_000)
    assert centre.task("c1").agent_id == "bob"


def test_a_late_accept_is_refused(centre):
    centre.agent("ann")
    centre.arrive("c1")
    task = centre.task("c1")
    late = AcceptReservation("ann", task.reservation_id, "c1")
    centre.wait(20_000)
    assert centre.do(late).refusal.reason == "RESERVATION_ENDED"


def test_a_reservation_is_accepted_once_and_by_its_agent(centre):
    centre.agent("ann")
    centre.arrive("c1")
    task = centre.task("c1")
    reservation = task.reservation_id
    assert centre.do(AcceptReservation("bob", reservation, "c1")).refusal.reason == "RESERVATION_OF_ANOTHER"
    centre.accept("c1")
    assert centre.do(AcceptReservation("ann", reservation, "c1")).refusal.reason == "RESERVATION_ACCEPTED"


@pytest.mark.parametrize(("cause", "pause"), [("busy", 10_000), ("declined", 30_000)])
def test_a_rejected_contact_is_back_and_not_offered_to_that_agent_for_a_while(centre, cause, pause):
    centre.agent("ann")
    centre.arrive("c1")
    task = centre.task("c1")
    outcome = centre.do(RejectReservation("ann", task.reservation_id, "c1", cause))
    assert names(outcome.events) == ["ReservationEnded", "TaskRequeued"]
    assert centre.person("ann").state is AgentState.READY
    assert centre.arrive("c2").response.state is TaskState.RESERVED
    centre.do(CancelTask("c2"))
    assert centre.wait(pause - 1) == []
    assert names(centre.wait(1)) == ["ReservationCreated"]


def test_cancel_in_every_state(centre):
    assert centre.do(CancelTask("ghost")).refusal.code == "not_found"
    centre.arrive("c1")
    centre.wait(700)
    canceled = centre.do(CancelTask("c1", "abandoned"))
    assert (canceled.events[0].cause, canceled.events[0].waited_ms) == ("abandoned", 700)
    assert centre.do(CancelTask("c1")).response.state is TaskState.CANCELED
    centre.agent("ann")
    centre.arrive("c2")
    assert names(centre.do(CancelTask("c2")).events) == ["ReservationEnded", "TaskCanceled"]
    centre.arrive("c3")
    centre.accept("c3")
    assert centre.do(CancelTask("c3")).response.state is TaskState.WRAPPING
    assert centre.do(CancelTask("c3")).response.state is TaskState.WRAPPING
    centre.do(CompleteTask("ann", "c3"))
    assert centre.do(CancelTask("c3")).refusal.reason == "TASK_COMPLETED"


def test_ending_what_is_done_gives_its_state_and_a_completed_contact_does_not_come_again(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    centre.do(EndContact("c1"))
    centre.do(CompleteTask("", "c1"))
    assert centre.do(EndContact("c1")).response.state is TaskState.COMPLETED
    assert centre.arrive("c1").refusal.reason == "TASK_COMPLETED"
    assert centre.do(CompleteTask("ann", "c1")).refusal.reason == "TASK_FINISHED"
    centre.wait(120_000)
    centre.arrive("other")
    assert centre.do(EndContact("c1")).refusal.code == "not_found"


def test_requeue_keeps_the_age_and_leaves_the_agent_out(centre):
    centre.queue("support")
    centre.agent("ann")
    centre.arrive("c1")
    arrived = centre.task("c1").arrived_at
    centre.accept("c1")
    centre.wait(60_000)
    outcome = centre.do(RequeueTask("c1", "support", "transfer"))
    assert names(outcome.events) == ["TaskRequeued"]
    assert (outcome.events[0].queue, outcome.events[0].agent_id) == ("support", "ann")
    task = centre.task("c1")
    assert (task.queue, task.arrived_at, task.state) == ("support", arrived, TaskState.QUEUED)
    centre.agent("bob")
    assert task.agent_id == "bob"


def test_a_closed_queue_gives_its_treatment(centre):
    centre.configure("never", CalendarValue(hours=(OpenHours((0,), 0, 1),)), "calendar")
    centre.configure("night", QueueValue(calendar="never", closed_prompt="closed"))
    outcome = centre.arrive("c1", queue="night")
    assert names(outcome.events) == ["TaskQueued", "TaskOverflowed"]
    assert (outcome.events[1].treatment, outcome.events[1].prompt) == ("closed", "closed")
    assert outcome.response.state is TaskState.CANCELED


def test_steps_relax_the_requirement_as_time_goes(centre):
    centre.queue("vip", Step("level >= 8", 10_000), Step("level >= 5", priority=2))
    centre.agent("ann", level=6)
    centre.arrive("c1", queue="vip")
    assert centre.wait(9_999) == []
    events = centre.wait(1)
    assert names(events) == ["StepEntered", "ReservationCreated"]
    assert (events[0].cause, centre.task("c1").priority) == ("elapsed", 2)


def test_a_step_is_skipped_while_nobody_who_meets_it_is_logged_in(centre):
    centre.queue("vip", Step("level >= 8", 10_000, skip_if_no_agent=True), Step(""))
    centre.agent("ann", level=9, state=None)
    events = centre.arrive("c1", queue="vip").events
    assert names(events) == ["TaskQueued", "StepEntered"]
    assert (events[1].step, events[1].cause) == (1, "skipped_no_agent")


@pytest.mark.parametrize("overflow", ["message", "voicemail", "callback", "disconnect"])
def test_at_the_plans_end_the_edge_gives_the_treatment(centre, overflow):
    centre.queue("short", Step("", 1_000), overflow=overflow)
    centre.arrive("c1", queue="short")
    events = centre.wait(1_000)
    assert (names(events), events[0].treatment) == (["TaskOverflowed"], overflow)
    assert "c1" not in centre.pool.state.tasks


def test_overflow_to_queues_in_a_ring_ends_with_a_message(centre):
    centre.queue("one", Step("", 1_000, skip_if_no_agent=True), overflow="queue:two")
    centre.queue("two", Step("", 1_000, skip_if_no_agent=True), overflow="queue:one")
    events = centre.arrive("c1", queue="one").events
    assert names(events) == ["TaskQueued", "TaskRequeued", "TaskOverflowed"]
    assert events[2].treatment == "message"


def test_a_preferred_agent_comes_first_and_an_excluded_one_never(centre):
    centre.agent("ann")
    centre.agent("bob")
    centre.agent("cem")
    centre.arrive("c1", preferred_agents=("nobody", "cem"))
    assert centre.task("c1").agent_id == "cem"
    centre.arrive("c2", excluded_agents=("ann", "bob"))
    assert centre.task("c2").state is TaskState.QUEUED


def test_a_freed_agent_serves_who_wishes_for_them_before_the_line(centre):
    centre.agent("ann")
    centre.arrive("c0")
    centre.accept("c0")
    centre.arrive("c1")
    centre.arrive("c2", preferred_agents=("ann",))
    centre.do(EndContact("c0"))
    centre.do(CompleteTask("ann", "c0"))
    assert centre.task("c2").agent_id == "ann"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"queue": "nowhere"}, "QUEUE_UNKNOWN"),
        ({"channel": Channel.UNSPECIFIED}, "CHANNEL_MISSING"),
        ({"priority": 10}, "PRIORITY_OUT_OF_RANGE"),
        ({"arrived_at": -1}, "ARRIVAL_OUT_OF_RANGE"),
        ({"requirements": ("a +",)}, "EXPRESSION_REFUSED"),
        ({"requirements": ("a",) * 33}, "TOO_MANY_REQUIREMENTS"),
    ],
)
def test_requests_that_cannot_be_right_are_refused_and_change_nothing(centre, more, reason):
    before = centre.pool.hash()
    refusal = centre.arrive("c1", **more).refusal
    assert (refusal.reason, refusal.code) == (reason, "invalid_argument")
    assert centre.pool.hash() == before


def test_the_wait_is_estimated_from_the_pace_of_acceptances(centre):
    centre.agent("ann")
    for number in range(3):
        centre.arrive(f"done{number}")
        centre.accept(f"done{number}")
        centre.wait(25_000)
        centre.do(EndContact(f"done{number}"))
        centre.wait(5_000)
    centre.arrive("busy")
    centre.accept("busy")
    assert [centre.arrive(f"c{n}").response.estimated_wait_ms for n in range(2)] == [30_000, 60_000]


@pytest.mark.parametrize(
    ("step", "skips"),
    [
        (Step("level >= 9", 10_000, skip_if_wait_below_ms=40_000), True),
        (Step("level >= 9", 10_000, skip_if_wait_below_ms=20_000), False),
        (Step("level >= 9", 10_000, skip_if_wait_above_ms=20_000), True),
        (Step("level >= 9", 10_000, skip_if_wait_above_ms=40_000), False),
    ],
)
def test_a_step_is_skipped_by_the_wait_that_is_estimated(centre, step, skips):
    centre.queue("vip", step, Step(""))
    assert centre.arrive("no-estimate", queue="vip").response.estimated_wait_ms == -1
    assert centre.task("no-estimate").step == 0, "without an estimate nothing is skipped"
    centre.do(CancelTask("no-estimate"))
    pace = centre.pool.state.queues["vip"].pace
    pace.extend(centre.now - 30_000 * n for n in (2, 1, 0))
    centre.arrive("c1", queue="vip")
    assert centre.task("c1").step == int(skips)
