"""From outcomes to points: shrinkage, shared credit, segments; and that routing by the table is worth more."""

import pytest
from junctor_cli.score_table import Outcome, learn
from junctor_router.domain.values import AgentOrder

from cli.tests.selling_world import AGENTS, SEGMENTS, World, as_the_router_reads_it, chance, outcomes_of


def points(rows, field="sales"):
    return {(row.segment, row.attribute, row.value): getattr(row, field) for row in rows}


def test_one_attribute_is_the_shrunken_difference_from_the_mean():
    agents = {"ann": {"region": "north"}, "bob": {"region": "south"}}
    rows = learn([Outcome("", "ann", 80, 8_000, 1_600), Outcome("", "bob", 20, 0, 100)], agents, prior=20)
    # Means: 17 of all, 20 of ann's 80, 5 of bob's 20: 80 * 3 / (80 + 20) and 20 * -12 / (20 + 20).
    assert points(rows) == {("", "region", "north"): 240, ("", "region", "south"): -600}
    (north, south) = rows
    assert (north.contacts, north.mean_service, north.mean_sales) == (80, 100.0, 20.0)
    assert (south.contacts, south.mean_service, south.mean_sales) == (20, 0.0, 5.0)
    assert points(rows, "service")["", "region", "north"] == round(100 * 80 * 20 / 100)


def test_few_contacts_say_little_and_many_say_all():
    agents = {"ann": {"vip": "true"}, "bob": {"vip": "false"}}
    few = learn([Outcome("", "ann", 1, 0, 100), Outcome("", "bob", 100, 0, 1_000)], agents, prior=20)
    many = learn([Outcome("", "ann", 10_000, 0, 1_000_000), Outcome("", "bob", 10_000, 0, 100_000)], agents, prior=20)
    assert points(few)["", "vip", "true"] == pytest.approx(100 * (100 - 1_100 / 101) / 21, abs=1)
    assert points(many)["", "vip", "true"] == pytest.approx(4_500, rel=0.01)


def test_values_that_come_together_share_what_they_bring():
    agents = {"ann": {"a": "1", "b": "1"}, "bob": {"a": "0", "b": "0"}}
    rows = points(learn([Outcome("", "ann", 1_000, 0, 20_000), Outcome("", "bob", 1_000, 0, 0)], agents, prior=10))
    assert rows["", "a", "1"] == pytest.approx(rows["", "b", "1"], abs=1)
    assert rows["", "a", "1"] + rows["", "b", "1"] == pytest.approx(1_000, rel=0.02)


def test_a_segments_own_mean_is_nobodys_merit_and_a_rare_segment_goes_by_all():
    agents = {"ann": {"r": "n"}, "bob": {"r": "s"}}
    outcomes = [
        Outcome("gold", "ann", 900, 0, 90_000),
        Outcome("gold", "bob", 100, 0, 10_000),
        Outcome("tin", "ann", 100, 0, 0),
        Outcome("tin", "bob", 900, 0, 0),
    ]
    assert set(points(learn(outcomes, agents, prior=20)).values()) == {0}
    rare = [Outcome("gold", "ann", 500, 0, 50_000), Outcome("gold", "bob", 500, 0, 0), Outcome("rare", "ann", 1, 0, 0)]
    rows = points(learn(rare, agents, prior=20))
    assert rows["", "r", "n"] + rows["gold", "r", "n"] == pytest.approx(5_000, rel=0.02)
    assert rows["", "r", "n"] + rows["rare", "r", "n"] > 0


def test_who_is_unknown_is_left_out_and_nothing_gives_no_rows():
    assert learn([Outcome("", "gone", 5, 0, 5)], {"ann": {"a": "1"}}, 20) == []
    assert learn([], {}, 20) == []


def test_the_router_sells_more_by_the_table_than_by_longest_idle():
    before = World(AgentOrder.LONGEST_IDLE).play()
    rows = learn(outcomes_of(before), AGENTS, prior=20)
    best = {segment: max(AGENTS, key=lambda id: chance(segment, AGENTS[id])) for segment in SEGMENTS}
    found = points(rows)
    assert found["gold", "region", "north"] > 500 > found["gold", "region", "south"]
    assert found["young", "region", "south"] > 500 > found["young", "region", "north"]
    assert found["", "loan", "9"] > found["", "loan", "3"]
    assert {AGENTS[id]["region"] for segment, id in best.items() if segment != "plain"} == {"north", "south"}

    scores = as_the_router_reads_it(rows)
    idle = World(AgentOrder.LONGEST_IDLE, seed=2).play()
    valued = World(AgentOrder.HIGHEST_VALUE, 10, scores, seed=2).play()
    by_lot = World(AgentOrder.HIGHEST_VALUE, 100, scores, seed=2).play()
    assert len(idle.outcomes) == len(valued.outcomes) == 2_000
    assert valued.mean > 1.25 * idle.mean
    assert by_lot.mean == pytest.approx(idle.mean, rel=0.1)
    explored = [x for x, _ in valued.events if getattr(x, "chosen_by", "").startswith("by lot")]
    assert 0.07 * 2_000 < len(explored) < 0.13 * 2_000

    again = points(learn(outcomes_of(valued), AGENTS, prior=20))
    assert again["gold", "region", "north"] > again["gold", "region", "south"]
