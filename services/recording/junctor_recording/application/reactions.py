"""What other services' events mean for recordings: the talk is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.journal.v1 import journal_pb2
from junctor.recording.v1 import recording_pb2
from junctor_journal.events import Event

Fact = Callable[..., journal_pb2.Input]


def reactions(fact: Fact) -> Callable[[Event], Iterable[journal_pb2.Input]]:
    """`fact` makes an input; the result gives the inputs that an event causes."""

    def react(event: Event) -> Iterable[journal_pb2.Input]:
        ended = event.message
        if not isinstance(ended, cti_pb2.Unbound | contact_pb2.ContactClosed):
            return
        yield fact(
            recording_pb2.TalkEnded(contact_id=ended.contact_id),
            id=f"{event.tenant}/recording/{event.id}",
            tenant=event.tenant,
            stream=ended.contact_id,
            correlation_id=ended.contact_id,
            causation_id=event.id,
            traceparent=event.traceparent,
        )

    return react
