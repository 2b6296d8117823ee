"""Conditions: CEL text, its parse, and what it says of data."""

import pytest
from junctor_expressions.tree import Refused
from junctor_ivr.adapters.cel_conditions import parse_condition
from junctor_ivr.domain.condition import Comparison, Condition, holds

DATA = {"caller_prefix": "+86138", "age": "42", "debt": "-5", "vip": "true", "product.name": "loan", "word": "b"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "true",
        'data.caller_prefix == "+86138"',
        "'+86138' == data.caller_prefix",
        'data.caller_prefix != "+86139"',
        'data["product.name"] in ["card", "loan"]',
        'data.caller_prefix.startsWith("+86")',
        'data.caller_prefix.endsWith("138")',
        'data.caller_prefix.contains("61")',
        "data.age == 42",
        "data.age in [41, 42]",
        "data.age < 43 && data.age <= 42 && data.age > 41 && data.age >= 42",
        "43 > data.age && 42 >= data.age && 41 < data.age && 42 <= data.age",
        "data.debt < 0 && data.debt == -5 && data.debt in [-0x5]",
        "data.word > 'a' && data.word < 'c' && data.word >= 'b' && data.word <= 'b'",
        "data.vip",
        "data.vip == true",
        "has(data.vip)",
        "!has(data.missing)",
        "!(data.missing == 1)",
        "data.missing == 1 || data.age == 0x2A",
        "((data.vip))",
    ],
)
def test_true_of_the_data(text):
    assert holds(parse_condition(text), DATA)


@pytest.mark.parametrize(
    "text",
    [
        "false",
        "data.missing == 'x'",
        "data.missing != 'x'",
        "data.missing < 1",
        "data.missing in ['x']",
        "data.missing.startsWith('')",
        "has(data.missing)",
        "data.missing",
        "!data.vip",
        "data.caller_prefix > 1",
        "data.word != 1",
        "data.age in []",
        "data.age < 42 || data.age > 42",
        "data.vip && data.age == 1",
    ],
)
def test_false_of_the_data(text):
    assert not holds(parse_condition(text), DATA)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data.x ==", "column 8: it is not valid CEL"),
        ("\x00", "it is not valid CEL"),
        ("data['x'", "it is not valid CEL"),
        ("1 == 2", "column 1: a comparison has `data.<key>` on one side"),
        ("data.a == data.b", "column 11: `data.<key>` is compared with a value, not with other data"),
        ("caller.x == 1", "a flow knows the contact's data (`data.caller.x`) but no agent yet"),
        ("data.a + 1 == 2", "arithmetic cannot be used"),
        ("size(data) > 1", "a function cannot be used"),
        ("data.a ? true : false", "a conditional (?:) cannot be used"),
        ("data[0] == 1", "an index is a text"),
        ("data.a == 1.5", "column 11: only whole numbers can be used"),
        ("data.a == null", "this value cannot be used"),
        ("data.a.matches('x')", "the method matches cannot be used"),
        ("data.a.startsWith(1)", "startsWith needs a text"),
        ("data.a.startsWith(data.b)", "`data.<key>` is compared with a value"),
        ("'x' in ['x']", "`data.<key>` on one side"),
        ("data.a in [1, 'x']", "of one kind"),
        ("'a' in data", "`in` needs a list"),
        ("has()", "has() needs one attribute or data"),
        ("'abc'", "a value alone is no condition"),
    ],
)
def test_what_a_flow_cannot_say_is_refused_with_a_reason(text, says):
    with pytest.raises(Refused) as refused:
        parse_condition(text)
    assert says in str(refused.value)


def test_an_unset_comparator_is_false():
    assert not holds(Condition(Comparison("age", "", ("42",))), DATA)
