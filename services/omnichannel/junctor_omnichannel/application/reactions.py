"""What the router's events mean for conversations, and that another site has one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal.events import Event
from junctor_service.ids import edge_id

Fact = Callable[..., journal_pb2.Input]
_CLOSED = "closed"


def reactions(fact: Fact, edge: str) -> Callable[[Event], Iterable[journal_pb2.Input]]:
    """`fact` makes an input; the result gives the inputs that an event causes. `edge`: this site's (`edge_id`)."""

    def react(event: Event) -> Iterable[journal_pb2.Input]:
        body = meaning(event.message, edge)
        if body is None:
            return
        contact: str = body.contact_id  # type: ignore[attr-defined]
        yield fact(
            body,
            id=f"{event.tenant}/omnichannel/{event.id}",
            tenant=event.tenant,
            stream=contact,
            correlation_id=contact,
            causation_id=event.id,
            traceparent=event.traceparent,
        )

    return react


def meaning(event: Message | None, edge: str) -> Message | None:
    """The fact for a conversation; None for what is another edge's or means nothing to it."""
    if isinstance(event, contact_pb2.Reattached):
        if event.channel != contact_pb2.CHANNEL_CHAT or edge != edge_id("omnichannel", event.previous_site):
            return None
        return pb.LegMoved(contact_id=event.contact_id, leg=event.leg, site=event.site)
    if getattr(event, "edge", edge) != edge:
        return None
    match event:
        case router_pb2.ReservationAccepted():
            return pb.ReservationReported(
                contact_id=event.contact_id,
                reservation_id=event.reservation_id,
                agent_id=event.agent_id,
                accepted=True,
            )
        case router_pb2.ReservationEnded():
            return pb.ReservationReported(
                contact_id=event.contact_id,
                reservation_id=event.reservation_id,
                agent_id=event.agent_id,
                accepted=False,
                cause=event.cause,
            )
        case router_pb2.TaskOverflowed():
            prompt = event.prompt or (_CLOSED if event.treatment == _CLOSED else "")
            return pb.TaskReported(contact_id=event.contact_id, state="overflowed", prompt=prompt)
        case router_pb2.TaskCompleted():
            return pb.TaskReported(contact_id=event.contact_id, state="completed", disposition=event.disposition)
        case router_pb2.TaskCanceled():
            return pb.TaskReported(contact_id=event.contact_id, state="canceled")
        case router_pb2.TaskRequeued():
            return pb.TaskReported(contact_id=event.contact_id, state="requeued", queue=event.queue)
        case _:
            return None
