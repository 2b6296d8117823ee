"""CEL text to the domain's tree, through cel-python's grammar. What the router cannot evaluate on sets is refused.

Allowed: `&&`, `||`, `!`, comparisons, `in [..]`, `has(..)`, true and false, whole numbers, texts. A dotted name is an
attribute's slug (`language.zh >= 5`), `attributes["language.zh-cn"]` one that is no CEL name; `data.x` and `data["x"]` are
the contact's data. A boolean attribute may stand alone.
"""

from __future__ import annotations

import ast
from functools import lru_cache

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from junctor_router.domain.expression import (
    And,
    Attribute,
    Compare,
    Constant,
    Data,
    ExpressionRefused,
    Has,
    In,
    Literal,
    Node,
    Not,
    Operand,
    Or,
)

MAX_LENGTH = 4_000
MAX_NAMES = 20_000
_RELATIONS = {
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
}
_ROOT_OF_ATTRIBUTES = ("attributes", "agent")


@lru_cache(maxsize=MAX_NAMES)
def parse(text: str) -> Node:
    """Raises `ExpressionRefused` with the column and the reason. Empty text is everyone."""
    if not text.strip():
        return Constant(True)
    if len(text) > MAX_LENGTH:
        raise ExpressionRefused(text[:40] + "...", MAX_LENGTH, f"it is longer than {MAX_LENGTH} characters")
    try:
        tree = _parser().parse(text)
    except CELParseError as error:
        raise ExpressionRefused(text, error.column or len(text) + 1, "it is not valid CEL") from error
    except RecursionError as error:
        raise ExpressionRefused(text, 1, "it is nested too deeply") from error
    return _Reader(text).node(tree)


