"""Contacts divided among groups of agents by percent, and the two orders that look at what agents did before."""

from collections import Counter

from junctor_router.domain.commands import CancelTask, EndContact
from junctor_router.domain.configuration import PlanValue, Share, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import AgentOrder, AgentState, AttributeType, TaskState

THIRTY_SEVENTY = (Share('site == "a"', 30), Share('site == "b"', 70))


def test_each_group_gets_its_percent_of_the_contacts(centre):
    centre.queue("loans", Step(shares=THIRTY_SEVENTY))
    centre.agent("ann", site="a")
    centre.agent("bob", site="b")
    given = Counter()
    for number in range(100):
        centre.arrive(f"c{number}", queue="loans")
        given[centre.task(f"c{number}").share] += 1
        centre.do(CancelTask(f"c{number}"))
        if number == 49:
            centre.pool = centre.restored()
    assert given == {0: 30, 1: 70}


def test_a_contact_waits_for_its_group_until_the_step_ends(centre):
    centre.queue("loans", Step("loan >= 1", 10_000, shares=(Share('site == "a"', 100),)), Step("loan >= 1"))
    centre.agent("ann", AgentState.NOT_READY, site="a", loan=5)
    centre.agent("bob", site="b", loan=5)
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").state is TaskState.QUEUED
    found = explain_contact(centre.pool.state, centre.task("c1"))
    assert found.reasons[0] == 'It is one of the 100 in 100 contacts of the step for site == "a".'
    assert [clause.clause for clause in found.steps[0].clauses] == ["loan >= 1", 'site == "a"']
    centre.wait(10_000)
    assert centre.task("c1").agent_id == "bob"


def test_a_group_of_which_nobody_is_logged_in_gets_nothing(centre):
    centre.queue("loans", Step(shares=THIRTY_SEVENTY))
    centre.agent("ann", site="a")
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").agent_id == "ann"
    centre.queue("cards", Step(shares=(Share('site == "z"', 1),)))
    centre.agent("bob")
    centre.arrive("c2", queue="cards")
    assert (centre.task("c2").share, centre.task("c2").agent_id) == (-1, "bob")


def test_who_waits_too_long_is_for_everyone(centre):
    centre.queue("loans", Step(shares=(Share('site == "a"', 1),)), starvation_ms=60_000)
    centre.agent("ann", AgentState.NOT_READY, site="a")
    centre.agent("bob")
    centre.arrive("c1", queue="loans")
    centre.wait(60_000)
    assert centre.task("c1").agent_id == "bob"


def test_a_share_that_cannot_be_used_is_left_out_with_a_warning(centre):
    applied = centre.configure("p", PlanValue((Step(shares=(Share("site ==", 1), Share("site == 1", 0))),))).events[0]
    assert [warning.endswith("It is left out.") for warning in applied.warnings] == [True]


def served(centre, order, contacts, talk_ms):
    """Who gets contacts that come one after the other."""
    centre.queue("loans", Step(order=order))
    found = []
    for _ in range(contacts):
        contact_id = centre.arrive(queue="loans").events[0].contact_id
        found.append(centre.task(contact_id).agent_id)
        centre.accept(contact_id)
        centre.wait(talk_ms)
        centre.do(EndContact(contact_id))
    return found


def test_round_robin_is_in_turn_whoever_logs_in_late(centre):
    centre.agent("ann")
    centre.agent("bob")
    assert served(centre, AgentOrder.ROUND_ROBIN, 4, 1_000) == ["ann", "bob", "ann", "bob"]
    centre.agent("cem")
    assert served(centre, AgentOrder.ROUND_ROBIN, 3, 1_000) == ["cem", "ann", "bob"]


def test_least_occupied_evens_out_contacts_per_hour(centre):
    centre.agent("ann")
    centre.wait(3_600_000)
    centre.agent("bob")
    centre.wait(600_000)
    found = Counter(served(centre, AgentOrder.LEAST_OCCUPIED, 40, 60_000))
    hours = {"ann": 1 + 50 / 60, "bob": 50 / 60}
    assert abs(found["ann"] / hours["ann"] - found["bob"] / hours["bob"]) <= 2


def test_a_share_that_a_changed_attribute_makes_unusable_harms_nobody(centre):
    centre.queue("loans", Step(shares=(Share("site == 1", 50), Share("has(site)", 50))))
    centre.agent("ann", site=1)
    centre.arrive("c1", queue="loans")
    centre.attribute("site", AttributeType.TEXT)
    centre.wait(10)
    centre.agent("bob", site=1)
    centre.arrive("c2", queue="loans")
    assert (centre.task("c2").agent_id, centre.task("c2").share) == ("bob", 0)


def test_a_step_that_can_give_nothing_leaves_the_same_state_everywhere(centre):
    centre.queue("loans", Step("has(none)", shares=(Share("", 1),)))
    centre.pool.hash()
    centre.arrive("c1", queue="loans")
    assert centre.restored().hash() == centre.pool.hash()
