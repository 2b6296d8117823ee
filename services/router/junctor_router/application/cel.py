"""Expressions of plans and requirements: their text, read by `junctor_expressions`, as the trees that the domain knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from junctor_expressions import tree
from junctor_expressions.of_agents import Kind, read

from junctor_router.domain import expression as domain
from junctor_router.domain.expression import NO_TYPES, ExpressionRefused
from junctor_router.domain.values import AttributeType

_KINDS = {
    AttributeType.PROFICIENCY: Kind.PROFICIENCY,
    AttributeType.BOOLEAN: Kind.BOOLEAN,
    AttributeType.TEXT: Kind.TEXT,
    AttributeType.NUMBER: Kind.NUMBER,
}


def parse(text: str, types: Mapping[str, AttributeType] = NO_TYPES) -> domain.Node:
    """Meets `domain.expression.Parse`."""
    kinds = {name: _KINDS[type] for name, type in types.items() if type in _KINDS}
    try:
        return _node(read(text, kinds))
    except tree.Refused as refused:
        raise ExpressionRefused(str(refused)) from refused


def _node(node: tree.Node) -> domain.Node:
    match node:
        case tree.And(parts):
            return domain.And(tuple(map(_node, parts)))
        case tree.Or(parts):
            return domain.Or(tuple(map(_node, parts)))
        case tree.Not(part):
            return domain.Not(_node(part))
        case tree.Constant(value):
            return domain.Constant(value)
        case tree.Compare(operator, left, right):
            return domain.Compare(operator, _operand(left), _operand(right))
        case tree.In(operand, items):
            return domain.In(_operand(operand), tuple(map(_operand, items)))
        case tree.Has(tree.Attribute(name)):
            return domain.Has(domain.Attribute(name))
        case tree.Has(tree.Data(key)):
            return domain.Has(domain.Data(key))
        case _:
            raise TypeError(f"{node!r} is nothing that can be said of agents")


def _operand(operand: tree.Operand) -> domain.Operand:
    match operand:
        case tree.Attribute(name):
            return domain.Attribute(name)
        case tree.Data(key):
            return domain.Data(key)
        case tree.Literal(value):
            return domain.Literal(value)
        case _:
            assert_never(operand)
