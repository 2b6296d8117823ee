"""Expressions as trees, each part with its place in the text. Two trees are equal whatever their places.

A dotted name is an attribute of the agent; `data.x` is the contact's data. What a tree may say of agents is in
`of_agents`, what of contacts in `of_contacts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class At(NamedTuple):
    """Both count from 1."""

    line: int
    column: int


START = At(1, 1)


class Refused(ValueError):
    """The text cannot be used. Who wrote it mends it; no retry helps."""

    retryable = False

    def __init__(self, text: str, at: At, reason: str) -> None:
        super().__init__(f"{shortened(text)!r}, {place(at)}: {reason}")
        self.text = text
        self.at = at
        self.reason = reason


def place(at: At) -> str:
    """`column 7`; with the line where it is not the first."""
    return f"column {at.column}" if at.line == 1 else f"line {at.line}, column {at.column}"


def shortened(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


@dataclass(frozen=True, slots=True)
class Attribute:
    """What the agent has, by its slug."""

    name: str
    at: At = field(default=START, compare=False)


@dataclass(frozen=True, slots=True)
class Data:
    """What is known of the contact: text."""

    key: str
    at: At = field(default=START, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | str | bool
    at: At = field(default=START, compare=False)


Operand = Attribute | Data | Literal


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator`: == != < <= > >=."""

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
class TextTest:
    """`method`: startsWith, endsWith or contains."""

    method: str
    operand: Operand
    argument: Operand
    at: At = field(default=START, compare=False)


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


Test = Compare | In | Has | TextTest
Node = Test | Constant | Not | And | Or


def tests(node: Node) -> Iterator[Test]:
    """The tests in it, from left to right."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from tests(part)
        case Not(part):
            yield from tests(part)
        case Constant():
            return
        case _:
            yield node


def operands(test: Test) -> tuple[Operand, ...]:
    """From left to right."""
    match test:
        case Compare(_, left, right):
            return (left, right)
        case In(operand, items):
            return (operand, *items)
        case Has(operand):
            return (operand,)
        case TextTest(_, operand, argument):
            return (operand, argument)


def attributes(node: Node) -> tuple[Attribute, ...]:
    """The attributes that it names, each at its first place."""
    found = [operand for test in tests(node) for operand in operands(test) if isinstance(operand, Attribute)]
    return tuple(dict.fromkeys(found))


def data_keys(node: Node) -> tuple[str, ...]:
    """The contact's data that it looks at, in order."""
    return tuple(sorted({o.key for test in tests(node) for o in operands(test) if isinstance(o, Data)}))


def described(node: Node) -> str:
    """The tree as CEL again, for people."""
    match node:
        case And(parts):
            return " && ".join(_within(part) for part in parts)
        case Or(parts):
            return " || ".join(_within(part) for part in parts)
        case Not(part):
            return f"!({described(part)})"
        case Compare("==", Attribute() | Data() as operand, Literal(bool(value))) if value:
            return _named(operand)
        case Compare(operator, left, right):
            return f"{_named(left)} {operator} {_named(right)}"
        case In(operand, items):
            return f"{_named(operand)} in [{', '.join(map(_named, items))}]"
        case Has(operand):
            return f"has({_named(operand)})"
        case TextTest(method, operand, argument):
            return f"{_named(operand)}.{method}({_named(argument)})"
        case Constant(value):
            return "true" if value else "false"


def _within(node: Node) -> str:
    return f"({described(node)})" if isinstance(node, And | Or) else described(node)


def _named(operand: Operand) -> str:
    match operand:
        case Attribute(name):
            return name if all(part.isidentifier() for part in name.split(".")) else f'attributes["{name}"]'
        case Data(key):
            return f"data.{key}" if key.isidentifier() else f'data["{key}"]'
        case Literal(bool(value)):
            return "true" if value else "false"
        case Literal(int(value)):
            return str(value)
        case Literal(value):
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
