"""Who can meet an expression at all: nobody ever, nobody of these agents, or somebody, for some contact.

The tree is written as a disjunction of conjunctions of tests; a conjunction can be met where each name in it has a value
that meets all of the name's tests. A test that compares an attribute with the contact's data can be met by whoever has
the attribute. So `nobody` is certain, `somebody` may be too hopeful.
"""

from __future__ import annotations

import operator as ops
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

from junctor_expressions.of_agents import HIGHEST, LOWEST, Kind
from junctor_expressions.tree import (
    And,
    Attribute,
    Compare,
    Constant,
    Data,
    Has,
    In,
    Literal,
    Node,
    Not,
    Operand,
    Or,
    Test,
    TextTest,
    operands,
    tests,
)

MOST_WAYS = 512
"""Expressions with more conjunctions are taken for possible."""
MISSING = None
Value = int | str
"""As it is compared: true and false are the texts `true` and `false`."""
Wanted = tuple[Test, bool]

_OPERATORS: Mapping[str, Callable[[Value, Value], bool]] = {
    "==": ops.eq,
    "!=": ops.ne,
    "<": ops.lt,
    "<=": ops.le,
    ">": ops.gt,
    ">=": ops.ge,
    "startsWith": lambda left, right: str(left).startswith(str(right)),
    "endsWith": lambda left, right: str(left).endswith(str(right)),
    "contains": lambda left, right: str(right) in str(left),
}


class TooMany(Exception):
    """The expression has more ways than are looked at. No retry helps."""


class Agents:
    """Sets of agents (bits of an int) by attribute value; `everyone` has as many bits as there are agents."""

    def __init__(self, agents: Iterable[Mapping[str, Value]]) -> None:
        columns: dict[str, dict[Value, list[int]]] = {}
        count = 0
        for count, attributes in enumerate(agents, 1):
            for name, value in attributes.items():
                columns.setdefault(name, {}).setdefault(value, []).append(count - 1)
        self.everyone = (1 << count) - 1
        self._columns = {
            name: {value: _bits(found, count) for value, found in column.items()} for name, column in columns.items()
        }

    def meeting(self, test: Test) -> int:
        """Who meets a test with one attribute in it, for some contact."""
        name = next(operand.name for operand in operands(test) if isinstance(operand, Attribute))
        column = self._columns.get(name, {})
        return reduce(ops.or_, (bits for value, bits in column.items() if _holds(test, value)), 0)

    def highest(self, name: str) -> int | None:
        """The highest whole number of an attribute."""
        return max((value for value in self._columns.get(name, {}) if isinstance(value, int)), default=None)

    def has(self, name: str) -> bool:
        return name in self._columns


@dataclass(frozen=True, slots=True)
class Cut:
    """Why nobody meets it: `test` is one that no agent meets by itself; None where each is met, but not all by one agent."""

    test: Test | None = None


def impossible(node: Node, kinds: Mapping[str, Kind]) -> bool:
    """Whether it contradicts itself: no agent and no contact of any kind could meet it."""
    try:
        return not any(_consistent(way, kinds) for way in _ways(node, True))
    except TooMany:
        return False


def nobody(node: Node, agents: Agents) -> Cut | None:
    """Why none of the agents can meet it, whatever the contact; None where somebody can."""
    try:
        ways = _ways(node, True)
    except TooMany:
        return None
    for way in ways:
        if not _consistent([(test, wanted) for test, wanted in way if not _of_agent(test)], {}):
            continue
        left = agents.everyone
        for test, wanted in way:
            if _of_agent(test):
                left &= _who(test, wanted, agents)
        if left:
            return None
    unmet = [test for test in tests(node) if _of_agent(test) and not agents.meeting(test)]
    return Cut(unmet[0] if unmet and all(any(t in unmet and w for t, w in way) for way in ways) else None)


def _who(test: Test, wanted: bool, agents: Agents) -> int:
    meeting = agents.meeting(test)
    if wanted:
        return meeting
    return agents.everyone if _with_data(test) else agents.everyone & ~meeting


