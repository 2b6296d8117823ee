"""CEL as far as the directory judges it: does it parse, and which names does it speak of (cel-python's parser)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

_PARSER: list[CELParser] = []


class NotCel(ValueError):
    """The text does not parse; the message says where."""


@lru_cache(maxsize=4096)
def names_in(expression: str) -> frozenset[str]:
    """The dotted names of an expression, as in `product.loans`. Raises `NotCel`."""
    if not _PARSER:
        _PARSER.append(CELParser())
    try:
        tree = _PARSER[0].parse(expression)
    except CELParseError as error:
        line, column = error.line or 1, error.column or 1
        rest = expression.splitlines()[line - 1][column - 1 :].strip() if expression.strip() else ""
        near = f" near '{rest[:20]}'" if rest else ""
        place = f"line {line}, column {column}" if line > 1 else f"column {column}"
        raise NotCel(f"'{expression}' is no CEL expression: something is wrong or missing at {place}{near}") from error
    found: set[str] = set()
    _collect(tree, found)
    return frozenset(found)


def _collect(tree: Any, found: set[str]) -> None:
    if not isinstance(tree, Tree):
        return
    if tree.data in {"ident", "member_dot"}:
        name = _dotted(tree)
        if name is not None:
            found.add(name)
            return
    for child in tree.children:
        _collect(child, found)


def _dotted(tree: Any) -> str | None:
    while isinstance(tree, Tree) and tree.data in {"member", "primary"} and len(tree.children) == 1:
        tree = tree.children[0]
    if not isinstance(tree, Tree):
        return None
    if tree.data == "ident":
        return str(tree.children[0])
    if tree.data == "member_dot" and isinstance(tree.children[1], Token):
        owner = _dotted(tree.children[0])
        return f"{owner}.{tree.children[1]}" if owner else None
    return None
