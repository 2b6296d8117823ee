"""The field rules of `mapping`: for each field of a domain class, how it is put into a message and taken out of it."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

if TYPE_CHECKING:
    from junctor_journal.mapping import Mapping

_TIMES = {"google.protobuf.Timestamp", "google.protobuf.Duration"}
_UNIONS = (typing.Union, types.UnionType)
_SEQUENCES = (tuple, list, frozenset, set)


class Converter:
    to_message: Callable[[Any], Message]
    to_domain: Callable[[Message], Any]


class FieldConverter(NamedTuple):
    name: str
    to_message: Callable[[Any, Message], None] | None
    to_domain: Callable[[Message], Any] | None


class _Value(NamedTuple):
    """One value, not repeated: its form in the message and back. None for no change."""

    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any] | None
    is_message: bool = False


def field_converters(mapping: Mapping, kind: type, descriptor: Descriptor) -> list[FieldConverter]:
    """Raises `TypeError` naming the field whose type has no form in the message."""
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        try:
            converter = _field(mapping, field.name, hints[field.name], descriptor)
        except TypeError as error:
            raise TypeError(f"{kind.__name__}.{field.name}: {error}") from error
        if converter is not None:
            found.append(converter)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise TypeError(f"{kind.__name__}.{field.name}: not in {descriptor.full_name}, and without a default")
    return found


def _field(mapping: Mapping, name: str, hint: Any, descriptor: Descriptor) -> FieldConverter | None:
    wire = descriptor.fields_by_name.get(name)
    if wire is None:
        oneof = descriptor.oneofs_by_name.get(name)
        return None if oneof is None else _oneof(mapping, name, hint, oneof)
    hint, optional = _without_none(hint)
    if wire.message_type is not None and wire.message_type.GetOptions().map_entry:
        return _map(mapping, name, hint, wire)
    if wire.is_repeated:
        return _repeated(mapping, name, hint, wire)
    return _single(mapping, name, hint, optional, wire)


def _single(mapping: Mapping, name: str, hint: Any, optional: bool, wire: FieldDescriptor) -> FieldConverter:
    value = _value(mapping, hint, wire, optional)
    encode, decode = value.encode, value.decode
    if value.is_message:

        def put_message(source: Any, message: Message) -> None:
            found = getattr(source, name)
            if found is not None:
                assert encode is not None
                getattr(message, name).CopyFrom(encode(found))

        def get_message(message: Message) -> Any:
            assert decode is not None
            if optional and not message.HasField(name):
                return None
            return decode(getattr(message, name))

        return FieldConverter(name, put_message, get_message)

    def put(source: Any, message: Message) -> None:
        found = getattr(source, name)
        if found is not None:
            setattr(message, name, found if encode is None else encode(found))

    absent = optional and wire.has_presence

    def get(message: Message) -> Any:
        if absent and not message.HasField(name):
            return None
        found = getattr(message, name)
        return found if decode is None else decode(found)

    return FieldConverter(name, put, get)


def _repeated(mapping: Mapping, name: str, hint: Any, wire: FieldDescriptor) -> FieldConverter:
    origin = typing.get_origin(hint)
    if origin not in _SEQUENCES:
        raise TypeError(f"{wire.full_name} is repeated, {hint} is not")
    arguments = typing.get_args(hint)
    value = _value(mapping, arguments[0], wire, False)
    encode, decode = value.encode, value.decode
    unordered = origin in {frozenset, set}

    def put(source: Any, message: Message) -> None:
        items = getattr(source, name)
        if items:
            ordered = sorted(items) if unordered else items
            getattr(message, name).extend(ordered if encode is None else [encode(item) for item in ordered])

    def get(message: Message) -> Any:
        items = getattr(message, name)
        return origin(items if decode is None else [decode(item) for item in items])

    return FieldConverter(name, put, get)


def _map(mapping: Mapping, name: str, hint: Any, wire: Any) -> FieldConverter:
    origin = typing.get_origin(hint)
    if not (isinstance(origin, type) and issubclass(dict, origin)):
        raise TypeError(f"{wire.full_name} is a map, {hint} is not")
    value = _value(mapping, typing.get_args(hint)[1], wire.message_type.fields_by_name["value"], False)
    encode, decode = value.encode, value.decode

    def put(source: Any, message: Message) -> None:
        target = getattr(message, name)
        for key, item in getattr(source, name).items():
            if value.is_message:
                assert encode is not None
                target[key].CopyFrom(encode(item))
            else:
                target[key] = item if encode is None else encode(item)

    def get(message: Message) -> Any:
        items = getattr(message, name)
        return {key: items[key] if decode is None else decode(items[key]) for key in sorted(items)}

    return FieldConverter(name, put, get)


def _oneof(mapping: Mapping, name: str, hint: Any, oneof: Any) -> FieldConverter:
    options = [option for option in _options(hint) if option is not type(None)]
    by_message = {field.message_type.name: field for field in oneof.fields if field.message_type is not None}
    chosen: dict[type, tuple[str, Converter]] = {}
    for option in options:
        field = by_message.get(option.__name__)
        if field is None:
            raise TypeError(f"the oneof {oneof.full_name} has no member of type {option.__name__}")
        chosen[option] = (field.name, mapping.converter(option, field.message_type))
    by_field = dict(chosen.values())

    def put(source: Any, message: Message) -> None:
        found = getattr(source, name)
        if found is not None:
            field, converter = chosen[type(found)]
            getattr(message, field).CopyFrom(converter.to_message(found))

    def get(message: Message) -> Any:
        field = message.WhichOneof(name)
        return None if field is None else by_field[field].to_domain(getattr(message, field))

    return FieldConverter(name, put, get)


def _value(mapping: Mapping, hint: Any, wire: FieldDescriptor, optional: bool) -> _Value:
    if wire.message_type is not None:
        if wire.message_type.full_name in _TIMES:
            _require(hint is int, hint, wire)
            return _Value(_time_encoder(wire.message_type), lambda time: time.ToMilliseconds(), True)
        _require(dataclasses.is_dataclass(hint), hint, wire)
        converter = mapping.converter(hint, wire.message_type)
        return _Value(lambda item: converter.to_message(item), lambda item: converter.to_domain(item), True)  # noqa: PLW0108
    if wire.enum_type is not None:
        return _enum(hint, wire.enum_type, optional)
    if wire.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if typing.get_origin(hint) is typing.Literal:
            return _Value(None, None)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return _Value(lambda item: item.value, hint)
        _require(hint in {str, bytes} and (hint is bytes) == (wire.type == FieldDescriptor.TYPE_BYTES), hint, wire)
    elif wire.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        _require(hint is bool, hint, wire)
    elif wire.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
        _require(hint in {float, int}, hint, wire)
    else:
        _require(hint is int, hint, wire)
    return _Value(None, None)


def _enum(hint: Any, descriptor: EnumDescriptor, optional: bool) -> _Value:
    if hint is int:
        return _Value(None, None)
    prefix = _prefix(descriptor)
    names = {value.number: value.name.removeprefix(prefix).lower() for value in descriptor.values}
    numbers = {name: number for number, name in names.items()}
    unset = None if optional else ""
    kind = hint if isinstance(hint, type) and issubclass(hint, enum.Enum) else None
    known = [item.value for item in kind] if kind else list(typing.get_args(hint))
    if kind is None and typing.get_origin(hint) is not typing.Literal:
        _mismatch(hint, descriptor.full_name)
    missing = [item for item in known if item and item not in numbers]
    if missing:
        raise TypeError(f"{descriptor.full_name} has no {', '.join(map(repr, missing))}")

    def encode(item: Any) -> int:
        name = item.value if kind else item
        return numbers[name] if name else 0

    def decode(number: int) -> Any:
        name = names.get(number, "unspecified")
        if name == "unspecified" and name not in known:
            return kind("") if kind is not None and "" in known else unset
        return kind(name) if kind is not None else name

    return _Value(encode, decode)


def _prefix(descriptor: EnumDescriptor) -> str:
    """`CALL_STATE_` of CALL_STATE_UNSPECIFIED; without such a value, what all names begin with."""
    zero = descriptor.values_by_number.get(0)
    if zero is not None and zero.name.endswith("UNSPECIFIED"):
        return str(zero.name.removesuffix("UNSPECIFIED"))
    snake = "".join(f"_{c}" if c.isupper() and n else c for n, c in enumerate(descriptor.name)).upper() + "_"
    return snake if all(value.name.startswith(snake) for value in descriptor.values) else ""


def _time_encoder(descriptor: Descriptor) -> Callable[[int], Message]:
    from junctor_journal.message_types import class_of

    kind: Any = class_of(descriptor.full_name)

    def encode(milliseconds: int) -> Message:
        made: Message = kind()
        made.FromMilliseconds(milliseconds)  # type: ignore[attr-defined]
        return made

    return encode


def _without_none(hint: Any) -> tuple[Any, bool]:
    options = _options(hint)
    rest = [option for option in options if option is not type(None)]
    if len(rest) == len(options):
        return hint, False
    return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)


def _require(fits: bool, hint: Any, wire: FieldDescriptor) -> None:
    if not fits:
        _mismatch(hint, wire.full_name)


def _mismatch(hint: Any, name: str) -> None:
    raise TypeError(f"{hint} has no form in {name}")
