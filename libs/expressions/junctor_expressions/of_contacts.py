"""What a flow's condition may say of a contact: its data compared with texts, whole numbers and truth values."""

from __future__ import annotations

from junctor_expressions.cel import parse
from junctor_expressions.tree import Attribute, Compare, Data, Has, In, Literal, Node, Refused, Test, operands, tests


def read(text: str) -> Node:
    """The tree of a condition: each test has data on one side and values on the other (in a list: of one kind).

    Raises `Refused` with the place of what cannot be used. Empty text is true.
    """
    node = parse(text)
    for test in tests(node):
        _check(test, text)
    return node


def _check(test: Test, text: str) -> None:
    parts = operands(test)
    for part in parts:
        if isinstance(part, Attribute):
            raise Refused(text, part.at, f"a flow knows the contact's data (`data.{part.name}`) but no agent yet")
    if isinstance(test, Has):
        return
    first, *others = parts
    if isinstance(test, Compare) and isinstance(first, Literal):
        first, others = others[0], [first]
    if not isinstance(first, Data):
        raise Refused(text, parts[0].at, "a comparison has `data.<key>` on one side and a value on the other")
    for other in others:
        if not isinstance(other, Literal):
            raise Refused(text, other.at, "`data.<key>` is compared with a value, not with other data")
    kinds = {type(other.value) for other in others if isinstance(other, Literal)}
    if isinstance(test, In) and len(kinds) > 1:
        raise Refused(text, others[-1].at, "the values of a list must be of one kind")
