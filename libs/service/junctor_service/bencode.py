"""Bencode, the encoding of the `ng` protocol: strings are UTF-8 text, or bytes where they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 16


class BencodeError(ValueError):
    """The bytes are not one bencoded value. Decoding them again fails again."""


def encode(value: object) -> bytes:
    """Text, bytes, int, bool (as int), sequence or mapping to bencode. Keys keep their order, as rtpengine accepts."""
    match value:
        case bool() | int():
            return b"i%de" % int(value)
        case str():
            return encode(value.encode())
        case bytes():
            return b"%d:%s" % (len(value), value)
        case Mapping():
            return b"d" + b"".join(encode(key) + encode(item) for key, item in value.items()) + b"e"
        case Sequence():
            return b"l" + b"".join(encode(item) for item in value) + b"e"
        case _:
            raise TypeError(f"{type(value).__name__} has no bencoding")


def decode(data: bytes) -> Any:
    """The one value in `data`. Raises BencodeError for anything else, also for bytes left over."""
    try:
        value, end = _decode(data, 0, 0)
    except (ValueError, IndexError) as error:
        raise BencodeError(str(error)) from error
    if end != len(data):
        raise BencodeError(f"{len(data) - end} bytes after the value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise BencodeError("nested too deeply")
    kind = data[at]
    if kind == 0x69:  # i
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind == 0x6C:  # l
        items, at = [], at + 1
        while data[at] != 0x65:
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == 0x64:  # d
        mapping, at = {}, at + 1
        while data[at] != 0x65:
            key, at = _decode(data, at, depth + 1)
            if not isinstance(key, str):
                raise BencodeError("a key that is not text")
            mapping[key], at = _decode(data, at, depth + 1)
        return mapping, at + 1
    colon = data.index(b":", at)
    digits = data[at:colon]
    if not digits.isdigit():
        raise BencodeError(f"no value begins with {bytes([kind])!r}")
    end = colon + 1 + int(digits)
    if end > len(data):
        raise BencodeError("a string is cut short")
    text = data[colon + 1 : end]
    try:
        return text.decode(), end
    except UnicodeDecodeError:
        return text, end
