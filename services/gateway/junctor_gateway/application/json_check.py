"""What is wrong with JSON that should be a message: each fault with the path of its field, in a sentence.

The rules are those of protobuf's JSON mapping (https://protobuf.dev/programming-guides/json/). `json_format` knows them
too, but stops at the first fault and names neither path nor what it expected; so this looks first.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from typing import Any

from junctor_service.errors import FieldViolation

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_SHOWN = 12
_LONGEST_INTEGER = 20


def faults(descriptor: Any, value: Any, path: str = "") -> Iterator[FieldViolation]:
    """The faults of `value` as a message of that type. Well-known types are left to `json_format`."""
    if descriptor.full_name.startswith("google.protobuf."):
        return
    if not isinstance(value, dict):
        yield FieldViolation(path, f"It is {_kind(value)}; expected an object ({descriptor.name}).")
        return
    fields = {field.name: field for field in descriptor.fields} | {f.json_name: f for f in descriptor.fields}
    given: dict[str, str] = {}
    choices: dict[str, str] = {}
    for name, inner in value.items():
        field, place = fields.get(name), f"{path}.{name}" if path else name
        if field is None:
            known = ", ".join(sorted(f.json_name for f in descriptor.fields))
            yield FieldViolation(place, f"{descriptor.name} has no such field; it has {known or 'none'}.")
            continue
        if field.name in given:
            yield FieldViolation(place, f"The same field is given as {given[field.name]} too.")
        given[field.name] = name
        if inner is None:
            continue
        oneof = field.containing_oneof
        if oneof is not None and oneof.name in choices:
            yield FieldViolation(place, f"Only one of a choice may be given; {choices[oneof.name]} is given too.")
        if oneof is not None:
            choices[oneof.name] = name
        yield from _field(field, inner, place)


def _field(field: Any, value: Any, place: str) -> Iterator[FieldViolation]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _map(field, value, place)
    elif field.is_repeated:
        if not isinstance(value, list):
            yield FieldViolation(place, f"It is {_kind(value)}; expected a list.")
            return
        for index, item in enumerate(value):
            yield from _value(field, item, f"{place}[{index}]")
    else:
        yield from _value(field, value, place)


def _map(field: Any, value: Any, place: str) -> Iterator[FieldViolation]:
    if not isinstance(value, dict):
        yield FieldViolation(place, f"It is {_kind(value)}; expected an object.")
        return
    key_field, value_field = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for key, item in value.items():
        named = f"{place}[{key!r}]" if key.isprintable() else f"{place}[?]"
        if (fault := _scalar(key_field, key, is_key=True)) is not None:
            yield FieldViolation(named, f"The key {fault}")
        yield from _value(value_field, item, named)


def _value(field: Any, value: Any, place: str) -> Iterator[FieldViolation]:
    if value is None:
        yield FieldViolation(place, "It is null; null may stand for a whole field only.")
    elif field.message_type is not None:
        yield from faults(field.message_type, value, place)
    elif (fault := _scalar(field, value)) is not None:
        yield FieldViolation(place, fault[0].upper() + fault[1:])


def _scalar(field: Any, value: Any, *, is_key: bool = False) -> str | None:
    """The fault as the rest of a sentence that begins with what it is about."""
    kinds = type(field)
    if field.cpp_type in {kinds.CPPTYPE_INT32, kinds.CPPTYPE_INT64, kinds.CPPTYPE_UINT32, kinds.CPPTYPE_UINT64}:
        return _integer(field, value)
    if field.cpp_type in {kinds.CPPTYPE_DOUBLE, kinds.CPPTYPE_FLOAT}:
        return _number(value)
    if field.cpp_type == kinds.CPPTYPE_BOOL:
        good = value in {"true", "false"} if is_key else isinstance(value, bool)
        return None if good else f"it is {_kind(value)}; expected true or false."
    if field.cpp_type == kinds.CPPTYPE_ENUM:
        return _enum(field.enum_type, value)
    if not isinstance(value, str):
        return f"it is {_kind(value)}; expected a string."
    if any("\ud800" <= char <= "\udfff" for char in value):
        return "it holds half of a surrogate pair; expected Unicode text."
    return _bytes(value) if field.type == kinds.TYPE_BYTES else None


def _integer(field: Any, value: Any) -> str | None:
    kinds = type(field)
    bits = 32 if field.cpp_type in {kinds.CPPTYPE_INT32, kinds.CPPTYPE_UINT32} else 64
    unsigned = field.cpp_type in {kinds.CPPTYPE_UINT32, kinds.CPPTYPE_UINT64}
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    expected = f"expected an integer from {low} to {high}."
    written = isinstance(value, str) and len(value) <= _LONGEST_INTEGER and _INTEGER.fullmatch(value) is not None
    number = int(value) if written or (isinstance(value, float) and value.is_integer()) else value
    if isinstance(number, bool) or not isinstance(number, int):
        return f"it is {_kind(value)}; {expected}"
    return None if low <= number <= high else f"it is out of range; {expected}"


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return f"it is {_kind(value)}; expected a number."
    if value in {"NaN", "Infinity", "-Infinity"}:
        return None
    try:
        finite = math.isfinite(float(value))
    except (ValueError, OverflowError):
        finite = False
    return None if finite else "it is not a finite number; expected a number."


def _enum(enum: Any, value: Any) -> str | None:
    names = [known.name for known in enum.values]
    if isinstance(value, str) and value in names:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return None
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"it is no value of {enum.name}; expected one of {shown}."


def _bytes(value: str) -> str | None:
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return "it is not base64."
    return None


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
