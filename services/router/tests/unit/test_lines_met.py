"""Which lines a set of attributes meets: the same as asking each line."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junctor_router.domain import lines_met
from junctor_router.domain.expression import And, Attribute, Compare, Constant, Has, In, Literal, Not, Or, holds
from junctor_router.domain.lines_met import LinesMet, Profile

names = st.sampled_from(["a", "b", "c", "d"])
values = st.sampled_from([1, 2, 3, "x", "true"])
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
atoms = (
    st.builds(lambda name, op, value: Compare(op, Attribute(name), Literal(value)), names, operators, values)
    | st.builds(
        lambda name, items: In(Attribute(name), tuple(map(Literal, items))), names, st.lists(values, max_size=2)
    )
    | st.builds(lambda name: Has(Attribute(name)), names)
    | st.builds(Constant, st.booleans())
)
nodes = st.recursive(
    atoms,
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=1, max_size=4).map(tuple).map(And)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or)
    ),
    max_leaves=6,
)
profiles = st.dictionaries(names, values, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(nodes, max_size=8), st.lists(nodes, max_size=4), st.lists(profiles, min_size=1, max_size=4), profiles)
def test_it_is_what_asking_each_line_gives(first, later, some, known):
    lines = LinesMet(lambda name: [known[name]] if name in known else [])
    found = [Profile(str(n), attributes) for n, attributes in enumerate(some)]
    wanted = []
    for more in (first, later):
        for node in more:
            lines.add(len(wanted), node)
            wanted.append(node)
        everything = (1 << len(wanted)) - 1
        for profile in found * 2:
            bits = lines.met(profile, everything, len(wanted), 0)
            asked = sum(1 << number for number, node in enumerate(wanted) if holds(node, profile.attributes))
            assert bits & everything == asked


def test_only_the_lines_asked_for_need_be_right():
    lines, profile = LinesMet(), Profile("", {"a": 1, "b": 2})
    either = Or((Has(Attribute("a")), Has(Attribute("c"))))
    for number in range(3):
        lines.add(number, either)
    assert lines.met(profile, 0b010, 3, 0) == 0b010
    assert lines.met(profile, 0b111, 3, 0) == 0b111


def test_numbers_given_anew_are_asked_anew():
    lines, profile = LinesMet(), Profile("", {"a": 1})
    lines.add(0, Has(Attribute("a")))
    assert lines.met(profile, 1, 1, 0) == 1
    others = LinesMet()
    others.add(0, Has(Attribute("b")))
    assert others.met(profile, 1, 2, 1) == 0


def test_values_that_agents_have_are_compared_when_a_line_is_opened():
    asked = []

    def values(name):
        asked.append(name)
        return [1, 2, 3]

    lines = LinesMet(values)
    lines.add(0, Compare(">=", Attribute("a"), Literal(2)))
    lines.add(1, Compare("<", Attribute("a"), Literal(2)))
    assert asked == ["a"]
    assert lines._columns["a"].failed == {1: 0b01, 2: 0b10, 3: 0b10}


def test_values_beyond_what_is_kept_are_looked_at_again(monkeypatch):
    monkeypatch.setattr(lines_met, "VALUES_KEPT", 3)
    lines = LinesMet(lambda name: range(100))
    lines.add(0, Compare(">=", Attribute("a"), Literal(5)))
    for _ in range(2):
        for value in range(10):
            assert lines.met(Profile("", {"a": value}), 1, 1, 0) == (value >= 5)
