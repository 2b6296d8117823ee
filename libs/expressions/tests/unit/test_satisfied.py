"""Who can meet an expression: certain when it says nobody, against trying all agents and contacts of a small world."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junctor_expressions.cel import parse
from junctor_expressions.of_agents import Kind
from junctor_expressions.satisfied import Agents, Cut, impossible, nobody
from junctor_expressions.tree import And, Attribute, Compare, Constant, Data, Has, In, Literal, Node, Not, Or, described

KINDS = {"level": Kind.PROFICIENCY, "vip": Kind.BOOLEAN, "region": Kind.TEXT, "age": Kind.NUMBER}
TEAM = Agents([{"level": 7, "region": "north"}, {"level": 4, "vip": "true", "region": "south"}])


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("level >= 8 && level <= 3", True),
        ("level > 10", True),
        ("level < 1", True),
        ("level >= 10", False),
        ("age > 3 && age < 5", False),
        ("age > 3 && age < 4", True),
        ("age > 3 && age < 6 && age != 4 && age != 5", True),
        ("vip && !vip", True),
        ("vip == true && vip == false", True),
        ("!(vip) && !(vip == false)", False),
        ('region == "n" && region in ["s", "t"]', True),
        ('region > "a" && region < "b"', False),
        ('data.tier == "gold" && data.tier == "tin"', True),
        ('data.n == 3 && data.n != "4"', False),
        ('data.n == 3 && data.n == "3"', False),
        ("data.n > 3 && data.n < 3", True),
        ("has(region) && !has(region)", True),
        ("!has(region) && region == data.region", True),
        ("level >= data.level && level < 2", False),
        ("level >= 8 && level <= 3 || vip", False),
        ("1 == 2", True),
        ("false", True),
        ("data.p.startsWith('a') && data.p.endsWith('b')", False),
        ("data.p.startsWith('a') && !data.p.startsWith('a')", True),
        (" && ".join(f"(vip || age > {n})" for n in range(20)), False),
    ],
)
def test_what_contradicts_itself(text, never):
    assert impossible(parse(text), KINDS) is never


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("level >= 7", None),
        ("level >= 8", "level >= 8"),
        ("level >= 7 && vip", "all"),
        ('level >= 7 && vip || region == "west"', "all"),
        ("vip && level >= 8", "level >= 8"),
        ("level >= 8 || vip", None),
        ('level >= 7 && data.x == "1"', None),
        ("level >= data.level", None),
        ("other >= data.level", "other >= data.level"),
        ("!has(vip)", None),
        ("!has(level)", "all"),
        ("true", None),
        ("false", "all"),
        ("level >= 7 && data.x == 1 && data.x == 2", "all"),
    ],
)
def test_which_test_no_agent_of_a_team_meets(text, cut):
    found = nobody(parse(text), TEAM)
    if cut in (None, "all"):
        assert found == (None if cut is None else Cut())
    else:
        assert described(found.test) == cut


def test_nobody_meets_anything_where_there_is_no_agent():
    assert nobody(parse(""), Agents([])) == Cut()
    assert TEAM.highest("level") == 7
    assert TEAM.highest("region") is None


NAMES = st.sampled_from([Attribute("level"), Attribute("vip"), Data("k")])
LITERALS = st.sampled_from([Literal(v) for v in (0, 1, 2, 5, 10, 11, "x", "true", True)])
CLAUSES = st.one_of(
    st.builds(
        Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NAMES, st.one_of(LITERALS, st.just(Data("k")))
    ),
    st.builds(In, NAMES, st.tuples(LITERALS, LITERALS)),
    st.builds(Has, NAMES),
)
TREES = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
AGENTS = [
    {**({"level": level} if level else {}), **({"vip": vip} if vip else {})}
    for level, vip in product([None, *range(1, 11)], [None, "true", "false"])
]
CONTACTS = [{}, *({"k": value} for value in ("x", "true", "", "-1", *map(str, range(13))))]


def meets(node: Node, agent, contact) -> bool:
    """The meaning of an expression, written down once more and slowly."""

    def value(operand, other):
        match operand:
            case Attribute(name):
                return agent.get(name)
            case Data(key):
                found = contact.get(key)
                number = isinstance(other, int) and found is not None and found.removeprefix("-").isdecimal()
                return int(found) if number else found
            case Literal(bool(truth)):
                return str(truth).lower()
            case Literal(found):
                return found

    def compare(operator, left, right):
        other = value(right, None)
        mine = value(left, other)
        other = value(right, mine)
        if mine is None or other is None or type(mine) is not type(other):
            return False
        return {
            "==": mine == other, "!=": mine != other, "<": mine < other,
            "<=": mine <= other, ">": mine > other, ">=": mine >= other,
        }[operator]  # fmt: skip

    match node:
        case Constant(truth):
            return truth
        case And(parts):
            return all(meets(part, agent, contact) for part in parts)
        case Or(parts):
            return any(meets(part, agent, contact) for part in parts)
        case Not(part):
            return not meets(part, agent, contact)
        case Has(operand):
            return value(operand, None) is not None
        case In(operand, items):
            return any(compare("==", operand, item) for item in items)
        case Compare(operator, left, right):
            return compare(operator, left, right)


@given(TREES, st.lists(st.sampled_from(AGENTS), max_size=4))
@settings(max_examples=300, deadline=None)
def test_nobody_is_never_said_where_somebody_could(node, team):
    if impossible(node, {"level": Kind.PROFICIENCY, "vip": Kind.BOOLEAN}):
        assert not any(meets(node, agent, contact) for agent, contact in product(AGENTS, CONTACTS))
    if nobody(node, Agents(team)) is not None:
        assert not any(meets(node, agent, contact) for agent, contact in product(team, CONTACTS))
