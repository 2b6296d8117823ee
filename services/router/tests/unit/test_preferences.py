"""What a step prefers, what it requires only for a time, and how much each proficiency counts."""

from junctor_router.domain.commands import RequeueTask
from junctor_router.domain.configuration import PlanValue, Relaxing, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import AgentOrder, TaskState
from router_given import names


def explained(centre, contact_id):
    return explain_contact(centre.pool.state, centre.task(contact_id))


def test_the_first_preference_counts_before_the_second_and_none_excludes(centre):
    centre.queue("loans", Step("loan >= 1", prefer=("zh >= 8", "vip")))
    centre.agent("ann", loan=3)
    centre.agent("bob", loan=3, vip="true")
    centre.agent("cem", loan=3, zh=9)
    served = []
    for number in range(3):
        centre.arrive(f"c{number}", queue="loans")
        served.append(centre.task(f"c{number}").agent_id)
    assert served == ["cem", "bob", "ann"]


def test_a_preference_may_look_at_the_contacts_data(centre):
    centre.queue("loans", Step(prefer=("region == data.region",)))
    centre.agent("ann", region="north")
    centre.agent("bob", region="south")
    centre.arrive("c1", queue="loans", data={"region": "south"})
    assert centre.task("c1").agent_id == "bob"
    assert explained(centre, "c1").summary.endswith('longest idle of those who meet the preferred region == "south".')


def test_an_offer_says_why_it_went_to_this_agent(centre):
    centre.queue("loans", Step("loan >= 1", order=AgentOrder.MOST_PROFICIENT))
    centre.agent("ann", loan=3)
    assert centre.arrive("c1", queue="loans").events[1].chosen_by == "most proficient"
    centre.arrive("c2", queue="loans")
    offered = centre.do(RequeueTask("c1")).events[-1]
    assert (offered.contact_id, offered.chosen_by) == ("c2", "first in line when the agent became free")


def test_a_relaxing_requirement_is_dropped_in_time_and_then_only_ranks(centre):
    centre.queue("loans", Step("loan >= 1", relax=(Relaxing("zh >= 5", 10_000), Relaxing("vip", 20_000))))
    centre.agent("ann", loan=3)
    centre.agent("bob", loan=3, zh=7)
    centre.arrive("c1", queue="loans")
    assert explained(centre, "c1").reasons[:2] == (
        "zh >= 5 is required for the first 10 s of the step; 10 s are left.",
        "vip is required for the first 20 s of the step; 20 s are left.",
    )
    assert [(event.step, event.cause) for event in centre.wait(10_000)] == [(0, "relaxed")]
    assert centre.task("c1").state is TaskState.QUEUED
    assert "Preferred, not required: zh >= 5." in explained(centre, "c1").reasons
    assert names(centre.wait(10_000)) == ["StepEntered", "ReservationCreated"]
    assert centre.task("c1").agent_id == "bob"


def test_what_is_relaxed_stays_so_when_an_offer_is_not_taken(centre):
    centre.queue("loans", Step("loan >= 1", relax=(Relaxing("zh >= 5", 10_000),)))
    centre.agent("ann", loan=3)
    centre.arrive("c1", queue="loans")
    centre.wait(10_000)
    assert centre.task("c1").agent_id == "ann"
    centre.wait(20_000)
    centre.agent("bob", loan=2)
    assert (centre.task("c1").agent_id, centre.task("c1").relaxed) == ("bob", 1)


def test_a_step_is_skipped_only_where_nobody_meets_it_even_relaxed(centre):
    centre.queue(
        "loans", Step("loan >= 1", 30_000, skip_if_no_agent=True, relax=(Relaxing("zh >= 5", 10_000),)), Step()
    )
    centre.agent("ann", loan=3)
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").step == 0
    centre.wait(10_000)
    assert centre.task("c1").agent_id == "ann"


def test_a_relaxing_contact_survives_a_restart(centre):
    centre.queue(
        "loans", Step("loan >= 1", relax=(Relaxing("zh >= 5", 10_000),), prefer=("vip",), weights=(("zh", 3),))
    )
    centre.agent("ann", loan=3)
    centre.arrive("c1", queue="loans")
    centre.pool = centre.restored()
    centre.wait(10_000)
    assert centre.task("c1").agent_id == "ann"
    assert centre.replayed().hash() == centre.pool.hash()


def test_a_changed_plan_counts_the_time_already_spent_in_the_step(centre):
    centre.queue("loans", Step("loan >= 1", relax=(Relaxing("zh >= 5", 60_000),)))
    centre.agent("ann", loan=3)
    centre.arrive("c1", queue="loans")
    centre.wait(10_000)
    centre.configure("loans-plan", PlanValue((Step("loan >= 1", relax=(Relaxing("zh >= 5", 9_000),)),)))
    assert centre.task("c1").agent_id == "ann"


def test_weights_say_how_much_a_proficiency_counts(centre):
    step = Step("loan >= 1 && zh >= 1", order=AgentOrder.MOST_PROFICIENT, weights=(("loan", 1), ("zh", 3)))
    centre.queue("loans", step)
    centre.agent("ann", loan=9, zh=4)
    centre.agent("bob", loan=2, zh=7)
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").agent_id == "bob"


def test_a_preference_that_cannot_be_used_is_left_out_with_a_warning(centre):
    applied = centre.configure("p", PlanValue((Step(prefer=("loan +",), relax=(Relaxing("zh >", 1),)),))).events[0]
    assert len(applied.warnings) == 2
    assert all(warning.endswith("It is left out.") for warning in applied.warnings)
    centre.queue("loans", plan="p")
    centre.agent("ann")
    assert centre.arrive("c1", queue="loans").response.state is TaskState.RESERVED
