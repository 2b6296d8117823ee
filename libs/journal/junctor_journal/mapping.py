"""Domain dataclasses <-> protobuf messages, by names, compiled once per class.

A domain class `Foo` maps to the message `Foo`, or `FooRequest` where there is no `Foo`. Fields map by equal names:
tuple, list, frozenset <-> repeated; dict <-> map; dataclass <-> message; None <-> unset; Literal or Enum of strings <->
enum by the value's name without the enum's prefix, in lower case (`*_UNSPECIFIED` <-> "" or None); a union of
dataclasses <-> a oneof of the field's name; int (Unix ms, ms) <-> Timestamp, Duration. A field on one side only keeps
its default; `unmatched` finds those for a test.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from junctor_journal.errors import UnknownMessage
from junctor_journal.mapping_fields import Converter, field_converters
from junctor_journal.message_types import class_of

TRANSPORT_FIELDS = frozenset({"request_id", "tenant", "min_position", "deadline"})


class Mapping:
    """`protos` are generated modules (the first that has a name wins); `domain` are modules or single dataclasses."""

    def __init__(
        self,
        protos: Iterable[types.ModuleType],
        domain: Iterable[types.ModuleType | type],
        transport: frozenset[str] = TRANSPORT_FIELDS,
    ) -> None:
        self._descriptors: dict[str, Descriptor] = {}
        for module in protos:
            for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
                self._descriptors.setdefault(name, descriptor)
        self._classes: dict[str, type] = {}
        self._transport = transport
        for item in domain:
            self._add(item)
        self._converters: dict[tuple[type, str], Converter] = {}

    def to_message(self, value: Any) -> Message:
        """Raises `UnknownMessage` for a class without a message."""
        return self._message_of(value)

    def to_response(self, command: str, value: Any | None) -> Message | None:
        """The message `<command>Response` from a domain value, empty for None; None where there is no such message."""
        descriptor = self._descriptors.get(f"{command}Response")
        if descriptor is None:
            return None
        if value is None:
            return class_of(descriptor.full_name)()
        if isinstance(value, Message):
            return value
        return self.converter(type(value), descriptor).to_message(value)

    def to_domain(self, message: Message) -> Any:
        """Raises `UnknownMessage` for a message without a domain class."""
        descriptor: Any = message.DESCRIPTOR
        return self.converter(self.class_for(descriptor), descriptor).to_domain(message)

    def unmatched(self, *classes: type) -> list[str]:
        """`Class.field` for each field, on either side, without its counterpart; of all known classes if none is given."""
        found: list[str] = []
        for kind in classes or tuple(dict.fromkeys(self._classes.values())):
            try:
                descriptor = self.descriptor_for(kind)
            except UnknownMessage:
                found.append(f"{kind.__name__}: no message of this name")
                continue
            try:
                self.converter(kind, descriptor)
            except TypeError as error:
                found.append(str(error))
            own = {field.name for field in dataclasses.fields(kind)}
            wire = {field.name for field in descriptor.fields if field.containing_oneof is None or _alone(field)}
            wire |= {oneof.name for oneof in descriptor.oneofs if not _synthetic(oneof)}
            found += [f"{kind.__name__}.{name}: not in {descriptor.full_name}" for name in sorted(own - wire)]
            found += [
                f"{descriptor.full_name}.{name}: not in {kind.__name__}"
                for name in sorted(wire - own - self._transport)
            ]
        return found

    def converter(self, kind: type, descriptor: Descriptor) -> Converter:
        """For users of this package: the compiled pair of functions."""
        key = (kind, descriptor.full_name)
        found = self._converters.get(key)
        if found is None:
            found = self._converters[key] = Converter()
            fields = field_converters(self, kind, descriptor)
            found.to_message = _to_message(
                class_of(descriptor.full_name), [f.to_message for f in fields if f.to_message]
            )
            found.to_domain = _to_domain(kind, [(f.name, f.to_domain) for f in fields if f.to_domain])
        return found

    def descriptor_for(self, kind: type) -> Descriptor:
        name = kind.__name__
        found = self._descriptors.get(name) or self._descriptors.get(f"{name}Request")
        if found is None:
            raise UnknownMessage(f"no message {name} or {name}Request for the domain class {kind.__qualname__}")
        return found

    def class_for(self, descriptor: Descriptor) -> type:
        name = descriptor.name
        found = self._classes.get(name) or self._classes.get(name.removesuffix("Request"))
        if found is None:
            raise UnknownMessage(f"no domain class for {descriptor.full_name}")
        return found

    def _message_of(self, value: Any) -> Message:
        kind = type(value)
        return self.converter(kind, self.descriptor_for(kind)).to_message(value)

    def _add(self, item: types.ModuleType | type) -> None:
        if isinstance(item, type):
            self._classes.setdefault(item.__name__, item)
            return
        for value in vars(item).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                self._classes.setdefault(value.__name__, value)


def _to_message(message: type[Message], fields: list[Callable[[Any, Message], None]]) -> Callable[[Any], Message]:
    def convert(value: Any) -> Message:
        made = message()
        for put in fields:
            put(value, made)
        return made

    return convert


def _to_domain(kind: type, fields: list[tuple[str, Callable[[Message], Any]]]) -> Callable[[Message], Any]:
    def convert(message: Message) -> Any:
        return kind(**{name: get(message) for name, get in fields})

    return convert


def _synthetic(oneof: Any) -> bool:
    return len(oneof.fields) == 1 and oneof.name == f"_{oneof.fields[0].name}"


def _alone(field: Any) -> bool:
    return _synthetic(field.containing_oneof)
