"""Messages from JSON bodies and query strings, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any, NoReturn

from google.protobuf import json_format
from google.protobuf.message import Message
from junctor_service.errors import FieldViolation

from junctor_gateway.application.json_check import faults
from junctor_gateway.application.problems import refused_fields

DEEPEST = 64
MOST_FAULTS = 20


def from_json(body: bytes, message_class: type[Message]) -> Message:
    """The message of a body; an empty body is an empty message. Raises `ServiceError` (INVALID_ARGUMENT)."""
    return _built(_parsed(body) if body.strip() else {}, message_class)


def from_query(pairs: Iterable[tuple[str, str]], message_class: type[Message]) -> Message:
    """The message of query parameters: a field's name or JSON name; dots go down, a repeated field is given repeatedly.

    Raises `ServiceError` (INVALID_ARGUMENT).
    """
    found: dict[str, Any] = {}
    violations: list[FieldViolation] = []
    for name, text in pairs:
        violations += _put(found, message_class.DESCRIPTOR, name, text)
    if violations:
        raise refused_fields(violations[:MOST_FAULTS])
    return _built(found, message_class)


def to_json(message: Message) -> dict[str, Any]:
    """As protobuf's JSON mapping says, with the fields that have their default value."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def to_text(message: Message) -> str:
    """The JSON in one line."""
    return json.dumps(to_json(message), ensure_ascii=False, separators=(",", ":"))


def _built(value: Any, message_class: type[Message]) -> Message:
    violations = list(islice(faults(message_class.DESCRIPTOR, value), MOST_FAULTS))
    if violations:
        raise refused_fields(violations)
    message = message_class()
    try:
        json_format.ParseDict(value, message, max_recursion_depth=DEEPEST)
    except (json_format.Error, ValueError, TypeError) as error:
        raise refused_fields([FieldViolation("", f"The body is not a {message.DESCRIPTOR.name}: {error}.")]) from error
    return message


def _parsed(body: bytes) -> Any:
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        _measure(value, DEEPEST)
    except UnicodeDecodeError as error:
        raise _no_json(f"it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _no_json("it is nested too deeply") from error
    except ValueError as error:
        raise _no_json(str(error)) from error
    return value


def _measure(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _measure(inner, left - 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} is given twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_json(why: str) -> Exception:
    return refused_fields([FieldViolation("", f"The body is not JSON: {why}.")])


def _put(found: dict[str, Any], descriptor: Any, name: str, text: str) -> list[FieldViolation]:
    first, dot, rest = name.partition(".")
    field = descriptor.fields_by_name.get(first) or next((f for f in descriptor.fields if f.json_name == first), None)
    if field is None:
        known = ", ".join(sorted(f.name for f in descriptor.fields))
        return [FieldViolation(name, f"{descriptor.name} has no such field; it has {known or 'none'}.")]
    message = field.message_type
    if dot:
        if message is None or field.is_repeated:
            return [FieldViolation(name, f"{first} has no fields of its own.")]
        return _put(found.setdefault(field.name, {}), message, rest, text)
    if message is not None:
        return [FieldViolation(name, "It is a message; a query parameter gives one of its fields, after a dot.")]
    value: Any = text
    if field.type == field.TYPE_BOOL and text in {"true", "false"}:
        value = text == "true"
    elif field.type == field.TYPE_ENUM and text.isdecimal() and len(text) < 10:
        value = int(text)
    if field.is_repeated:
        found.setdefault(field.name, []).append(value)
    elif field.name in found:
        return [FieldViolation(name, "It is given more than once.")]
    else:
        found[field.name] = value
    return []
