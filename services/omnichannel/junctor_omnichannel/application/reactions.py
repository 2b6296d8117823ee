"""What the router's events mean for conversations, that another site has one of ours, and which site epochs have begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal.events import Event
from junctor_service.ids import edge_id
from junctor_service.tokens import EVERY_TENANT

from junctor_omnichannel.application.greetings import greeting_read
from junctor_omnichannel.domain.fence import stream_of

Fact = Callable[..., journal_pb2.Input]
_CLOSED = "closed"
_ROUTER = "/junctor/router"


def reactions(
    fact: Fact, edge: str, fences: Callable[[int], Sequence[int]]
) -> Callable[[Event], Iterable[journal_pb2.Input]]:
    """`fact` makes an input; the result gives the inputs that an event causes. `edge`: this site's (`edge_id`). `fences`
    gives the fence of a partition of the router as each partition of the own journal has it; it raises a retryable
    `JournalError` while that is not read."""

    everywhere: dict[int, int] = {}

    def react(event: Event) -> Iterable[journal_pb2.Input]:
        if event.source == _ROUTER and event.site_epoch > everywhere.get(event.journal_partition, 0):
            known = fences(event.journal_partition)
            everywhere[event.journal_partition] = min(known)
            yield from _seen(fact, event, known)
        if isinstance(event.message, pb.ProcessGreeted) and edge == edge_id("omnichannel", event.message.site):
            yield greeting_read(fact, event, event.message)
            return
        body = meaning(event.message, edge)
        if body is None:
            return
        if isinstance(body, pb.ReservationReported | pb.TaskReported):
            body.partition, body.site_epoch = max(event.journal_partition, 0), max(event.site_epoch, 0)
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


def _seen(fact: Fact, event: Event, fences: Sequence[int]) -> Iterable[journal_pb2.Input]:
    """The site epoch of an event, for each partition of the journal whose fence is lower. It comes before what the event says,
    and after all that counts of the epoch before: a relay publishes in the chain's order."""
    partition, epoch = event.journal_partition, event.site_epoch
    for own, fence in enumerate(fences):
        if fence < epoch:
            yield fact(
                pb.EpochSeen(partition=partition, site_epoch=epoch, journal_partition=own),
                id=f"omnichannel/fence/{partition}/{epoch}/{own}",
                tenant=EVERY_TENANT,
                stream=stream_of(partition),
                causation_id=event.id,
            )


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
