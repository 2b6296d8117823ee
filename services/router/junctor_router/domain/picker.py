"""A bound expression made into a function on columns of bit sets, so that its tree is walked once and not for each set."""

from __future__ import annotations

from collections.abc import Callable

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

Columns = dict[str, dict[Scalar, int]]
"""Attribute to value to the set of those who have it."""
Picker = Callable[[Columns, int], int]
"""The columns and the set of all; gives the set of those who meet the expression."""

_NONE: dict[Scalar, int] = {}


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
        case Compare(">=", Attribute(name), Literal(int(least))):
            return _numbers(name, least, None)
        case Compare(">", Attribute(name), Literal(int(below))):
            return _numbers(name, below + 1, None)
        case Compare("<=", Attribute(name), Literal(int(most))):
            return _numbers(name, None, most)
        case Compare("<", Attribute(name), Literal(int(above))):
            return _numbers(name, None, above - 1)
        case Compare(operator, Attribute(name), Literal(value)):
            return _those(name, operator, value)
        case In(Attribute(name), items):
            values = tuple(item.value for item in items if isinstance(item, Literal))
            return _one_of(name, values)
        case Has(Attribute(name)):
            return _everyone_with(name)
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


def _numbers(name: str, least: int | None, most: int | None) -> Picker:
    """Those with a whole number from `least` to `most`."""

    def pick(columns: Columns, everyone: int) -> int:
        found = 0
        for value, bits in columns.get(name, _NONE).items():
            if isinstance(value, int) and (least is None or value >= least) and (most is None or value <= most):
                found |= bits
        return found

    return pick


def _those(name: str, operator: str, value: Scalar) -> Picker:
    """Values come again and again: each is compared once."""
    known: dict[Scalar, bool] = {}

    def pick(columns: Columns, everyone: int) -> int:
        found = 0
        for mine, bits in columns.get(name, _NONE).items():
            good = known.get(mine)
            if good is None:
                good = known[mine] = compares(operator, mine, value)
            if good:
                found |= bits
        return found

    return pick


def _everyone_with(name: str) -> Picker:
    def pick(columns: Columns, everyone: int) -> int:
        found = 0
        for bits in columns.get(name, _NONE).values():
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
