"""Conditions: CEL text, its parse, and what it says of data."""

import pytest
from junctor_ivr.adapters.cel_conditions import UnreadableCondition, parse_condition
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
        "data.debt < 0",
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
        ("data.x ==", "is no CEL: look at line 1"),
        ("\x00", "is no CEL"),
        ("data['x'", "is no CEL"),
        ("1 == 2", "`data.<key>` on one side"),
        ("data.a == data.b", "`data.<key>` on one side"),
        ("caller.x == 1", "a flow knows `data.<key>`"),
        ("data.a + 1 == 2", "a flow knows `data.<key>`"),
        ("size(data) > 1", "a flow knows `data.<key>`"),
        ("data.a ? true : false", "a flow knows `data.<key>`"),
        ("data[0] == 1", "a flow knows `data.<key>`"),
        ("data.a == 1.5", "the value 1.5 is not possible"),
        ("data.a == null", "the value null is not possible"),
        ("data.a.matches('x')", "matches() is not possible"),
        ("data.a.startsWith(1)", "startsWith() takes a text"),
        ("data.a.startsWith(data.b)", "a value is expected instead of `data.<key>`"),
        ("'x' in ['x']", "`data.<key>` is expected instead of a value"),
        ("data.a in [1, 'x']", "of one kind"),
        ("'a' in data", "`in` takes a list"),
        ("has()", "has() takes one"),
        ("'abc'", "a condition must be true or false"),
    ],
)
def test_what_a_flow_cannot_say_is_refused_with_a_reason(text, says):
    with pytest.raises(UnreadableCondition) as refused:
        parse_condition(text)
    assert says in str(refused.value)


def test_an_unset_comparator_is_false():
    assert not holds(Condition(Comparison("age", "", ("42",))), DATA)
