"""Text to tree: what is read, and what is refused with which place and reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junctor_expressions import of_agents, of_contacts
from junctor_expressions.cel import MAX_LENGTH, parse
from junctor_expressions.of_agents import Kind
from junctor_expressions.tree import (
    And,
    At,
    Attribute,
    Compare,
    Constant,
    Data,
    Has,
    In,
    Literal,
    Not,
    Or,
    Refused,
    TextTest,
    attributes,
    data_keys,
    described,
)

KINDS = {"level": Kind.PROFICIENCY, "vip": Kind.BOOLEAN, "region": Kind.TEXT, "age": Kind.NUMBER}
A, D, L = Attribute, Data, Literal


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Constant(True)),
        ("false", Constant(False)),
        ("language.zh >= 5", Compare(">=", A("language.zh"), L(5))),
        ('attributes["a-b"] == -0x10', Compare("==", A("a-b"), L(-16))),
        ("agent.vip", Compare("==", A("vip"), L(True))),
        (
            "a && (b && c) || d",
            Or((And(tuple(Compare("==", A(n), L(True)) for n in "abc")), Compare("==", A("d"), L(True)))),
        ),
        ('!(x in [1u, data.n, "y"])', Not(In(A("x"), (L(1), D("n"), L("y"))))),
        ('has(data["k.l"])', Has(D("k.l"))),
        ("data.p.startsWith('+86')", TextTest("startsWith", D("p"), L("+86"))),
    ],
)
def test_the_tree_of_a_text(text, tree):
    assert parse(text) == tree
    assert parse(described(tree)) == tree


def test_each_part_knows_its_place():
    node = parse("vip &&\n  level >= 5")
    assert [(a.name, a.at) for a in attributes(node)] == [("vip", At(1, 1)), ("level", At(2, 3))]
    assert data_keys(parse("a == data.y || data.x == 1")) == ("x", "y")


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("level >=", (1, 7), "it is not valid CEL: something is wrong or missing near '>='"),
        ("vip &&\n level >< 3", (2, 9), "it is not valid CEL: something is wrong or missing near '< 3'"),
        ("level + 1 > 2", (1, 1), "arithmetic cannot be used as a value"),
        ("vip ? true : false", (1, 1), "a conditional (?:) cannot be used"),
        ("size(region) > 1", (1, 1), "a function cannot be used as a value"),
        ("matches(region)", (1, 1), "the function matches cannot be used"),
        ("data.a.matches('x')", (1, 1), "the method matches cannot be used; there are startsWith, endsWith, contains"),
        ("data.a.contains(1)", (1, 17), "contains needs a text"),
        ("data.a.contains()", (1, 1), "contains needs one text"),
        ("level == 1.5", (1, 10), "only whole numbers can be used"),
        ("data.x == null", (1, 11), "this value cannot be used"),
        ("level in region", (1, 10), "`in` needs a list in brackets"),
        ("has(3)", (1, 1), "has() needs one attribute or data"),
        ("has()", (1, 1), "has() needs one attribute or data"),
        ("3", (1, 1), "a value alone is no condition"),
        ('attributes[3] == "x"', (1, 1), "an index is a text"),
        ("a" * (MAX_LENGTH + 1), (1, MAX_LENGTH), f"it is longer than {MAX_LENGTH} characters"),
    ],
)
def test_what_cannot_be_used_has_a_place_and_a_reason(text, at, reason):
    with pytest.raises(Refused) as refused:
        parse(text)
    assert (refused.value.at, refused.value.reason) == (at, reason)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("level == region", 10, "an attribute is compared with values or data, not with another attribute"),
        ('level == "seven"', 10, "level is a whole number from 1 to 10"),
        ("vip > true", 1, "vip is true or false and has no order"),
        ("region in [1]", 12, "region is text"),
        ('"x" == age', 1, "age is a whole number"),
        ("region.contains('x')", 1, "contains can be used in flows only, not of agents"),
        ("data.x in [region]", 12, "an attribute is compared with values or data, not with another attribute"),
    ],
)
def test_what_cannot_be_said_of_agents(text, column, reason):
    with pytest.raises(Refused) as refused:
        of_agents.read(text, KINDS)
    assert (refused.value.at.column, refused.value.reason) == (column, reason)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("1 == 2", 1, "a comparison has `data.<key>` on one side and a value on the other"),
        ("data.a == data.b", 11, "`data.<key>` is compared with a value, not with other data"),
        ("data.a.startsWith(data.b)", 19, "`data.<key>` is compared with a value, not with other data"),
        ("caller == 1", 1, "a flow knows the contact's data (`data.caller`) but no agent yet"),
        ("data.a in [1, 'x']", 15, "the values of a list must be of one kind"),
        ("'x' in ['x']", 1, "a comparison has `data.<key>` on one side and a value on the other"),
    ],
)
def test_what_cannot_be_said_in_a_flow(text, column, reason):
    with pytest.raises(Refused) as refused:
        of_contacts.read(text)
    assert (refused.value.at.column, refused.value.reason) == (column, reason)


def test_values_that_no_proficiency_has():
    node = of_agents.read("level >= 11 || 0 < level || level in [5, 99] || age > 99", KINDS)
    assert [(a.name, o.value) for a, o in of_agents.out_of_range(node, KINDS)] == [
        ("level", 11),
        ("level", 0),
        ("level", 99),
    ]


@given(st.text(alphabet="ab.<>=!&|()[]\"' ,-+*?:0123456789\n{}", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except Refused as refused:
        assert refused.at >= (1, 1)


def test_a_refusal_is_one_sentence_that_says_where():
    with pytest.raises(Refused, match=r"^'a &&\\n 1\.5 == a', line 2, column 2: only whole numbers can be used$"):
        parse("a &&\n 1.5 == a")
