"""CEL text to a tree, through cel-python's grammar (the Common Expression Language, github.com/google/cel-spec).

Allowed: `&&`, `||`, `!`, comparisons, `in [..]`, `has(..)`, `startsWith`, `endsWith`, `contains`, true and false, whole
numbers, texts. A dotted name is an attribute's slug (`language.zh >= 5`), `attributes["language.zh-cn"]` one that is no
CEL name; `data.x` and `data["x"]` are the contact's data. An attribute or data alone is compared with true.
"""

from __future__ import annotations

import ast
from functools import lru_cache

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from junctor_expressions.tree import (
    And,
    At,
    Attribute,
    Compare,
    Constant,
    Data,
    Has,
    In,
    Literal,
    Node,
    Not,
    Operand,
    Or,
    Refused,
    TextTest,
)

MAX_LENGTH = 4_000
MAX_KEPT = 20_000
_RELATIONS = {
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
}
_ROOTS_OF_ATTRIBUTES = ("attributes", "agent")
_METHODS = ("startsWith", "endsWith", "contains")


@lru_cache(maxsize=MAX_KEPT)
def parse(text: str) -> Node:
    """Raises `Refused` with the place and the reason. Empty text is true."""
    if not text.strip():
        return Constant(True)
    if len(text) > MAX_LENGTH:
        raise Refused(text, At(1, MAX_LENGTH), f"it is longer than {MAX_LENGTH} characters")
    try:
        return _Reader(text).node(_parser().parse(text))
    except CELParseError as error:
        raise _no_cel(text, error) from error
    except RecursionError as error:
        raise Refused(text, At(1, 1), "it is nested too deeply") from error


@lru_cache(maxsize=1)
def _parser() -> CELParser:
    return CELParser()


def _no_cel(text: str, error: CELParseError) -> Refused:
    """The grammar names the last place that it understood; at the text's end it names none."""
    lines = text.splitlines()
    line, column = error.line or len(lines), error.column or len(lines[-1]) + 1
    rest = lines[line - 1][column - 1 :].strip() if line <= len(lines) else ""
    near = f" near '{rest[:20]}'" if rest else " at the end"
    return Refused(text, At(line, column), f"it is not valid CEL: something is wrong or missing{near}")


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
            case "member_dot_arg":
                return self._method(tree)
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
        if name != "has":
            raise self._refuse(tree, f"the function {name} cannot be used")
        arguments = [self._operand(argument) for argument in _arguments(tree)]
        match arguments:
            case [Attribute() | Data() as operand]:
                return Has(operand)
            case _:
                raise self._refuse(tree, "has() needs one attribute or data")

    def _method(self, tree: Tree[Token]) -> Node:
        receiver, name = _trees(tree)[0], str(tree.children[1])
        if name not in _METHODS:
            raise self._refuse(tree, f"the method {name} cannot be used; there are {', '.join(_METHODS)}")
        arguments = [self._operand(argument) for argument in _arguments(tree)]
        if len(arguments) != 1:
            raise self._refuse(tree, f"{name} needs one text")
        if isinstance(arguments[0], Literal) and not isinstance(arguments[0].value, str):
            raise Refused(self._text, arguments[0].at, f"{name} needs a text")
        return TextTest(name, self._operand(receiver), arguments[0], _at(tree))

    def _alone(self, tree: Tree[Token]) -> Node:
        operand = self._operand(tree)
        match operand:
            case Literal(bool(value)):
                return Constant(value)
            case Literal():
                raise self._refuse(tree, "a value alone is no condition")
            case _:
                return Compare("==", operand, Literal(True, operand.at))

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
                    return Literal(-operand.value, operand.at)
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
        at = _at(tree)
        match token.type:
            case "INT_LIT":
                return Literal(_number(token), at)
            case "UINT_LIT":
                return Literal(_number(token[:-1]), at)
            case "BOOL_LIT":
                return Literal(str(token) == "true", at)
            case "STRING_LIT" | "MLSTRING_LIT":
                try:
                    return Literal(str(ast.literal_eval(str(token))), at)
                except (ValueError, SyntaxError) as error:
                    raise self._refuse(tree, "this text cannot be read") from error
            case "FLOAT_LIT":
                raise self._refuse(tree, "only whole numbers can be used")
            case _:
                raise self._refuse(tree, "this value cannot be used")

    def _name(self, tree: Tree[Token]) -> Attribute | Data:
        parts = self._path(tree)
        at = _at(tree)
        if parts[0] == "data" and len(parts) > 1:
            return Data(".".join(parts[1:]), at)
        while parts[0] in _ROOTS_OF_ATTRIBUTES and len(parts) > 1:
            parts = parts[1:]
        return Attribute(".".join(parts), at)

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

    def _refuse(self, tree: Tree[Token], reason: str) -> Refused:
        return Refused(self._text, _at(tree), reason)


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [kid for kid in tree.children if isinstance(kid, Tree)]


def _arguments(tree: Tree[Token]) -> list[Tree[Token]]:
    return [item for part in _trees(tree) if part.data == "exprlist" for item in _trees(part)]


def _only(tree: Tree[Token], wanted: str) -> Tree[Token] | None:
    while tree.data != wanted:
        kids = _trees(tree)
        if len(kids) != 1:
            return None
        tree = kids[0]
    return tree


def _at(tree: Tree[Token]) -> At:
    tokens = tree.scan_values(lambda value: isinstance(value, Token))
    return min((At(token.line or 1, token.column or 1) for token in tokens), default=At(1, 1))


def _joined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    return kind(tuple(flat))


def _number(text: str) -> int:
    digits = text.removeprefix("-")
    number = int(digits, 16 if digits[:2].lower() == "0x" else 10)
    return -number if text.startswith("-") else number


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
