"""An entry as effects, relays and queries see it: parsed where it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.message_types import unpack_or_none
from junctor_journal.outcome import Outcome, outcome_of
from junctor_journal.record import event_id, type_of


@dataclass(slots=True)
class EventRead:
    """`message` is None where this process has no class for the type. `index` counts from 0 in the entry, which was
    decided under `site_epoch` for the input `input_id`."""

    index: int
    type: str
    message: Message | None
    input_id: str
    site_epoch: int

    @property
    def id(self) -> str:
        """The same wherever the entry is read. Made when asked for."""
        return event_id(self.input_id, self.index, self.site_epoch)


class EntryRead:
    """A valid entry. `topic` and `offset` are its place in this cluster: that of a journal, own or mirrored.

    `messages`: its events as messages, where this process made them itself and has read back the same bytes."""

    def __init__(
        self,
        partition: int,
        entry: pb.Entry,
        offset: int,
        topic: str = "",
        messages: Sequence[Message] | None = None,
    ) -> None:
        self.partition = partition
        self.record = entry
        self.offset = offset
        self.topic = topic
        self._made = messages
        self.seq: int = entry.seq
        self.now: int = entry.now
        self.input: pb.Input = entry.input
        self.tenant: str = self.input.tenant
        self.stream: str = self.input.stream

    @property
    def site_epoch(self) -> int:
        """Under which it was decided."""
        return self.record.epoch.site_epoch

    @property
    def position(self) -> tuple[int, int]:
        """Site epoch and sequence: entries that count are in this order."""
        return self.site_epoch, self.seq

    @property
    def dead(self) -> bool:
        """True for an input that could not be applied."""
        return self.record.HasField("dead")

    @cached_property
    def body(self) -> Message | None:
        return unpack_or_none(self.record.input.body)

    @cached_property
    def outcome(self) -> Outcome:
        return outcome_of(self.record.outcome, self.partition, self.seq)

    @cached_property
    def messages(self) -> Sequence[Message | None]:
        """Of its events; None where this process has no class for the type."""
        return [unpack_or_none(packed) for packed in self.record.events] if self._made is None else self._made

    @cached_property
    def events(self) -> tuple[EventRead, ...]:
        input_id, site_epoch = self.record.input.id, self.site_epoch
        return tuple(
            EventRead(n, type_of(packed), message, input_id, site_epoch)
            for n, (packed, message) in enumerate(zip(self.record.events, self.messages, strict=True))
        )
