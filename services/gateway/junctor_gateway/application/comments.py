"""The comments of the protos, by full name: of messages, fields, enums, values, services and methods."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2

# Field numbers of google/protobuf/descriptor.proto: what the numbers of a source location's path are.
_FILE = {4: "message_type", 5: "enum_type", 6: "service"}
_MESSAGE = {2: "field", 3: "nested_type", 4: "enum_type", 8: "oneof_decl"}
_BELOW = {
    "message_type": _MESSAGE,
    "nested_type": _MESSAGE,
    "enum_type": {2: "value"},
    "service": {2: "method"},
}


@cache
def descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    """The files that libs/protos was generated from, with their comments."""
    content = resources.files("junctor").joinpath("descriptors.binpb").read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(content)


@cache
def comments() -> dict[str, str]:
    """Comment by full name, such as `junctor.router.v1.Task.state`; an enum's value is named below its enum."""
    found: dict[str, str] = {}
    for file in descriptor_set().file:
        for location in file.source_code_info.location:
            text = location.leading_comments.strip()
            name = _name(file, location.path) if text else None
            if name:
                found[name] = " ".join(line.strip() for line in text.splitlines())
    return found


def _name(file: descriptor_pb2.FileDescriptorProto, path: Iterable[int]) -> str | None:
    at: Any = file
    kinds: dict[int, str] = _FILE
    names = [file.package]
    steps = iter(path)
    for number in steps:
        kind, index = kinds.get(number), next(steps, None)
        if kind is None or index is None:
            return None
        at = getattr(at, kind)[index]
        names.append(at.name)
        kinds = _BELOW.get(kind, {})
    return ".".join(names) if len(names) > 1 else None
