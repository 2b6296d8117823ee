"""The router's assignments beside exact optima, on the seeds of quality_worlds.py; `python -m bench router_quality` tells
the ratios."""

import itertools
import random
import statistics

import pytest
from exact_optima import highest_value, largest_matching
from quality_worlds import SEEDS, cardinality, value


def test_the_largest_matching_is_the_one_that_trying_all_finds():
    rng = random.Random(7)
    for _ in range(200):
        right = range(rng.randint(1, 6))
        wanted = [[other for other in right if rng.random() < 0.35] for _ in range(rng.randint(1, 6))]
        assert largest_matching(wanted) == _by_trying(wanted, frozenset())


def _by_trying(wanted, used):
    if not wanted:
        return 0
    taken = [1 + _by_trying(wanted[1:], used | {other}) for other in wanted[0] if other not in used]
    return max([_by_trying(wanted[1:], used), *taken])


def test_the_highest_value_is_the_one_that_trying_all_finds():
    rng = random.Random(7)
    for _ in range(200):
        rows = rng.randint(1, 5)
        columns = rng.randint(rows, 6)
        values = [[rng.randint(0, 30) for _ in range(columns)] for _ in range(rows)]
        tried = (
            sum(row[at] for row, at in zip(values, chosen, strict=True))
            for chosen in itertools.permutations(range(columns), rows)
        )
        assert highest_value(values) == max(tried)


@pytest.mark.parametrize("agents_wait", [True, False], ids=["agents wait", "contacts wait"])
def test_nearly_as_many_are_served_as_could_be(agents_wait):
    ratios = [cardinality(seed, agents_wait).ratio for seed in SEEDS]
    assert statistics.mean(ratios) >= 0.94
    assert min(ratios) >= 0.92
    assert max(ratios) <= 1


def test_the_predicted_value_is_near_the_highest_possible():
    ratios = [value(seed).ratio for seed in SEEDS]
    assert statistics.mean(ratios) >= 0.96
    assert min(ratios) >= 0.94
    assert max(ratios) <= 1
