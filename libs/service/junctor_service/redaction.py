"""What may be shown: protobuf messages without their personal data, and no secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from junctor.options.v1 import options_pb2

from junctor_service.setting_values import Secret

PERSONAL = "[personal]"
SECRET = "[secret]"  # noqa: S105
_SECRET_NAMES = ("password", "secret", "authorization", "credential", "private_key", "api_key", "cookie")
_DEPTH_LIMIT = 32


def personal_class(field: FieldDescriptor) -> int:
    """The field's `PersonalData` value; 0 where it is none."""
    return int(field.GetOptions().Extensions[options_pb2.personal_data])


def redacted(message: Message) -> dict[str, Any]:
    """The message's set fields by name, with "[personal]" for personal ones, at any depth, in maps and `Any` too.

    What an `Any` of an unknown type holds is not shown.
    """
    return _message(message, 0)


def shown(name: str, value: Any) -> Any:
    """A value as JSON may show it, under a name: messages are redacted, secrets hidden, bytes given by their length."""
    lowered = name.lower()
    if any(part in lowered for part in _SECRET_NAMES) or lowered == "token" or lowered.endswith("_token"):
        return SECRET
    return _value(value, 0)


def _value(value: Any, depth: int) -> Any:
    if depth > _DEPTH_LIMIT:
        return "[deep]"
    match value:
        case None | bool() | int() | float() | str():
            return value.value if isinstance(value, Enum) else value
        case Message():
            return _message(value, depth)
        case Secret():
            return SECRET
        case bytes() | bytearray():
            return f"[{len(value)} bytes]"
        case Enum():
            return value.value
        case Path():
            return str(value)
        case Mapping():
            return {str(key): shown(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_value(item, depth + 1) for item in value]
        case _:
            return str(value)


def _message(message: Message, depth: int) -> dict[str, Any]:
    if depth > _DEPTH_LIMIT:
        return {"@deep": True}
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        return _any(message, depth)
    return {field.name: _field(field, value, depth) for field, value in message.ListFields()}


def _field(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if personal_class(field):
        return PERSONAL
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_value = field.message_type.fields_by_name["value"]
        return {str(key): _single(of_value, item, depth) for key, item in value.items()}
    if field.is_repeated:
        return [_single(field, item, depth) for item in value]
    return _single(field, value, depth)


def _single(field: FieldDescriptor, value: Any, depth: int) -> Any:
    if field.message_type is not None:
        return _message(value, depth + 1)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode() if len(value) <= 32 else f"[{len(value)} bytes]"
    return value


def _any(message: Any, depth: int) -> dict[str, Any]:
    shown_type = {"@type": message.type_url}
    inner = unpacked(message)
    return shown_type if inner is None else {**shown_type, **_message(inner, depth + 1)}


def unpacked(message: Any) -> Message | None:
    """What a `google.protobuf.Any` holds; None if its type is not loaded or its bytes do not parse."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(message.type_url.rpartition("/")[2])
        inner: Message = message_factory.GetMessageClass(descriptor)()
        inner.ParseFromString(message.value)
    except (KeyError, DecodeError):
        return None
    return inner
