"""Expressions over an agent's attributes and a contact's data: checked once, bound to the data, evaluated on bit sets.

The tree is what `application/cel.py` hands over, checked against the attributes' types. A comparison with an attribute
that the agent does not have, or with data that the contact does not have, is false.
"""

from __future__ import annotations

import operator as ops
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from junctor_router.domain.values import AttributeType

Scalar = int | str
"""A value in an index: whole numbers are ints; text is text; true and false are the texts `true` and `false`."""

_OPERATORS: Mapping[str, Callable[[Scalar, Scalar], bool]] = {
    "==": ops.eq,
    "!=": ops.ne,
    "<": ops.lt,
    "<=": ops.le,
    ">": ops.gt,
    ">=": ops.ge,
}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class ExpressionRefused(Exception):
    """The expression cannot be used; the message says where and why. Mending the text is the only way."""

    retryable = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """What the agent has, by its slug."""

    name: str


@dataclass(frozen=True, slots=True)
class Data:
    """What is known of the contact."""

    key: str


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | str | bool


Operand = Attribute | Data | Literal


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    items: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Has:
    operand: Attribute | Data


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


Node = Compare | In | Has | Constant | Not | And | Or
NO_TYPES: Mapping[str, AttributeType] = MappingProxyType({})


class Parse(Protocol):
    """Text to tree; empty text is `Constant(True)`. Raises `ExpressionRefused`, also for values not of the attributes' types."""

    def __call__(self, text: str, types: Mapping[str, AttributeType] = NO_TYPES) -> Node: ...


