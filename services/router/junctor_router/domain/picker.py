"""A bound expression made into a function on columns of bit sets, so that its tree is walked once and not for each set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from junctor_router.domain.expression import (
    And,
    Attribute,
    Compare,
    Constant,
    Has,
    In,
    Literal,
    Node,
    Not,
    Or,
    Scalar,
    compares,
)

Columns = Mapping[str, Mapping[Scalar, int]]
"""Attribute to value to the set of those who have it."""
Picker = Callable[[Columns, int], int]
"""The columns and the set of all; gives the set of those who meet the expression."""

_NONE: Mapping[Scalar, int] = {}


def picker_of(node: Node) -> Picker:
    """Gives the same answer as `expression.select`. Raises `ValueError` for a tree that is not bound."""
    match node:
        case And(parts):
            return _all([picker_of(part) for part in parts])
        case Or(parts):
            return _any([picker_of(part) for part in parts])
        case Not(part):
            inner = picker_of(part)
            return lambda columns, everyone: everyone & ~inner(columns, everyone)
        case Compare("==", Attribute(name), Literal(value)):
            return lambda columns, everyone: columns.get(name, _NONE).get(value, 0)
        case Compare(operator, Attribute(name), Literal(value)):
            return _those(name, lambda mine: compares(operator, mine, value))
        case In(Attribute(name), items):
            values = tuple(item.value for item in items if isinstance(item, Literal))
            return _one_of(name, values)
        case Has(Attribute(name)):
            return _those(name, lambda mine: True)
        case Constant(constant):
            return lambda columns, everyone: everyone if constant else 0
        case _:
            raise ValueError("the tree is not bound")


def _all(pickers: list[Picker]) -> Picker:
    first, *rest = pickers

    def pick(columns: Columns, everyone: int) -> int:
        found = first(columns, everyone)
        for picker in rest:
            if not found:
                return 0
            found &= picker(columns, everyone)
        return found

    return pick


def _any(pickers: list[Picker]) -> Picker:
    def pick(columns: Columns, everyone: int) -> int:
        found = 0
        for picker in pickers:
            found |= picker(columns, everyone)
        return found

    return pick


def _those(name: str, test: Callable[[Scalar], bool]) -> Picker:
    """Values come again and again: each is tested once."""
    known: dict[Scalar, bool] = {}

    def pick(columns: Columns, everyone: int) -> int:
        found = 0
        for value, bits in columns.get(name, _NONE).items():
            good = known.get(value)
            if good is None:
                good = known[value] = test(value)
            if good:
                found |= bits
        return found

    return pick


def _one_of(name: str, values: tuple[Scalar, ...]) -> Picker:
    def pick(columns: Columns, everyone: int) -> int:
        column = columns.get(name, _NONE)
        found = 0
        for value in values:
            found |= column.get(value, 0)
        return found

    return pick
