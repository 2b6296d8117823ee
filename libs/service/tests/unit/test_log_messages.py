"""Log messages are constants: values are fields."""

import ast
from pathlib import Path

METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
SOURCES = Path(__file__).parents[2] / "junctor_service"


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            owner = node.func.value
            if getattr(owner, "id", getattr(owner, "attr", "")) in {"log", "_log", "logger"}:
                yield node


def test_every_log_message_of_the_library_is_a_constant_without_arguments():
    found = [(path.name, call) for path in SOURCES.rglob("*.py") for call in calls(ast.parse(path.read_text()))]
    assert len(found) > 10
    assert [
        (name, call.lineno)
        for name, call in found
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant) or "%" in call.args[0].value
    ] == []
