"""CEL text, read by `junctor_expressions`, to the domain's conditions.

Data are texts: a comparison with a whole number reads them as one. `data.x` alone is true where it is the text `true`.
"""

from __future__ import annotations

from collections.abc import Sequence

from junctor_expressions import tree
from junctor_expressions.of_contacts import read

from junctor_ivr.domain.condition import AllOf, AnyOf, Comparator, Comparison, Condition, Constant, Negation

_COMPARATORS: dict[str, Comparator] = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_or_equal",
    ">": "greater",
    ">=": "greater_or_equal",
    "startsWith": "starts_with",
    "endsWith": "ends_with",
    "contains": "contains",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def parse_condition(text: str) -> Condition:
    """Raises `junctor_expressions.tree.Refused` for what a flow cannot say. The empty text is true."""
    return _condition(read(text))


def _condition(node: tree.Node) -> Condition:
    match node:
        case tree.And(parts):
            return Condition(AllOf(tuple(map(_condition, parts))))
        case tree.Or(parts):
            return Condition(AnyOf(tuple(map(_condition, parts))))
        case tree.Not(part):
            return Condition(Negation(_condition(part)))
        case tree.Constant(value):
            return Condition(Constant(value))
        case tree.Has(tree.Data(key)):
            return Condition(Comparison(key, "present"))
        case tree.In(tree.Data(key), items):
            return Condition(_comparison(key, "one_of", items))
        case tree.Compare(operator, tree.Data(key), value) | tree.TextTest(operator, tree.Data(key), value):
            return Condition(_comparison(key, _COMPARATORS[operator], (value,)))
        case tree.Compare(operator, value, tree.Data(key)):
            return Condition(_comparison(key, _COMPARATORS[_MIRRORED[operator]], (value,)))
        case _:
            raise TypeError(f"{node!r} is nothing that a flow can say")


def _comparison(key: str, comparator: Comparator, operands: Sequence[tree.Operand]) -> Comparison:
    values = [operand.value for operand in operands if isinstance(operand, tree.Literal)]
    texts = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    return Comparison(key, comparator, texts, {type(value) for value in values} == {int})
