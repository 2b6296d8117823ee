"""A configuration's changes, for people: what is new, what goes, and each field that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click
from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb


def lines(changes: Iterable[pb.Change]) -> Iterator[str]:
    """Coloured lines; `+` new, `-` goes, `~` differs."""
    for change in changes:
        name = f"{change.kind} {change.id}"
        match change.change:
            case pb.CHANGE_KIND_CREATED:
                yield click.style(f"+ {name}", fg="green")
            case pb.CHANGE_KIND_DELETED:
                yield click.style(f"- {name}", fg="red")
            case _:
                yield click.style(f"~ {name}", fg="yellow")
                yield from _differences(dict(_flat(change.before, "")), dict(_flat(change.after, "")))


def _differences(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is not None:
            yield click.style(f"    - {path}: {old}", fg="red")
        if new is not None:
            yield click.style(f"    + {path}: {new}", fg="green")


def _flat(message: Message, path: str) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if isinstance(message, pb.Value) and field.name == "id":
            continue
        inner = path if isinstance(message, pb.Value) else f"{path}.{field.name}".lstrip(".")
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            items = [(f"{inner}.{key}", value[key]) for key in value]
        elif field.is_repeated:
            items = [(f"{inner}[{number}]", item) for number, item in enumerate(value)]
        else:
            items = [(inner, value)]
        for name, item in items:
            if isinstance(item, Message):
                yield from _flat(item, name)
            elif field.enum_type is not None:
                prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
                yield name, field.enum_type.values_by_number[item].name.removeprefix(prefix).lower()
            else:
                yield name, str(item)
