"""The foremost of some lines, whatever happened to their heads before."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junctor_router.domain import heads
from junctor_router.domain.heads import Heads

LINES = 24
contacts = [(n % 3, 1_000 - 7 * n if n % 2 else -n, f"c{n}") for n in range(8)]
"""Contacts with their ranks: each stands in one line at most, and may move to another with the rank that it has."""
steps = st.lists(
    st.tuples(st.integers(0, LINES - 1), st.sampled_from([None, *contacts])) | st.integers(1, (1 << LINES) - 1),
    max_size=60,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_it_is_the_lowest_rank(monkeypatch, steps):
    monkeypatch.setattr(heads, "FEW", 2)
    found = Heads()
    first = {line: (5, line % 4, f"d{line}") for line in range(LINES)}
    for line, rank in first.items():
        found.set(line, rank)
    for step in steps:
        if isinstance(step, tuple):
            line, rank = step
            for other, its in list(first.items()):
                if rank is not None and its == rank and other != line:
                    del first[other]
                    found.set(other, None)
            found.set(line, rank)
            first.pop(line, None)
            if rank is not None:
                first[line] = rank
        elif among := {line: rank for line, rank in first.items() if step >> line & 1}:
            assert found.foremost(sum(1 << line for line in among)) == min(among, key=among.__getitem__)


def test_a_moment_beyond_all_numbers_is_the_last():
    found = Heads()
    found.set(0, (1, 1 << 70, "a"))
    found.set(1, (1, 5, "b"))
    assert found.foremost(0b11) == 1
