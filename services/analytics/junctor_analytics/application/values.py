"""Protobuf values as ClickHouse columns hold them."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

LATEST_MS = 4_102_444_800_000  # 2100-01-01: what is later is no time that anybody meant
LONGEST_TEXT = 10_000


def moment(milliseconds: int) -> int:
    """Unix milliseconds as a DateTime64(3) column takes them, brought into its range."""
    return min(max(0, milliseconds), LATEST_MS)


def moment_or_none(milliseconds: int) -> int | None:
    """The same; None for 0, which means that the event does not say."""
    return moment(milliseconds) if milliseconds > 0 else None


def enum_text(message: Message, field: str) -> str:
    """An enum field's value in lower case without its enum's prefix, `voice`; empty for the unspecified one."""
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert descriptor is not None
    return enum_name(descriptor, int(getattr(message, field)))


@cache
def enum_name(descriptor: EnumDescriptor, number: int) -> str:
    """Empty for the unspecified value; the number as text where this process does not know it."""
    known = descriptor.values_by_number.get(number)
    if known is None:
        return str(number)
    text = known.name.removeprefix(_prefix(descriptor.name)).lower()
    return "" if text == "unspecified" else text


def _prefix(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(name)).upper() + "_"


def text(value: Any) -> str:
    """A field's text; what is longer than 10,000 characters is cut."""
    return str(value)[:LONGEST_TEXT]