class Sets(Protocol):
    """Bit sets of agents by attribute: what an expression is evaluated on."""

    @property
    def everyone(self) -> int: ...

    def compare(self, name: str, operator: str, value: Scalar) -> int: ...

    def among(self, name: str, values: tuple[Scalar, ...]) -> int: ...

    def having(self, name: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Expression:
    """A tree with the names in it, sorted."""

    text: str
    root: Node
    attributes: tuple[str, ...]
    data_keys: tuple[str, ...]


def compile_expression(text: str, parse: Parse, types: Mapping[str, AttributeType]) -> Expression:
    """Raises `ExpressionRefused` with the place where a part cannot be used with the attributes' declared types."""
    root = parse(text, types)
    operands = list(_operands(root))
    return Expression(
        text,
        root,
        tuple(sorted(attributes_of(root))),
        tuple(sorted({operand.key for operand in operands if isinstance(operand, Data)})),
    )


def bind(node: Node, data: Mapping[str, str], types: Mapping[str, AttributeType]) -> Node:
    """The tree with the contact's data in its place and what is then constant folded away: only attributes are left."""
    match node:
        case Compare(operator, left, right):
            return _bind_compare(operator, left, right, data, types)
        case In(operand, items):
            return _bind_in(operand, items, data, types)
        case Has(Data(key)):
            return Constant(key in data)
        case Not(part):
            bound = bind(part, data, types)
            return Constant(not bound.value) if isinstance(bound, Constant) else Not(bound)
        case And(parts):
            return conjunction([bind(part, data, types) for part in parts])
        case Or(parts):
            bound_parts = [bind(part, data, types) for part in parts]
            if any(part == Constant(True) for part in bound_parts):
                return Constant(True)
            rest = tuple(part for part in bound_parts if part != Constant(False))
            return rest[0] if len(rest) == 1 else Or(rest) if rest else Constant(False)
        case _:
            return node


def conjunction(parts: list[Node]) -> Node:
    """All of them, flat, without what is always true."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And) else (part,))
    if any(part == Constant(False) for part in flat):
        return Constant(False)
    rest = tuple(dict.fromkeys(part for part in flat if part != Constant(True)))
    return rest[0] if len(rest) == 1 else And(rest) if rest else Constant(True)


def select(node: Node, sets: Sets) -> int:
    """The agents who meet a bound tree."""
    match node:
        case And(parts):
            found = select(parts[0], sets)
            for part in parts[1:]:
                if not found:
                    return 0
                found &= select(part, sets)
            return found
        case Compare(operator, Attribute(name), Literal(value)):
            return sets.compare(name, operator, value)
        case In(Attribute(name), items):
            return sets.among(name, tuple(item.value for item in items if isinstance(item, Literal)))
        case Has(Attribute(name)):
            return sets.having(name)
        case Or(parts):
            found = 0
            for part in parts:
                found |= select(part, sets)
            return found
        case Not(part):
            return sets.everyone & ~select(part, sets)
        case Constant(value):
            return sets.everyone if value else 0
        case _:
            raise ValueError("the tree is not bound")


def holds(node: Node, attributes: Mapping[str, Scalar]) -> bool:
    """Whether one agent with these attributes meets a bound tree: the same answer as `select`."""
    return test_of(node)(attributes)


def test_of(node: Node) -> Callable[[Mapping[str, Scalar]], bool]:
    """`holds` for many agents: the tree is walked once."""
    match node:
        case And(parts):
            return _all([test_of(part) for part in parts])
        case Or(parts):
            return _any([test_of(part) for part in parts])
        case Not(part):
            inner = test_of(part)
            return lambda attributes: not inner(attributes)
        case Compare(operator, Attribute(name), Literal(value)):
            return _comparison(name, _OPERATORS[operator], value)
        case In(Attribute(name), items):
            allowed = frozenset((type(item.value), item.value) for item in items if isinstance(item, Literal))
            return lambda attributes: (type(mine := attributes.get(name)), mine) in allowed
        case Has(Attribute(name)):
            return lambda attributes: name in attributes
        case Constant(constant):
            return lambda attributes: constant
        case _:
            raise ValueError("the tree is not bound")


def _comparison(name: str, compare: Callable[[Scalar, Scalar], bool], value: Scalar) -> Callable[..., bool]:
    kind = type(value)

    def test(attributes: Mapping[str, Scalar]) -> bool:
        mine = attributes.get(name)
        return type(mine) is kind and compare(mine, value)

    return test


def _all(tests: list[Callable[[Mapping[str, Scalar]], bool]]) -> Callable[[Mapping[str, Scalar]], bool]:
    if len(tests) == 2:
        first, second = tests
        return lambda attributes: first(attributes) and second(attributes)
    return lambda attributes: all(test(attributes) for test in tests)


def _any(tests: list[Callable[[Mapping[str, Scalar]], bool]]) -> Callable[[Mapping[str, Scalar]], bool]:
    return lambda attributes: any(test(attributes) for test in tests)


def needed(node: Node) -> str | None:
    """An attribute without which nobody meets a bound tree; None where there is no such one."""
    match node:
        case Compare(_, Attribute(name), _) | In(Attribute(name), _) | Has(Attribute(name)):
            return name
        case And(parts):
            return next((name for name in map(needed, parts) if name is not None), None)
        case Or(parts):
            names = {needed(part) for part in parts}
            return names.pop() if len(names) == 1 else None
        case _:
            return None


def attributes_of(node: Node) -> frozenset[str]:
    """Those that a tree looks at."""
    return frozenset(operand.name for operand in _operands(node) if isinstance(operand, Attribute))


def compares(operator: str, left: Scalar, right: Scalar) -> bool:
    """False where the two are of different kinds."""
    return type(left) is type(right) and _OPERATORS[operator](left, right)


def read_value(text: str, declared: AttributeType) -> Scalar | None:
    """A value as the declared type reads it; None where it cannot."""
    match declared:
        case AttributeType.PROFICIENCY:
            number = _whole(text)
            return number if number is not None and 1 <= number <= 10 else None
        case AttributeType.NUMBER:
            return _whole(text)
        case AttributeType.BOOLEAN:
            return text if text in ("true", "false") else None
        case AttributeType.TEXT:
            return text
        case _:
            number = _whole(text)
            return text if number is None else number


def describe(node: Node) -> str:
    """The tree as CEL again, for people."""
    match node:
        case And(parts):
            return " && ".join(_within(part) for part in parts)
        case Or(parts):
            return " || ".join(_within(part) for part in parts)
        case Not(part):
            return f"!({describe(part)})"
        case Compare(operator, left, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
        case In(operand, items):
            return f"{_operand(operand)} in [{', '.join(_operand(item) for item in items)}]"
        case Has(operand):
            return f"has({_operand(operand)})"
        case Constant(value):
            return "true" if value else "false"


def clauses(node: Node) -> tuple[Node, ...]:
    """What must all hold, in the order written."""
    if isinstance(node, And):
        return tuple(clause for part in node.parts for clause in clauses(part))
    return (node,)


def _within(node: Node) -> str:
    return f"({describe(node)})" if isinstance(node, And | Or) else describe(node)


def _operand(operand: Operand) -> str:
    match operand:
        case Attribute(name):
            plain = all(part.isidentifier() for part in name.split("."))
            return name if plain else f'attributes["{name}"]'
        case Data(key):
            return f"data.{key}" if key.isidentifier() else f'data["{key}"]'
        case Literal(bool(value)):
            return "true" if value else "false"
        case Literal(int(value)):
            return str(value)
        case Literal(value):
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _whole(text: str) -> int | None:
    digits = text[1:] if text[:1] == "-" else text
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None


def _operands(node: Node) -> Iterator[Operand]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _operands(part)
        case Not(part):
            yield from _operands(part)
        case Compare(_, left, right):
            yield from (left, right)
        case In(operand, items):
            yield from (operand, *items)
        case Has(operand):
            yield operand


def _scalar(literal: Literal) -> Scalar:
    if isinstance(literal.value, bool):
        return "true" if literal.value else "false"
    return literal.value


def _like(text: str, other: Scalar) -> Scalar:
    """The contact's data is text; beside a whole number it is read as one where it can be."""
    number = _whole(text) if isinstance(other, int) else None
    return text if number is None else number


def _value_for(
    operand: Operand, name: str, data: Mapping[str, str], types: Mapping[str, AttributeType]
) -> Scalar | None:
    match operand:
        case Literal():
            return _scalar(operand)
        case Data(key):
            given = data.get(key)
            return None if given is None else read_value(given, types.get(name, AttributeType.UNSPECIFIED))
        case _:
            return None


def _bind_compare(
    operator: str, left: Operand, right: Operand, data: Mapping[str, str], types: Mapping[str, AttributeType]
) -> Node:
    if isinstance(right, Attribute) and not isinstance(left, Attribute):
        return _bind_compare(_FLIPPED[operator], right, left, data, types)
    if isinstance(left, Attribute):
        value = _value_for(right, left.name, data, types)
        return Constant(False) if value is None else Compare(operator, Attribute(left.name), Literal(value))
    pair = _two_values(left, right, data)
    return Constant(pair is not None and compares(operator, *pair))


def _bind_in(
    operand: Operand, items: tuple[Operand, ...], data: Mapping[str, str], types: Mapping[str, AttributeType]
) -> Node:
    if isinstance(operand, Attribute):
        values = [_value_for(item, operand.name, data, types) for item in items]
        known = tuple(dict.fromkeys(Literal(value) for value in values if value is not None))
        return In(Attribute(operand.name), known) if known else Constant(False)
    pairs = [_two_values(operand, item, data) for item in items]
    return Constant(any(pair is not None and compares("==", *pair) for pair in pairs))


def _two_values(left: Operand, right: Operand, data: Mapping[str, str]) -> tuple[Scalar, Scalar] | None:
    a = data.get(left.key) if isinstance(left, Data) else _scalar(left) if isinstance(left, Literal) else None
    b = data.get(right.key) if isinstance(right, Data) else _scalar(right) if isinstance(right, Literal) else None
    if a is None or b is None:
        return None
    if isinstance(left, Data) and isinstance(a, str):
        a = _like(a, b)
    if isinstance(right, Data) and isinstance(b, str):
        b = _like(b, a)
    return a, b
