"""What an expression may say of agents: attributes compared with values and the contact's data, by their declared types."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from functools import lru_cache

from junctor_expressions.cel import parse
from junctor_expressions.tree import (
    Attribute,
    Compare,
    In,
    Literal,
    Node,
    Operand,
    Refused,
    Test,
    TextTest,
    operands,
    tests,
)

LOWEST, HIGHEST = 1, 10
"""Of a proficiency."""


class Kind(enum.Enum):
    """What an attribute's values are."""

    PROFICIENCY = enum.auto()
    BOOLEAN = enum.auto()
    TEXT = enum.auto()
    NUMBER = enum.auto()


_WANTED: Mapping[Kind, tuple[type, str]] = {
    Kind.PROFICIENCY: (int, f"a whole number from {LOWEST} to {HIGHEST}"),
    Kind.NUMBER: (int, "a whole number"),
    Kind.BOOLEAN: (bool, "true or false"),
    Kind.TEXT: (str, "text"),
}
_ORDER = frozenset({"<", "<=", ">", ">="})


def words(kind: Kind) -> str:
    """What a value of the kind is, as in `true or false`."""
    return _WANTED[kind][1]


@lru_cache(maxsize=10_000)
def value(text: str, kind: Kind | None) -> int | str | None:
    """An attribute's value as it is compared, None where the kind has no such one. Without a kind, digits are a number."""
    match kind:
        case Kind.PROFICIENCY:
            number = _whole(text)
            return number if number is not None and LOWEST <= number <= HIGHEST else None
        case Kind.NUMBER:
            return _whole(text)
        case Kind.BOOLEAN:
            return text if text in ("true", "false") else None
        case Kind.TEXT:
            return text
        case None:
            number = _whole(text)
            return text if number is None else number


def _whole(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None


def read(text: str, kinds: Mapping[str, Kind]) -> Node:
    """The tree of an expression over agents. Attributes that `kinds` does not have may be compared with anything.

    Raises `Refused` with the place of what cannot be used. Empty text is everyone.
    """
    node = parse(text)
    for test in tests(node):
        _check(test, text, kinds)
    return node


def out_of_range(node: Node, kinds: Mapping[str, Kind]) -> Iterator[tuple[Attribute, Literal]]:
    """Values no proficiency can have that one is compared with: the comparison says always the same."""
    for test in tests(node):
        named = [o for o in operands(test) if isinstance(o, Attribute) and kinds.get(o.name) is Kind.PROFICIENCY]
        for operand in operands(test):
            if named and isinstance(operand, Literal) and not LOWEST <= int(operand.value) <= HIGHEST:
                yield named[0], operand


def _check(test: Test, text: str, kinds: Mapping[str, Kind]) -> None:
    named = [operand for operand in operands(test) if isinstance(operand, Attribute)]
    if len(named) > 1 or (isinstance(test, In) and named and named[0] is not test.operand):
        raise Refused(text, named[-1].at, "an attribute is compared with values or data, not with another attribute")
    match test:
        case TextTest(method):
            raise Refused(text, test.at, f"{method} can be used in flows only, not of agents")
        case Compare(operator, left, right):
            _check_values(operator, left, (right,), text, kinds)
            _check_values(operator, right, (left,), text, kinds)
        case In(operand, items):
            _check_values("in", operand, items, text, kinds)


def _check_values(
    operator: str, operand: Operand, others: tuple[Operand, ...], text: str, kinds: Mapping[str, Kind]
) -> None:
    kind = kinds.get(operand.name) if isinstance(operand, Attribute) else None
    if kind is None or not isinstance(operand, Attribute):
        return
    if kind is Kind.BOOLEAN and operator in _ORDER:
        raise Refused(text, operand.at, f"{operand.name} is true or false and has no order")
    wanted, words = _WANTED[kind]
    for other in others:
        if isinstance(other, Literal) and type(other.value) is not wanted:
            raise Refused(text, other.at, f"{operand.name} is {words}")
