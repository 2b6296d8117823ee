"""Expressions: what is allowed, what is refused and where, and that the two ways to evaluate agree."""

import pytest
from hypothesis import given as having
from hypothesis import settings
from hypothesis import strategies as st
from junctor_router.application.cel import parse
from junctor_router.domain.attribute_index import AttributeIndex, Member
from junctor_router.domain.expression import (
    ExpressionRefused,
    bind,
    compile_expression,
    describe,
    holds,
    read_value,
    select,
)
from junctor_router.domain.picker import picker_of
from junctor_router.domain.values import AttributeType

TYPES = {"level": AttributeType.PROFICIENCY, "vip": AttributeType.BOOLEAN, "region": AttributeType.TEXT}
AGENT = {"level": 7, "vip": "true", "region": "north", "language.zh": 5, "a-b": 1}


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        ("", {}, True),
        ("level >= 7 && level < 8", {}, True),
        ("7 <= level", {}, True),
        ("level > 7 || vip", {}, True),
        ("!vip", {}, False),
        ("vip == true", {}, True),
        ("vip != false", {}, True),
        ('region in ["south", "north"]', {}, True),
        ("region in [data.region]", {"region": "north"}, True),
        ("region == data.region", {}, False),
        ("region != data.region", {}, False),
        ("has(region) && !has(other)", {}, True),
        ("has(data.region)", {"region": "x"}, True),
        ("other >= 1", {}, False),
        ("!(other >= 1)", {}, True),
        ("other != 3", {}, False),
        ("language.zh >= data.level", {"level": "5"}, True),
        ("language.zh >= data.level", {"level": "high"}, False),
        ('attributes["a-b"] == 1', {}, True),
        ('data.segment == "gold" && level >= 9', {"segment": "tin"}, False),
        ('data.segment != "gold" || level >= 9', {"segment": "tin"}, True),
        ("data.n > 3", {"n": "4"}, True),
        ('region >= "n"', {}, True),
        ("true", {}, True),
        ("false || !true", {}, False),
        ("level == -3", {}, False),
    ],
)
def test_what_an_expression_says(text, data, expected):
    bound = bind(compile_expression(text, parse, TYPES).root, data, TYPES)
    assert holds(bound, AGENT) is expected
    index = AttributeIndex()
    index.add(Member("ann", AGENT))
    assert bool(select(bound, index)) is expected
    assert holds(bind(parse(describe(bound)), {}, {}), AGENT) is expected


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("level >=", "column 7", "it is not valid CEL: something is wrong or missing near '>='"),
        ("vip &&\n level + 1 > 2", "line 2, column 2", "arithmetic cannot be used as a value"),
        ("level == region", "column 10", "an attribute is compared with values or data, not with another attribute"),
        ('level == "seven"', "column 10", "level is a whole number from 1 to 10"),
        ("vip > true", "column 1", "vip is true or false and has no order"),
        ("region in [1]", "column 12", "region is text"),
        ('region.startsWith("n")', "column 1", "startsWith can be used in flows only, not of agents"),
    ],
)
def test_what_is_refused_and_where(text, where, reason):
    with pytest.raises(ExpressionRefused) as refused:
        compile_expression(text, parse, TYPES)
    assert str(refused.value) == f"{text!r}, {where}: {reason}"


NAMES = st.sampled_from(["a", "b", "c.d"])
VALUES = st.one_of(st.integers(-2, 12).map(str), st.sampled_from(['"x"', '"y"', "true", "data.k", "data.none"]))
CLAUSES = st.one_of(
    st.builds("{} {} {}".format, NAMES, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), VALUES),
    st.builds("{} in [{}, {}]".format, NAMES, VALUES, VALUES),
    st.builds("has({})".format, NAMES),
)
EXPRESSIONS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(NAMES, st.sampled_from(["1", "5", "10", "x", "y", "true"]))


@having(EXPRESSIONS, st.lists(ATTRIBUTES, max_size=8), st.dictionaries(st.just("k"), st.sampled_from(["5", "x"])))
@settings(max_examples=200, deadline=None)
def test_sets_and_single_agents_agree(text, agents, data):
    bound = bind(compile_expression(text, parse, {}).root, data, {})
    index = AttributeIndex()
    members = []
    for number, raw in enumerate(agents):
        values = {name: read_value(value, AttributeType.UNSPECIFIED) for name, value in raw.items()}
        members.append(Member(str(number), values))
        index.add(members[-1])
    chosen = select(bound, index)
    assert picker_of(bound)(index._columns, index.everyone) == chosen
    assert [bool(chosen >> member.position & 1) for member in members] == [
        holds(bound, member.attributes) for member in members
    ]