@lru_cache(maxsize=1)
def _parser() -> CELParser:
    return CELParser()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def node(self, tree: Tree[Token]) -> Node:
        kids = _trees(tree)
        match str(tree.data):
            case "expr" if len(kids) == 1:
                return self.node(kids[0])
            case "expr":
                raise self._refuse(tree, "a conditional (?:) cannot be used")
            case "conditionalor":
                return self.node(kids[0]) if len(kids) == 1 else _joined(Or, [self.node(kid) for kid in kids])
            case "conditionaland":
                return self.node(kids[0]) if len(kids) == 1 else _joined(And, [self.node(kid) for kid in kids])
            case "relation" if len(kids) == 2:
                return self._relation(kids[0], kids[1])
            case "unary" if len(kids) == 2 and kids[0].data == "unary_not":
                return Not(self.node(kids[1]))
            case "paren_expr":
                return self.node(kids[0])
            case "ident_arg":
                return self._call(tree)
            case "ident" | "member_dot" | "member_index" | "literal":
                return self._alone(tree)
            case "relation" | "addition" | "multiplication" | "unary" | "member" | "primary" if len(kids) == 1:
                return self.node(kids[0])
            case other:
                raise self._refuse(tree, f"{_words(other, kids)} cannot be used")

    def _relation(self, relation: Tree[Token], right: Tree[Token]) -> Node:
        left = self._operand(_trees(relation)[0])
        operator = _RELATIONS.get(str(relation.data))
        if operator is not None:
            return Compare(operator, left, self._operand(right))
        items = _only(right, "list_lit")
        if items is None:
            raise self._refuse(right, "`in` needs a list in brackets")
        return In(left, tuple(self._operand(item) for part in _trees(items) for item in _trees(part)))

    def _call(self, tree: Tree[Token]) -> Node:
        name = str(tree.children[0])
        arguments = [kid for part in _trees(tree) for kid in _trees(part)]
        if name != "has" or len(arguments) != 1:
            raise self._refuse(tree, f"the function {name} cannot be used")
        operand = self._operand(arguments[0])
        if isinstance(operand, Literal):
            raise self._refuse(tree, "has() needs an attribute or data")
        return Has(operand)

    def _alone(self, tree: Tree[Token]) -> Node:
        operand = self._operand(tree)
        match operand:
            case Literal(bool(value)):
                return Constant(value)
            case Literal():
                raise self._refuse(tree, "a value alone is no condition")
            case _:
                return Compare("==", operand, Literal(True, operand.column))

    def _operand(self, tree: Tree[Token]) -> Operand:
        kids = _trees(tree)
        match str(tree.data):
            case "literal":
                return self._literal(tree)
            case "ident" | "member_dot" | "member_index":
                return self._name(tree)
            case "unary" if len(kids) == 2 and kids[0].data == "unary_neg":
                operand = self._operand(kids[1])
                if isinstance(operand, Literal) and type(operand.value) is int:
                    return Literal(-operand.value, operand.column)
                raise self._refuse(tree, "a minus needs a whole number")
            case "paren_expr":
                return self._operand(kids[0])
            case "ident_arg" | "member_dot_arg":
                raise self._refuse(tree, "a function cannot be used as a value")
            case other if len(kids) == 1 and not other.startswith(("unary_", "list", "map")):
                return self._operand(kids[0])
            case other:
                raise self._refuse(tree, f"{_words(other, kids)} cannot be used as a value")

    def _literal(self, tree: Tree[Token]) -> Literal:
        token = tree.children[0]
        if not isinstance(token, Token):
            raise self._refuse(tree, "this value cannot be used")
        column = token.column or 1
        match token.type:
            case "INT_LIT":
                return Literal(_number(token), column)
            case "UINT_LIT":
                return Literal(_number(token[:-1]), column)
            case "BOOL_LIT":
                return Literal(str(token) == "true", column)
            case "STRING_LIT" | "MLSTRING_LIT":
                try:
                    return Literal(str(ast.literal_eval(str(token))), column)
                except (ValueError, SyntaxError) as error:
                    raise self._refuse(tree, "this text cannot be read") from error
            case "FLOAT_LIT":
                raise self._refuse(tree, "only whole numbers can be used")
            case _:
                raise self._refuse(tree, "this value cannot be used")

    def _name(self, tree: Tree[Token]) -> Attribute | Data:
        parts = self._path(tree)
        column = _column(tree)
        if parts[0] == "data" and len(parts) > 1:
            return Data(".".join(parts[1:]), column)
        while parts[0] in _ROOT_OF_ATTRIBUTES and len(parts) > 1:
            parts = parts[1:]
        return Attribute(".".join(parts), column)

    def _path(self, tree: Tree[Token]) -> list[str]:
        match str(tree.data):
            case "ident":
                return [str(tree.children[0])]
            case "member_dot":
                return [*self._path(_trees(tree)[0]), str(tree.children[-1])]
            case "member_index":
                kids = _trees(tree)
                index = self._operand(kids[1])
                if not isinstance(index, Literal) or not isinstance(index.value, str):
                    raise self._refuse(tree, "an index is a text")
                return [*self._path(kids[0]), index.value]
            case "member" | "primary" if len(_trees(tree)) == 1:
                return self._path(_trees(tree)[0])
            case other:
                raise self._refuse(tree, f"{_words(other, [])} cannot be part of a name")

    def _refuse(self, tree: Tree[Token], reason: str) -> ExpressionRefused:
        return ExpressionRefused(self._text, _column(tree), reason)


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [kid for kid in tree.children if isinstance(kid, Tree)]


def _only(tree: Tree[Token], wanted: str) -> Tree[Token] | None:
    while tree.data != wanted:
        kids = _trees(tree)
        if len(kids) != 1:
            return None
        tree = kids[0]
    return tree


def _column(tree: Tree[Token]) -> int:
    tokens = tree.scan_values(lambda value: isinstance(value, Token))
    return min((token.column or 1 for token in tokens), default=1)


def _joined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    return kind(tuple(flat))


def _number(digits: str) -> int:
    return int(digits, 16 if digits[:2].lower() == "0x" else 10)


def _words(name: str, kids: list[Tree[Token]]) -> str:
    if name.startswith(("addition", "multiplication")) or any(
        str(kid.data).startswith(("addition_", "multiplication_")) for kid in kids
    ):
        return "arithmetic"
    return {
        "member_dot_arg": "a method",
        "member_object": "an object",
        "list_lit": "a list",
        "map_lit": "a map",
        "unary": "a sign",
        "dot_ident": "a leading dot",
        "dot_ident_arg": "a function",
    }.get(name, "this")
