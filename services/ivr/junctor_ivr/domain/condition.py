"""Conditions of a flow: parsed CEL as plain values, and what they say of a contact's data.

A key that the data does not have makes a comparison false, whatever the comparison is; `!` turns that into true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

Comparator = Literal[
    "equal",
    "not_equal",
    "less",
    "less_or_equal",
    "greater",
    "greater_or_equal",
    "one_of",
    "starts_with",
    "ends_with",
    "contains",
    "present",
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operands`: one, any number for `one_of`, none for `present`. `numeric` compares whole numbers."""

    key: str
    comparator: Comparator
    operands: tuple[str, ...] = ()
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    condition: Condition


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Condition:
    test: Comparison | AllOf | AnyOf | Negation | Constant


def holds(condition: Condition, data: Mapping[str, str]) -> bool:
    """Whether the condition is true of `data`."""
    match condition.test:
        case Comparison() as comparison:
            return _compares(comparison, data)
        case AllOf(conditions):
            return all(holds(part, data) for part in conditions)
        case AnyOf(conditions):
            return any(holds(part, data) for part in conditions)
        case Negation(inner):
            return not holds(inner, data)
        case Constant(value):
            return value
        case _:
            assert_never(condition.test)


def _compares(comparison: Comparison, data: Mapping[str, str]) -> bool:
    found = data.get(comparison.key)
    if found is None:
        return False
    if comparison.comparator == "present":
        return True
    if not comparison.numeric:
        return _ordered(comparison.comparator, found, comparison.operands)
    number = _whole(found)
    operands = tuple(_whole(operand) for operand in comparison.operands)
    if number is None or None in operands:
        return False
    return _ordered(comparison.comparator, number, operands)


def _ordered(comparator: Comparator, found: str | int, operands: tuple[str | int | None, ...]) -> bool:
    if comparator == "one_of":
        return found in operands
    operand = operands[0]
    match comparator:
        case "equal":
            return found == operand
        case "not_equal":
            return found != operand
        case "less":
            return found < operand  # type: ignore[operator]
        case "less_or_equal":
            return found <= operand  # type: ignore[operator]
        case "greater":
            return found > operand  # type: ignore[operator]
        case "greater_or_equal":
            return found >= operand  # type: ignore[operator]
        case "starts_with":
            return str(found).startswith(str(operand))
        case "ends_with":
            return str(found).endswith(str(operand))
        case "contains":
            return str(operand) in str(found)
        case _:
            return False


def _whole(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else None
