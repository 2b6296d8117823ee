"""The tenant file: friendly YAML to configuration values, every mistake with its line and what to do.

The kinds are top-level maps, id to fields (`queues: {loans: {plan: strict}}`); `tenant` has the fields itself. Fields
are those of junctor.directory.v1, with times as `20s`, `500ms`, `2m` or `1h` (the field's name without `_ms`), enum
values by their short names, `service_level: 80/20s`, `starvation: never` and `device_password`, of which only hashes leave
this machine.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb

KINDS = {
    "tenant": "tenant",
    "pools": "pool",
    "attributes": "attribute",
    "agents": "agent",
    "queues": "queue",
    "plans": "plan",
    "numbers": "number",
    "flows": "flow",
    "calendars": "calendar",
    "widgets": "widget",
    "bots": "bot",
    "blocks": "block",
    "units": "unit",
    "users": "user",
    "scores": "scores",
}
REALM = "junctor"
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_SERVICE_LEVEL = re.compile(r"(\d{1,3})\s*/\s*(.+)")
_INTEGERS = frozenset(
    {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32}
)


class Mistake(Exception):
    """One or more mistakes, each `file:line: what is wrong and what to do`."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


@dataclass(slots=True)
class TenantFile:
    """The values of a file, and the line of each place in them: `<kind>/<id>/<path>`."""

    path: Path
    values: list[pb.Value] = dataclasses.field(default_factory=list)
    lines: dict[str, int] = dataclasses.field(default_factory=dict)

    def place(self, violation: str) -> str:
        """`file:line` of the deepest place that the file has on the way to `<kind>/<id>/<path>`."""
        parts = violation.split("/")
        for end in range(len(parts), 0, -1):
            line = self.lines.get("/".join(parts[:end]))
            if line is not None:
                return f"{self.path}:{line}"
        return str(self.path)

    def has(self, violation: str) -> bool:
        """Whether the value is in the file at all."""
        return "/".join(violation.split("/")[:2]) in self.lines