def _ways(node: Node, wanted: bool) -> list[tuple[Wanted, ...]]:
    """The conjunctions, each enough for `node` to be `wanted`."""
    match node:
        case Constant(value):
            return [()] if value is wanted else []
        case Not(part):
            return _ways(part, not wanted)
        case And(parts) | Or(parts):
            each = [_ways(part, wanted) for part in parts]
            if isinstance(node, And) is not wanted:
                return _limited([way for ways in each for way in ways])
            if reduce(ops.mul, map(len, each), 1) > MOST_WAYS:
                raise TooMany
            return [tuple(one for way in chosen for one in way) for chosen in product(*each)]
        case _:
            return [((node, wanted),)]


def _limited(ways: list[tuple[Wanted, ...]]) -> list[tuple[Wanted, ...]]:
    if len(ways) > MOST_WAYS:
        raise TooMany
    return ways


def _consistent(way: Sequence[Wanted], kinds: Mapping[str, Kind]) -> bool:
    """Whether each name has a value that meets all tests on it; tests of two names ask only that both have one."""
    by_name: dict[Attribute | Data, list[Wanted]] = {}
    for test, wanted in way:
        names = [operand for operand in operands(test) if not isinstance(operand, Literal)]
        if not names and _holds(test, "") is not wanted:
            return False
        for name in names if len(names) == 1 or wanted else ():
            by_name.setdefault(name, []).append((test, wanted))
    return all(_has_a_value(name, found, kinds) for name, found in by_name.items())


def _has_a_value(name: Attribute | Data, found: list[Wanted], kinds: Mapping[str, Kind]) -> bool:
    """Parts of texts (`contains` and the like) are only held against their own negation."""
    if any(isinstance(test, TextTest) for test, _ in found):
        return not any((test, not wanted) in found for test, wanted in found)
    return any(all(_holds(test, value) is wanted for test, wanted in found) for value in _values(name, found, kinds))


def _values(name: Attribute | Data, found: list[Wanted], kinds: Mapping[str, Kind]) -> list[Value | None]:
    """Values enough to find one that meets the tests, if there is any: those compared with, their neighbours, another."""
    kind = kinds.get(name.name) if isinstance(name, Attribute) else None
    if kind is Kind.PROFICIENCY:
        return [MISSING, *range(LOWEST, HIGHEST + 1)]
    if kind is Kind.BOOLEAN:
        return [MISSING, "true", "false"]
    literals = [_value(o) for test, _ in found for o in operands(test) if isinstance(o, Literal)]
    numbers = {near for literal in literals if isinstance(literal, int) for near in (literal - 1, literal, literal + 1)}
    texts = [literal for literal in literals if isinstance(literal, str)]
    around = {near for text in texts for near in (text, f"{text}\x00", text[:-1], f"{text[:-1]}\U0010ffff")}
    whole: list[Value] = [str(number) if isinstance(name, Data) else number for number in sorted(numbers | {0})]
    return [MISSING, *whole, *sorted({"", "\U0010ffff"} | around)]


def _holds(test: Test, value: Value | None) -> bool:
    """Whether the test holds where its name has the value; where it has two, to have one is enough."""
    if value is MISSING:
        return False
    match test:
        case Has():
            return True
        case In(operand, items):
            return any(_compared("==", operand, item, value) for item in items)
        case Compare(operator, left, right) | TextTest(operator, left, right):
            return _compared(operator, left, right, value)


def _compared(operator: str, left: Operand, right: Operand, value: Value) -> bool:
    match left, right:
        case Literal(), Literal():
            one, other = _value(left), _value(right)
        case Literal(), name:
            one, other = _value(left), _read(value, name, left)
        case name, Literal():
            one, other = _read(value, name, right), _value(right)
        case _:
            return True
    return type(one) is type(other) and _OPERATORS[operator](one, other)


def _read(value: Value, name: Operand, beside: Literal) -> Value:
    """The contact's data is text; beside a whole number it is read as one."""
    if not isinstance(name, Data) or type(beside.value) is not int:
        return value
    digits = str(value).removeprefix("-")
    return int(value) if digits.isascii() and digits.isdecimal() else value


def _value(literal: Literal) -> Value:
    if isinstance(literal.value, bool):
        return "true" if literal.value else "false"
    return literal.value


def _of_agent(test: Test) -> bool:
    return any(isinstance(operand, Attribute) for operand in operands(test))


def _with_data(test: Test) -> bool:
    return any(isinstance(operand, Data) for operand in operands(test))


def _bits(positions: list[int], count: int) -> int:
    found = bytearray(count // 8 + 1)
    for position in positions:
        found[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(found, "little")
