"""JSON Schemas (2020-12) of messages and enums, as protobuf's JSON mapping writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message
from junctor.options.v1 import options_pb2

from junctor_gateway.application.comments import comments

Schema = dict[str, Any]
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Any": {
        "type": "object",
        "description": "A message of the type that `@type` names, with its fields beside it.",
        "properties": {"@type": {"type": "string"}},
    },
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
}


def schemas_of(messages: Iterable[type[Message]]) -> dict[str, Schema]:
    """The schemas of these messages and of all that they are made of, by full name."""
    found: dict[str, Schema] = {}
    for message in messages:
        _add(message.DESCRIPTOR, found)
    return dict(sorted(found.items()))


def reference(full_name: str) -> Schema:
    """A reference to a type's schema."""
    return {"$ref": f"#/components/schemas/{full_name}"}


def field_schema(field: Any) -> Schema:
    """A field, repeated or not, without its description."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _single(field.message_type.fields_by_name["value"])}
    single = _single(field)
    return {"type": "array", "items": single} if field.is_repeated else single


def description_of(field: Any) -> str:
    """A field's comment."""
    return comments().get(field.full_name, "")


def _add(descriptor: Any, found: dict[str, Schema]) -> None:
    name = descriptor.full_name
    if name in found:
        return
    if name in _WELL_KNOWN:
        found[name] = _WELL_KNOWN[name]
        return
    if not hasattr(descriptor, "fields"):
        found[name] = _enum(descriptor)
        return
    properties: dict[str, Schema] = {}
    found[name] = {"type": "object", "description": comments().get(name, ""), "properties": properties}
    choices = [[f.json_name for f in o.fields] for o in descriptor.oneofs if len(o.fields) > 1]
    if choices:
        found[name]["description"] += "".join(f" At most one of: {', '.join(choice)}." for choice in choices)
    for field in descriptor.fields:
        schema = field_schema(field) | {"description": description_of(field)}
        kind = field.GetOptions().Extensions[options_pb2.personal_data]
        if kind:
            schema["x-personal-data"] = options_pb2.PersonalData.Name(kind).removeprefix("PERSONAL_DATA_").lower()
        properties[field.json_name] = schema
        for inner in _inner_types(field):
            _add(inner, found)


def _inner_types(field: Any) -> list[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _inner_types(field.message_type.fields_by_name["value"])
    return [inner for inner in (field.message_type, field.enum_type) if inner is not None]


def _enum(descriptor: Any) -> Schema:
    name = descriptor.full_name
    lines = [f"- `{value.name}`: {comments().get(f'{name}.{value.name}', '')}" for value in descriptor.values]
    names = [value.name for value in descriptor.values]
    return {"type": "string", "description": "\n".join([comments().get(name, ""), "", *lines]), "enum": names}


def _single(field: Any) -> Schema:
    if field.message_type is not None:
        return reference(field.message_type.full_name)
    if field.enum_type is not None:
        return reference(field.enum_type.full_name)
    match field.cpp_type:
        case field.CPPTYPE_BOOL:
            return {"type": "boolean"}
        case field.CPPTYPE_INT32:
            return {"type": "integer", "format": "int32"}
        case field.CPPTYPE_UINT32:
            return {"type": "integer", "format": "uint32", "minimum": 0}
        case field.CPPTYPE_INT64:
            return {"type": ["string", "integer"], "format": "int64"}
        case field.CPPTYPE_UINT64:
            return {"type": ["string", "integer"], "format": "uint64"}
        case field.CPPTYPE_DOUBLE | field.CPPTYPE_FLOAT:
            return {"type": ["number", "string"], "format": "double"}
    if field.type == field.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": "string"}