def read(path: Path) -> TenantFile:
    """Raises `Mistake` with all mistakes that the file alone shows, OSError where it cannot be read."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Mistake([f"{path}:{line}: this is no YAML: {error.problem or error.context}"]) from error
    except UnicodeDecodeError as error:
        raise Mistake([f"{path}:1: this is no UTF-8 text"]) from error
    reader = _Reader(TenantFile(path))
    reader.file_content(root)
    if reader.mistakes:
        raise Mistake(reader.mistakes)
    return reader.file


def ha1(user: str, password: str) -> dict[str, str]:
    """H(user:realm:password) by algorithm (RFC 7616, section 3.4.2): what a registrar needs instead of the password."""
    text = f"{user}:{REALM}:{password}".encode()
    return {
        "MD5": hashlib.md5(text, usedforsecurity=False).hexdigest(),
        "SHA-256": hashlib.sha256(text).hexdigest(),
    }


class _Reader:
    def __init__(self, file: TenantFile) -> None:
        self.file = file
        self.mistakes: list[str] = []

    def file_content(self, root: Any) -> None:
        if root is None:
            self._wrong_at(1, "the file is empty; begin with `tenant:`")
            return
        for key, node in self._pairs(root, "the file"):
            kind = KINDS.get(key.value)
            if kind is None:
                self._unknown(key, "kind", key.value, KINDS)
            elif kind == "tenant":
                self._value(kind, "self", key, node)
            else:
                for id_node, fields in self._pairs(node, f"`{key.value}`"):
                    self._value(kind, id_node.value, id_node, fields)

    def _value(self, kind: str, id: str, key: yaml.Node, node: yaml.Node) -> None:
        value = pb.Value(id=id)
        message = getattr(value, kind)
        message.SetInParent()
        path = f"{kind}/{id}"
        self._remember(path, key)
        self._fields(message, node, path)
        self.file.values.append(value)

    def _fields(self, message: Message, node: yaml.Node, path: str) -> None:
        if _is_null(node):
            return
        known = _field_names(message)
        password: tuple[yaml.Node, str] | None = None
        for key, item in self._pairs(node, f"`{path.rpartition('/')[2]}`"):
            name = key.value
            if isinstance(message, pb.Agent) and name == "device_password":
                self._remember(f"{path}/device_ha1", key)
                password = (key, self._text(item))
            elif isinstance(message, pb.Queue) and name == "service_level":
                self._remember(f"{path}/service_level_percent", key)
                self._remember(f"{path}/service_level_ms", key)
                self._service_level(message, item)
            elif name in known:
                descriptor = known[name]
                self._remember(f"{path}/{descriptor.name}", key)
                self._field(message, descriptor, item, f"{path}/{descriptor.name}")
            else:
                self._unknown(key, "field", name, [*known, *_extra_fields(message)])
        if password is not None and isinstance(message, pb.Agent):
            if message.device:
                message.device_ha1.update(ha1(message.device, password[1]))
            else:
                self._wrong(password[0], "device_password needs a `device`, the phone's SIP user")

    def _field(self, message: Message, field: Any, node: yaml.Node, path: str) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._map(message, field, node, path)
        elif field.is_repeated:
            for number, item in enumerate(self._items(node, field.name)):
                self._remember(f"{path}/{number}", item)
                if field.message_type is not None:
                    self._fields(getattr(message, field.name).add(), item, f"{path}/{number}")
                elif (value := self._scalar(field, item)) is not None:
                    getattr(message, field.name).append(value)
        elif field.message_type is not None:
            member = getattr(message, field.name)
            member.SetInParent()
            self._fields(member, node, path)
        elif (value := self._scalar(field, node)) is not None:
            setattr(message, field.name, value)

    def _map(self, message: Message, field: Any, node: yaml.Node, path: str) -> None:
        entry = field.message_type.fields_by_name["value"]
        target = getattr(message, field.name)
        for key, item in self._pairs(node, f"`{field.name}`"):
            self._remember(f"{path}/{key.value}", key)
            if entry.message_type is not None:
                target[key.value].SetInParent()
                self._fields(target[key.value], item, f"{path}/{key.value}")
            elif (value := self._scalar(entry, item)) is not None:
                target[key.value] = value

    def _scalar(self, field: Any, node: yaml.Node) -> Any:
        """The value; None after a mistake."""
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, f"{field.name}: a single value is expected here")
            return None
        text = node.value
        if field.enum_type is not None:
            return self._enum(field, node)
        if field.type == FieldDescriptor.TYPE_BOOL:
            if text not in {"true", "false"}:
                self._wrong(node, f"{field.name}: true or false is expected, not '{text}'")
                return None
            return text == "true"
        if field.type in _INTEGERS:
            return self._integer(field, node)
        return text

    def _integer(self, field: Any, node: yaml.ScalarNode) -> int | None:
        if field.name.endswith("_ms"):
            return self._duration(field.name.removesuffix("_ms"), node, node.value)
        if not re.fullmatch(r"\d{1,18}", node.value):
            self._wrong(node, f"{field.name}: a whole number is expected, not '{node.value}'")
            return None
        return int(node.value)

    def _duration(self, name: str, node: yaml.Node, text: str) -> int | None:
        if text == "0":
            return 0
        if text == "never" and name == "starvation":
            return -1
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            self._wrong(node, f"{name}: a time like 20s, 500ms, 2m or 1h is expected, not '{text}'")
            return None
        return round(float(match[1]) * _UNITS[match[2]])

    def _enum(self, field: Any, node: yaml.ScalarNode) -> int | None:
        prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
        names = {value.name.removeprefix(prefix).lower(): value.number for value in field.enum_type.values[1:]}
        if node.value not in names:
            self._wrong(node, f"{field.name}: '{node.value}' is not one of {', '.join(names)}")
            return None
        number: int = names[node.value]
        return number

    def _service_level(self, queue: pb.Queue, node: yaml.Node) -> None:
        text = self._text(node)
        match = _SERVICE_LEVEL.fullmatch(text)
        if match is None:
            self._wrong(node, f"service_level: percent and time are expected, as in 80/20s, not '{text}'")
            return
        milliseconds = self._duration("service_level", node, match[2])
        queue.service_level_percent = int(match[1])
        queue.service_level_ms = milliseconds or 0

    def _text(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self._wrong(node, "a single value is expected here")
        return ""

    def _pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if _is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, f"{what} has names with values (`name: value`) in it, not a list or a single value")
            return []
        pairs: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        seen: dict[str, int] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a name is expected here")
            elif key.value in seen:
                self._wrong(key, f"'{key.value}' is already in line {seen[key.value]}")
            else:
                seen[key.value] = key.start_mark.line + 1
                pairs.append((key, item))
        return pairs

    def _items(self, node: yaml.Node, name: str) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if isinstance(node, yaml.ScalarNode) and not _is_null(node):
            return [node]
        if not _is_null(node):
            self._wrong(node, f"{name}: a list is expected here")
        return []

    def _remember(self, path: str, node: yaml.Node) -> None:
        self.file.lines[path] = node.start_mark.line + 1

    def _unknown(self, node: yaml.Node, what: str, name: str, known: Any) -> None:
        close = difflib.get_close_matches(name, list(known), 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(sorted(known))}"
        self._wrong(node, f"'{name}' is no {what} here; {hint}")

    def _wrong(self, node: yaml.Node, text: str) -> None:
        self._wrong_at(node.start_mark.line + 1, text)

    def _wrong_at(self, line: int, text: str) -> None:
        self.mistakes.append(f"{self.file.path}:{line}: {text}")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _field_names(message: Message) -> dict[str, Any]:
    """The fields by the names of the file: times without `_ms`; what the file says otherwise is left out."""
    left_out = {"service_level_percent", "service_level_ms", "device_ha1"}
    return {
        descriptor.name.removesuffix("_ms"): descriptor
        for descriptor in message.DESCRIPTOR.fields
        if descriptor.name not in left_out
    }


def _extra_fields(message: Message) -> list[str]:
    if isinstance(message, pb.Agent):
        return ["device_password"]
    return ["service_level"] if isinstance(message, pb.Queue) else []
