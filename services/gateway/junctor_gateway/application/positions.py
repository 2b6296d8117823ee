"""Where a client stands in a stream: the event ids `<partition>:<seq>`, and how a request resumes after one.

Read from the messages' fields: a response with `seq` (and `partition`) or with a numbered `message` has a position; a
request with `after_seq` or `after_number` resumes after it. A stream without such a field, or one that makes no use of
it (WatchPool without `changes`), holds the whole state in each response, so it resumes by beginning again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from junctor_service.errors import FieldViolation

from junctor_gateway.application.problems import refused_fields

_ID = re.compile(r"([0-9]{1,9}):([0-9]{1,19})")
_RESUMING = ("after_seq", "after_number")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a journal, or in a conversation (whose messages are numbered; partition 0)."""

    partition: int
    seq: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.seq}"


def parse(last_event_id: str) -> Position:
    """Raises `ServiceError` (INVALID_ARGUMENT) for what is no event id of ours."""
    match = _ID.fullmatch(last_event_id)
    if match is None:
        raise refused_fields([FieldViolation("Last-Event-ID", "It is not <partition>:<seq>, as the stream's ids are.")])
    return Position(int(match[1]), int(match[2]))


def position_of(response: Message) -> Position | None:
    """The position that a response brings a client to; None if it brings to none."""
    fields: Any = response
    known = response.DESCRIPTOR.fields_by_name
    if "seq" in known:
        return Position(fields.partition if "partition" in known else 0, fields.seq)
    numbered = known.get("message")
    if numbered is not None and numbered.message_type is not None and response.HasField("message"):
        return Position(0, fields.message.number) if "number" in numbered.message_type.fields_by_name else None
    return None


def resumes(request: type[Message]) -> bool:
    """Whether a stream can go on after a position."""
    return any(name in request.DESCRIPTOR.fields_by_name for name in _RESUMING)


def resume_after(request: Message, position: Position) -> None:
    """Makes the request one for what came after the position, where it can be said."""
    for name in _RESUMING:
        if name in request.DESCRIPTOR.fields_by_name:
            setattr(request, name, position.seq)
