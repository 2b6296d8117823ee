"""Configuration values between messages and the domain's canonical bytes; secrets are masked for all who only read."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb

from junctor_directory.domain.configuration import Change, ConfigurationApplied, Name

KINDS = tuple(field.name for field in pb.Value.DESCRIPTOR.oneofs_by_name["kind"].fields)
MASK, CHANGED_MASK = "set", "changed"


def name_of(value: pb.Value) -> Name:
    """Raises `ValueError` where the value has no kind."""
    kind = value.WhichOneof("kind")
    if kind is None:
        raise ValueError(f"the value '{value.id}' has no kind; it is one of {', '.join(KINDS)}")
    return Name(kind, value.id)


def canonical(value: pb.Value) -> bytes:
    """Equal bytes for equal values."""
    return value.SerializeToString(deterministic=True)


def parsed(value: bytes) -> pb.Value:
    return pb.Value.FromString(value)


def masked(value: pb.Value) -> pb.Value:
    """A copy in which phone passwords' hashes only say that they are set."""
    copy = pb.Value()
    copy.CopyFrom(value)
    if copy.WhichOneof("kind") == "agent":
        for algorithm in list(copy.agent.device_ha1):
            copy.agent.device_ha1[algorithm] = MASK
    return copy


def change_message(change: Change) -> pb.Change:
    """The change for readers: whole values with secrets masked; a changed secret shows that it changed."""
    before = parsed(change.before) if change.before is not None else None
    after = parsed(change.after) if change.after is not None else None
    kind = pb.CHANGE_KIND_UPDATED
    if before is None or after is None:
        kind = pb.CHANGE_KIND_CREATED if before is None else pb.CHANGE_KIND_DELETED
    message = pb.Change(change=kind, kind=change.name.kind, id=change.name.id)
    if before is not None:
        message.before.CopyFrom(masked(before))
    if after is not None:
        message.after.CopyFrom(masked(after))
        if before is not None:
            for algorithm, ha1 in after.agent.device_ha1.items():
                if before.agent.device_ha1.get(algorithm, ha1) != ha1:
                    message.after.agent.device_ha1[algorithm] = CHANGED_MASK
    return message


def change_names(changes: Iterable[Change]) -> list[pb.Change]:
    """The changes without their values."""
    messages = []
    for change in changes:
        message = change_message(Change(change.name, change.before, change.after))
        message.ClearField("before")
        message.ClearField("after")
        messages.append(message)
    return messages


def event_message(tenant: str, event: ConfigurationApplied) -> Message:
    return pb.ConfigurationApplied(
        tenant=tenant,
        revision=event.revision,
        changes=[change_message(change) for change in event.changes],
        principal=event.principal,
        comment=event.comment,
        applied_at=event.applied_at,
    )
