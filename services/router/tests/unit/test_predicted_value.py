"""The order that goes by a table of scores, and its exploration."""

from collections import Counter

from junctor_router.domain.commands import CancelTask
from junctor_router.domain.configuration import Score, ScoresValue, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.predicted_value import lot
from junctor_router.domain.values import AgentOrder, Objective

SCORES = (
    Score("", "loan", "", 2, 1),
    Score("gold", "region", "north", 0, 50),
    Score("young", "region", "south", 0, 50),
)
PINNED = [7, 0, 2, 5, 1, 7]
"""What `printf acme/default/c0 | sha256sum` and so on give: bytes 8 to 16 modulo 8."""
BY_VALUE = Step(order=AgentOrder.HIGHEST_VALUE)


def two(centre, **queue):
    centre.queue("loans", BY_VALUE, **queue)
    centre.configure("loans", ScoresValue(SCORES), "scores")
    centre.agent("ann", loan=9, region="south")
    centre.agent("bob", loan=3, region="north")


def test_the_segment_and_the_objective_decide(centre):
    two(centre, objective=Objective.SALES)
    centre.arrive("c1", queue="loans", data={"segment": "gold"})
    assert centre.task("c1").agent_id == "bob"
    assert explain_contact(centre.pool.state, centre.task("c1")).summary.endswith("highest predicted value (53) of 2.")
    centre.do(CancelTask("c1"))
    centre.arrive("c2", queue="loans", data={"segment": "young"})
    assert (centre.task("c2").agent_id, centre.task("c2").chosen_by) == ("ann", "highest predicted value (59) of 2")


def test_with_the_service_objective_the_same_table_says_otherwise(centre):
    two(centre, objective=Objective.SERVICE)
    centre.arrive("c1", queue="loans", data={"segment": "gold"})
    assert (centre.task("c1").agent_id, centre.task("c1").chosen_by) == ("ann", "highest predicted value (18) of 2")


def test_without_scores_the_longest_idle_agent_is_chosen(centre):
    centre.queue("loans", BY_VALUE)
    centre.agent("ann")
    centre.agent("bob")
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").agent_id == "ann"


def test_a_new_table_holds_for_the_next_offer_and_a_deleted_one_no_more(centre):
    two(centre, objective=Objective.SALES)
    centre.configure("loans", ScoresValue((Score("", "region", "north", 0, 7),)), "scores")
    centre.arrive("c1", queue="loans")
    assert (centre.task("c1").agent_id, centre.task("c1").chosen_by) == ("bob", "highest predicted value (7) of 2")
    centre.do(CancelTask("c1"))
    assert centre.configure("loans", ScoresValue(()), "scores").refusal is None
    centre.delete("scores", "loans")
    centre.arrive("c2", queue="loans")
    assert centre.task("c2").chosen_by == "highest predicted value (0) of 2"
    assert centre.restored().state.scores == {}
    assert centre.replayed().hash() == centre.pool.hash() == centre.restored().hash()


def test_a_share_of_the_contacts_is_given_by_lot_and_the_same_in_every_replay(centre):
    two(centre, explore_percent=20)
    explored = Counter()
    for number in range(500):
        centre.arrive(f"c{number}", queue="loans")
        task = centre.task(f"c{number}")
        by_lot = task.chosen_by == "by lot among 2, to explore"
        assert by_lot == (lot("acme/default", f"c{number}", 20, 2) is not None)
        if by_lot:
            explored[task.agent_id] += 1
        else:
            assert task.agent_id == "ann"
        centre.do(CancelTask(f"c{number}"))
    assert 70 <= explored.total() <= 130
    assert min(explored.values()) >= 0.3 * explored.total()
    assert centre.restored().state.scores == centre.pool.state.scores == {"loans": SCORES}
    assert centre.replayed().hash() == centre.pool.hash() == centre.restored().hash()


def test_the_lot_is_a_constant_of_seed_and_contact():
    assert [lot("acme/default", f"c{n}", 100, 8) for n in range(6)] == PINNED
    assert all(lot("s", f"c{n}", 0, 8) is None for n in range(100))
    assert {lot("s", f"c{n}", 100, 3) for n in range(100)} == {0, 1, 2}
