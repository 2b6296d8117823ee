"""Domain state <-> plain values for MessagePack. Unions, enums, tuples and sets come back as what they were.

A dataclass is `{"$": its class, field: value, ...}`. A field that the class no longer has is dropped, one that is new
takes its default: small changes of a state class can read older snapshots.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from typing import Any

import msgspec

_PLAIN = (str, int, bool, float, bytes, type(None))


class StateCodec:
    def __init__(self, root: type) -> None:
        self._classes: dict[str, type] = {}
        self._fields: dict[type, tuple[str, ...]] = {}
        self._register(root)

    def to_plain(self, value: Any) -> Any:
        """Raises `TypeError` for a value of a class that the root's annotations do not name."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        fields = self._fields.get(kind)
        if fields is not None:
            plain = {name: self.to_plain(getattr(value, name)) for name in fields}
            plain["$"] = kind.__name__
            return plain
        if kind is tuple:
            return [self.to_plain(item) for item in value]
        if isinstance(value, enum.Enum) and kind.__name__ in self._classes:
            return {"$": kind.__name__, "value": value.value}
        if kind is dict:
            return {"$": "dict", "items": [[self.to_plain(k), self.to_plain(v)] for k, v in value.items()]}
        if kind is list:
            return {"$": "list", "items": [self.to_plain(item) for item in value]}
        if kind in {frozenset, set}:
            items = [self.to_plain(item) for item in value]
            return {"$": kind.__name__, "items": sorted(items, key=_encoded)}
        raise TypeError(f"{kind.__qualname__} is not named by the annotations of the state")

    def canonical(self, value: Any) -> bytes:
        """Bytes that are equal for equal values, whatever order their maps and sets were filled in."""
        try:
            return msgspec.msgpack.encode(value, order="deterministic")
        except TypeError:  # maps with keys that are no strings, sets of dataclasses
            return msgspec.msgpack.encode(_in_order(self.to_plain(value)), order="deterministic")

    def from_plain(self, plain: Any) -> Any:
        """Raises `KeyError` or `TypeError` for a snapshot of another shape."""
        if isinstance(plain, list):
            return tuple(self.from_plain(item) for item in plain)
        if not isinstance(plain, dict):
            return plain
        name = plain["$"]
        match name:
            case "dict":
                return {self.from_plain(key): self.from_plain(value) for key, value in plain["items"]}
            case "list":
                return [self.from_plain(item) for item in plain["items"]]
            case "frozenset":
                return frozenset(self.from_plain(item) for item in plain["items"])
            case "set":
                return {self.from_plain(item) for item in plain["items"]}
        kind = self._classes[name]
        if issubclass(kind, enum.Enum):
            return kind(plain["value"])
        return kind(**{field: self.from_plain(plain[field]) for field in self._fields[kind] if field in plain})

    def _register(self, hint: Any) -> None:
        if isinstance(hint, type) and hint in self._fields:
            return
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if self._classes.setdefault(hint.__name__, hint) is not hint:
                raise TypeError(f"two classes of a state are named {hint.__name__}")
            self._fields[hint] = tuple(field.name for field in dataclasses.fields(hint) if field.init)
            for field_hint in typing.get_type_hints(hint).values():
                self._register(field_hint)
        elif isinstance(hint, type) and issubclass(hint, enum.Enum):
            self._classes[hint.__name__] = hint
        else:
            for argument in typing.get_args(hint):
                self._register(argument)


def _in_order(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_in_order(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ordered = {key: _in_order(value) for key, value in plain.items()}
    if plain["$"] == "dict":
        ordered["items"].sort(key=_encoded)
    return ordered


def _encoded(plain: Any) -> bytes:
    return msgspec.msgpack.encode(plain, order="deterministic")
