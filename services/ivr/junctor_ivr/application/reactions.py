"""What other services' events mean for flows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from junctor.cti.v1 import cti_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.journal.v1 import journal_pb2
from junctor_journal.events import Event

Fact = Callable[..., journal_pb2.Input]


def reactions(fact: Fact) -> Callable[[Event], Iterable[journal_pb2.Input]]:
    """`fact` makes an input; the result gives the inputs that an event causes."""

    def react(event: Event) -> Iterable[journal_pb2.Input]:
        ended = event.message
        if not isinstance(ended, cti_pb2.MediaVerbEnded):
            return
        yield fact(
            ivr_pb2.MediaVerbReported(
                contact_id=ended.contact_id, verb_id=ended.verb_id, cause=ended.cause, digits=ended.digits
            ),
            id=f"{event.tenant}/ivr/{event.id}",
            tenant=event.tenant,
            stream=ended.contact_id,
            correlation_id=ended.contact_id,
            causation_id=event.id,
            traceparent=event.traceparent,
        )

    return react
