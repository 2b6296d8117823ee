"""How the text of one setting becomes a typed value, or a sentence about what is wrong with it."""

from __future__ import annotations

import hmac
import math
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NewType, Union, get_args, get_origin

Duration = NewType("Duration", float)
"""Seconds."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


class BadValue(Exception):
    """A setting's text cannot be used. `wrong` and `expected` are halves of one sentence."""

    def __init__(self, wrong: str, expected: str, *, secret: bool = False) -> None:
        super().__init__(f"{wrong}; expected {expected}")
        self.wrong = wrong
        self.expected = expected
        self.secret = secret


class Secret:
    """A value that is never printed, logged or compared in variable time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where something listens. IPv6 hosts are kept in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def convert(raw: Any, kind: Any, bounds: Mapping[str, Any]) -> Any:
    """`raw` (text, or a YAML value) as `kind`. Raises `BadValue`."""
    optional = get_origin(kind) in {Union, types.UnionType}
    if optional:
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return _many(raw, get_args(kind)[0], bounds)
    if kind is Secret:
        return _secret(raw)
    if isinstance(raw, list | dict):
        raise BadValue("is not a single value", "one value")
    text = str(raw).strip()
    if not text:
        raise BadValue("is empty", _expected(kind, bounds))
    value = _single(text, kind, bounds)
    _check_bounds(value, kind, bounds)
    return value


def parse_duration(text: str) -> float:
    """Seconds of "500ms", "5s", "1m30s". Raises `ValueError`."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def parse_host_port(text: str) -> HostPort:
    """host:port; raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not _HOST.fullmatch(host) or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(text)
    return HostPort(host, int(port))


def _single(text: str, kind: Any, bounds: Mapping[str, Any]) -> Any:
    try:
        if kind is bool:
            if text.lower() not in _TRUE + _FALSE:
                raise ValueError(text)
            return text.lower() in _TRUE
        if kind is int:
            return int(text, 10)
        if kind is float:
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(text)
            return number
        if kind is Duration:
            return parse_duration(text)
        if kind is HostPort:
            return parse_host_port(text)
        if kind is Path:
            return _path(text)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind(text.lower())
        return text
    except ValueError as error:
        raise BadValue(f"is not {_name(kind)}", _expected(kind, bounds)) from error


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser()


def _many(raw: Any, kind: Any, bounds: Mapping[str, Any]) -> tuple[Any, ...]:
    parts = raw if isinstance(raw, list) else [part.strip() for part in str(raw).split(",")]
    values = []
    for part in parts:
        try:
            values.append(convert(part, kind, bounds))
        except BadValue as bad:
            raise BadValue(f"has an element {part!r} that {bad.wrong}", f"a list of {bad.expected}") from bad
    if not values:
        raise BadValue("is empty", f"a list of {_expected(kind, bounds)}")
    return tuple(values)


def _secret(raw: Any) -> Secret:
    if isinstance(raw, list | dict) or not str(raw):
        raise BadValue("is empty or not a single value", "a secret text", secret=True)
    return Secret(str(raw))


def _check_bounds(value: Any, kind: Any, bounds: Mapping[str, Any]) -> None:
    low, high, pattern = bounds.get("minimum"), bounds.get("maximum"), bounds.get("pattern")
    if low is not None and value < low:
        raise BadValue("is too low", _expected(kind, bounds))
    if high is not None and value > high:
        raise BadValue("is too high", _expected(kind, bounds))
    if pattern is not None and not re.fullmatch(pattern, str(value)):
        raise BadValue("has the wrong form", _expected(kind, bounds))


def _name(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of the choices"
    names = {bool: "a truth value", int: "an integer", float: "a number", Duration: "a duration", HostPort: "host:port"}
    return names.get(kind, "a path" if kind is Path else "a text")


def _expected(kind: Any, bounds: Mapping[str, Any]) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    examples = {
        bool: "true or false",
        int: "an integer",
        float: "a number",
        Duration: 'a duration such as "5s" or "500ms"',
        HostPort: 'host:port such as "127.0.0.1:9092"',
        Path: "a path",
    }
    text = examples.get(kind, "a text")
    unit = " seconds" if kind is Duration else ""
    if bounds.get("minimum") is not None and bounds.get("maximum") is not None:
        text += f" from {bounds['minimum']:g} to {bounds['maximum']:g}{unit}"
    elif bounds.get("minimum") is not None:
        text += f" of at least {bounds['minimum']:g}{unit}"
    elif bounds.get("maximum") is not None:
        text += f" of at most {bounds['maximum']:g}{unit}"
    if bounds.get("pattern") is not None:
        text += f" matching {bounds['pattern']}"
    return text
