"""Changed values and what waits: plans in slices, deleted queues, versions, warnings, hours."""

from junctor_router.domain.business_hours import is_open
from junctor_router.domain.commands import ConfigurationChanged, Tick
from junctor_router.domain.configuration import AgentValue, CalendarValue, OpenHours, PlanValue, QueueValue, Step
from junctor_router.domain.configuration_commands import SLICE
from junctor_router.domain.values import TaskState
from router_given import names


def test_a_changed_plan_takes_waiting_contacts_over_at_their_step(centre):
    centre.queue("q", Step("level >= 9", 60_000), Step("level >= 8"))
    centre.agent("ann", level=5)
    centre.arrive("c1", queue="q")
    centre.wait(60_000)
    assert centre.task("c1").step == 1
    outcome = centre.configure("q-plan", PlanValue((Step("level >= 9", 60_000), Step("level >= 5"))))
    assert names(outcome.events) == ["ConfigurationApplied", "ReservationCreated"]


def test_a_shorter_plan_puts_them_at_its_last_step(centre):
    centre.queue("q", Step("level >= 9", 1_000), Step("level >= 8"))
    centre.arrive("c1", queue="q")
    centre.wait(1_000)
    events = centre.configure("q-plan", PlanValue((Step("level >= 7"),))).events
    assert (events[1].step, events[1].cause) == (0, "plan_changed")


def test_a_large_change_is_worked_off_in_slices_and_every_state_in_between_can_be_restored(centre):
    centre.queue("q", Step("level >= 9"))
    for number in range(3 * SLICE):
        centre.arrive(f"c{number:03}", queue="q", arrived_at=1_000 + number)
    centre.configure("q-plan", PlanValue((Step("level >= 5"),)))
    assert len(centre.pool.state.rework) == 2 * SLICE
    assert centre.restored().hash() == centre.pool.hash()
    centre.agent("ann", level=6)
    other = centre.restored()
    assert centre.task("c000").agent_id == "ann"
    while (due := centre.pool.next_due()) is not None and due < centre.now + 10:
        centre.now = due
        assert centre.do(Tick()).events == other.apply(Tick(), due).events
    assert centre.pool.state.rework == {}
    assert other.hash() == centre.pool.hash() == centre.restored().hash()


def test_a_deleted_queues_contacts_get_a_message(centre):
    centre.arrive("c1")
    events = centre.delete("queue", "sales").events
    assert names(events) == ["ConfigurationApplied", "TaskOverflowed"]
    assert centre.arrive("c2").refusal.reason == "QUEUE_UNKNOWN"


def test_a_plan_that_is_missing_matches_nobody_until_it_comes(centre):
    outcome = centre.configure("q", QueueValue(plan="later"))
    assert outcome.events[0].warnings == ("The plan later is not known (yet); nobody is matched without it.",)
    centre.agent("ann")
    assert centre.arrive("c1", queue="q").response.state is TaskState.QUEUED
    centre.configure("later", PlanValue())
    assert centre.task("c1").state is TaskState.RESERVED


def test_a_version_in_force_or_older_changes_nothing(centre):
    assert centre.do(ConfigurationChanged("queue", "sales", 1, QueueValue(priority=1))).events == ()
    assert centre.pool.state.queues["sales"].value.priority == 5
    assert centre.do(ConfigurationChanged("queue", "ghost", 0, None)).events == ()


def test_a_value_of_another_kind_is_refused(centre):
    assert centre.do(ConfigurationChanged("queue", "x", 1, AgentValue())).refusal.code == "invalid_argument"


def test_what_cannot_work_is_said_when_it_is_applied(centre):
    plan = PlanValue((Step("level +", 1_000), Step("a == b"), Step("")), overflow="nonsense")
    warnings = centre.configure("p", plan).events[0].warnings
    assert [warning.split(". ")[0] for warning in warnings] == [
        "Step 0: 'level +', column 7: it is not valid CEL: something is wrong or missing near '+'",
        "Step 1: 'a == b', column 6: an attribute is compared with values or data, not with another attribute",
        "Step 1 has no end, so the steps after it are never reached.",
        "The overflow 'nonsense' is none of message, voicemail, callback, disconnect, queue:<slug>; message is used.",
    ]


def test_hours_are_those_of_the_calendars_zone():
    hours = (OpenHours((0, 1, 2, 3, 4), 9 * 60, 18 * 60),)
    monday_half_past_eight_utc = 1_767_601_800_000
    assert is_open(CalendarValue("Asia/Shanghai", hours), "", monday_half_past_eight_utc)
    assert not is_open(CalendarValue("Europe/London", hours), "", monday_half_past_eight_utc)
    assert is_open(CalendarValue("", hours), "Europe/Berlin", monday_half_past_eight_utc)
    assert not is_open(CalendarValue("", hours, ("2026-01-05",)), "Europe/Berlin", monday_half_past_eight_utc)
    assert not is_open(CalendarValue("Europe/Berlin", hours), "", monday_half_past_eight_utc + 5 * 86_400_000)
