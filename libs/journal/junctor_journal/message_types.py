"""Finds the generated class of a message by its full name."""

from __future__ import annotations

from functools import cache

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from junctor_journal.errors import UnknownMessage
from junctor_journal.record import type_of


@cache
def class_of(full_name: str) -> type[Message]:
    """Raises `UnknownMessage` where no generated module that defines it was imported."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(full_name)
    except KeyError:
        raise UnknownMessage(f"no message type {full_name!r} is known here") from None
    return message_factory.GetMessageClass(descriptor)


def unpack(packed: Any) -> Message:
    """The message inside. Raises `UnknownMessage` for an unknown type or bytes that do not parse as it."""
    kind = class_of(type_of(packed))
    try:
        return kind.FromString(packed.value)
    except DecodeError as error:
        raise UnknownMessage(f"bytes that are no {type_of(packed)}") from error


def unpack_or_none(packed: Any) -> Message | None:
    try:
        return unpack(packed)
    except UnknownMessage:
        return None
