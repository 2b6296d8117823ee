"""An event as JSON without personal data: the column `data`."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from junctor_service.redaction import personal_class, unpacked

from junctor_analytics.application.values import enum_name

_DEPTH_LIMIT = 32


def event_json(message: Message) -> str:
    """The set fields by name. Fields marked personal are left out at any depth, bytes are told by their length."""
    return msgspec.json.encode(_message(message, 0)).decode()


def _message(message: Message, depth: int) -> dict[str, Any]:
    if depth > _DEPTH_LIMIT:
        return {}
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        inner = unpacked(message)
        kind = {"@type": message.type_url.rpartition("/")[2]}  # type: ignore[attr-defined]
        return kind if inner is None else {**kind, **_message(inner, depth + 1)}
    return {field.name: _field(field, value, depth) for field, value in message.ListFields() if not _personal(field)}


def _field(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        return {str(key): _single(of_value, value[key], depth) for key in sorted(value)}
    if field.is_repeated:
        return [_single(field, item, depth) for item in value]
    return _single(field, value, depth)


def _single(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if field.message_type is not None:
        return _message(value, depth + 1)
    if field.enum_type is not None:
        return enum_name(field.enum_type, value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    return value


@cache
def _personal(field: FieldDescriptor) -> bool:
    return personal_class(field) != 0
