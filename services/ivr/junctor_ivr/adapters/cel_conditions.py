"""CEL text to the domain's conditions, by cel-python's parser.

What flows may say of a contact's data: `==` `!=` `<` `<=` `>` `>=` with a text, whole number or truth value on either
side, `in [...]`, `startsWith` `endsWith` `contains`, `has(...)`, `&&` `||` `!`, `true` `false` and parentheses. Data are
texts: a comparison with a whole number reads them as one. `data.x` alone is true where it is the text `true`.
"""

from __future__ import annotations

import ast
from typing import Any, Literal, NamedTuple, cast

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from junctor_ivr.domain.condition import AllOf, AnyOf, Comparator, Comparison, Condition, Constant, Negation

_MIRRORED: dict[str, Comparator] = {
    "relation_eq": "equal",
    "relation_ne": "not_equal",
    "relation_lt": "greater",
    "relation_le": "greater_or_equal",
    "relation_gt": "less",
    "relation_ge": "less_or_equal",
}
_DIRECT: dict[str, Comparator] = {
    "relation_eq": "equal",
    "relation_ne": "not_equal",
    "relation_lt": "less",
    "relation_le": "less_or_equal",
    "relation_gt": "greater",
    "relation_ge": "greater_or_equal",
}
_LEVELS = frozenset(
    {
        "expr",
        "conditionalor",
        "conditionaland",
        "relation",
        "addition",
        "multiplication",
        "unary",
        "member",
        "primary",
        "paren_expr",
    }
)
_METHODS: dict[str, Comparator] = {"startsWith": "starts_with", "endsWith": "ends_with", "contains": "contains"}


class UnreadableCondition(ValueError):
    """The text is no condition that a flow may have; the message says where and why. No retry helps."""

    retryable = False


class _Key(NamedTuple):
    name: str


class _Value(NamedTuple):
    text: str
    kind: Literal["text", "number", "truth"]


def parse_condition(text: str) -> Condition:
    """Raises `UnreadableCondition`. The empty text is true."""
    if not text.strip():
        return Condition(Constant(True))
    try:
        tree = CELParser().parse(text)
    except CELParseError as error:
        line, column = error.line or 1, error.column or 1
        raise UnreadableCondition(f"{text!r} is no CEL: look at line {line}, column {column}.") from error
    try:
        return _condition(tree)
    except UnreadableCondition as error:
        raise UnreadableCondition(f"{text!r}: {error}") from error


def _condition(tree: Any) -> Condition:
    tree = _bare(tree)
    if tree.data in {"conditionalor", "conditionaland"}:
        parts = tuple(_condition(child) for child in tree.children)
        return Condition(AnyOf(parts) if tree.data == "conditionalor" else AllOf(parts))
    if tree.data == "relation":
        return Condition(_relation(tree.children[0], tree.children[1]))
    if tree.data == "unary" and tree.children[0].data == "unary_not":
        return Condition(Negation(_condition(tree.children[1])))
    if tree.data == "member_dot_arg":
        return Condition(_method(tree))
    if tree.data == "ident_arg" and tree.children[0] == "has":
        keys = [_key(argument).name for argument in _arguments(tree)]
        if len(keys) != 1:
            raise UnreadableCondition("has() takes one `data.<key>`.")
        return Condition(Comparison(keys[0], "present"))
    found = _operand(tree)
    if isinstance(found, _Key):
        return Condition(Comparison(found.name, "equal", ("true",)))
    if found.kind == "truth":
        return Condition(Constant(found.text == "true"))
    raise UnreadableCondition("a condition must be true or false.")


def _relation(left: Any, right: Any) -> Comparison:
    name = str(left.data)
    if name == "relation_in":
        values = tuple(_literal(item) for item in _list(right))
        kinds = {value.kind for value in values}
        if len(kinds) > 1:
            raise UnreadableCondition("the values of a list must be of one kind.")
        return Comparison(_key(left.children[0]).name, "one_of", tuple(v.text for v in values), kinds == {"number"})
    if name not in _DIRECT:
        raise UnreadableCondition(f"{name} is not possible in a flow.")
    first, second = _operand(left.children[0]), _operand(right)
    if isinstance(first, _Key) and isinstance(second, _Value):
        return Comparison(first.name, _DIRECT[name], (second.text,), second.kind == "number")
    if isinstance(first, _Value) and isinstance(second, _Key):
        return Comparison(second.name, _MIRRORED[name], (first.text,), first.kind == "number")
    raise UnreadableCondition("a comparison has `data.<key>` on one side and a value on the other.")


def _method(tree: Any) -> Comparison:
    receiver, name = tree.children[0], str(tree.children[1])
    arguments = _arguments(tree)
    if name not in _METHODS or len(arguments) != 1:
        raise UnreadableCondition(f"{name}() is not possible in a flow.")
    value = _literal(arguments[0])
    if value.kind != "text":
        raise UnreadableCondition(f"{name}() takes a text.")
    return Comparison(_key(receiver).name, _METHODS[name], (value.text,))


def _arguments(tree: Any) -> list[Any]:
    lists = [child for child in tree.children if isinstance(child, Tree) and child.data == "exprlist"]
    return [item for found in lists for item in found.children]


def _list(tree: Any) -> list[Any]:
    tree = _bare(tree)
    if tree.data != "list_lit":
        raise UnreadableCondition("`in` takes a list of values.")
    return _arguments(tree)


def _key(tree: Any) -> _Key:
    found = _operand(tree)
    if isinstance(found, _Key):
        return found
    raise UnreadableCondition("`data.<key>` is expected instead of a value.")


def _literal(tree: Any) -> _Value:
    found = _operand(tree)
    if isinstance(found, _Value):
        return found
    raise UnreadableCondition("a value is expected instead of `data.<key>`.")


def _operand(tree: Any) -> _Key | _Value:
    tree = _bare(tree)
    if tree.data == "member_dot" and _is_data(tree.children[0]):
        return _Key(str(tree.children[1]))
    if tree.data == "member_index" and _is_data(tree.children[0]):
        name = _literal(tree.children[1])
        if name.kind == "text":
            return _Key(name.text)
    if tree.data == "literal":
        return _value(cast(Token, tree.children[0]))
    raise UnreadableCondition("a flow knows `data.<key>`, texts, whole numbers, true and false.")


def _is_data(tree: Any) -> bool:
    tree = _bare(tree)
    return bool(tree.data == "ident" and tree.children[0] == "data")


def _value(token: Token) -> _Value:
    match token.type:
        case "BOOL_LIT":
            return _Value(str(token), "truth")
        case "INT_LIT":
            return _Value(str(int(token, 0)), "number")
        case "STRING_LIT" | "MLSTRING_LIT":
            try:
                return _Value(str(ast.literal_eval(str(token))), "text")
            except (SyntaxError, ValueError) as error:
                raise UnreadableCondition(f"the text {token} cannot be read.") from error
        case _:
            raise UnreadableCondition(f"the value {token} is not possible in a flow.")


def _bare(tree: Any) -> Any:
    """The tree without the levels of the grammar that say nothing."""
    while isinstance(tree, Tree) and tree.data in _LEVELS and len(tree.children) == 1:
        tree = tree.children[0]
    if not isinstance(tree, Tree):
        raise UnreadableCondition("a flow knows `data.<key>`, texts, whole numbers, true and false.")
    return tree
