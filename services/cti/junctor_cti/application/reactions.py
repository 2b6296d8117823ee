"""What ivr and router say of our contacts, as inputs of `cti`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2
from junctor_journal.events import Event
from junctor_journal.message_types import unpack_or_none
from junctor_service.commands import Commands
from junctor_service.ids import edge_id
from junctor_service.tokens import EVERY_TENANT
from junctor_service.trace_context import contact_traceparent

from junctor_cti.application.calls import fence_stream

TOPICS = ("junctor.ivr.events.v1", "junctor.router.events.v1")
FLOW_RESULTS = {
    ivr_pb2.FLOW_RESULT_ROUTE: "route",
    ivr_pb2.FLOW_RESULT_HANG_UP: "hang_up",
    ivr_pb2.FLOW_RESULT_ABANDONED: "abandoned",
    ivr_pb2.FLOW_RESULT_FAILED: "failed",
}


def reactions(commands: Commands, edge: str) -> Callable[[Event], Iterable[journal_pb2.Input]]:
    """The reaction to one event: inputs, named by the event. `edge`: the name of this site's (`edge_id`)."""

    def react(event: Event) -> Iterable[journal_pb2.Input]:
        if isinstance(event.message, journal_pb2.EpochStarted):
            return _epoch_started(commands, event, event.message, edge)
        fact = fact_of(event.message, edge) if event.message is not None else None
        if fact is None:
            return []
        if isinstance(fact, cti_pb2.OfferReported):
            fact.partition, fact.site_epoch = event.journal_partition, event.site_epoch
        contact_id: str = fact.contact_id  # type: ignore[attr-defined]
        return [
            commands.fact(
                fact,
                id=f"cti/event/{event.id}",
                tenant=event.tenant,
                stream=contact_id,
                correlation_id=contact_id,
                causation_id=event.id,
                traceparent=event.traceparent,
            )
        ]

    return react


def _epoch_started(
    commands: Commands, event: Event, started: journal_pb2.EpochStarted, edge: str
) -> Iterable[journal_pb2.Input]:
    """Offers that go on under new ids, then the fence against those of the epoch before."""
    partition, epoch = event.journal_partition, started.epoch.site_epoch
    for number, packed in enumerate(started.reissued):
        again = unpack_or_none(packed)
        if not isinstance(again, router_pb2.ReservationReissued) or again.edge != edge:
            continue
        offer = cti_pb2.OfferReported(
            contact_id=again.contact_id,
            reservation_id=again.reservation_id,
            agent_id=again.agent_id,
            device=again.device,
            expires_at=again.expires_at,
            queue=again.queue,
            partition=partition,
            site_epoch=epoch,
        )
        yield commands.fact(
            offer,
            id=f"cti/event/{event.id}/{number}",
            tenant=again.tenant,
            stream=again.contact_id,
            correlation_id=again.contact_id,
            causation_id=event.id,
            traceparent=contact_traceparent(again.contact_id),
        )
    yield commands.fact(
        cti_pb2.FenceRaised(partition=partition, site_epoch=epoch),
        id=f"cti/event/{event.id}/fence",
        tenant=EVERY_TENANT,
        stream=fence_stream(partition),
        correlation_id="",
        causation_id=event.id,
        traceparent="",
    )


def fact_of(message: Message, edge: str) -> Message | None:
    """The fact that an event of ivr or router is for a call; None where it is none of ours, or another site's."""
    match message:
        case contact_pb2.Reattached() if edge == edge_id("cti", message.previous_site):
            return cti_pb2.LegMoved(contact_id=message.contact_id, leg=message.leg, site=message.site)
        case ivr_pb2.FlowEnded():
            return cti_pb2.FlowReported(
                contact_id=message.contact_id,
                result=FLOW_RESULTS.get(message.result, "failed"),
                queue=message.queue,
                requirements=message.requirements,
                data=message.data,
                priority=message.priority,
                wait_prompt=message.wait_prompt,
                language=message.language,
            )
        case router_pb2.ReservationCreated() if message.edge == edge:
            return cti_pb2.OfferReported(
                contact_id=message.contact_id,
                reservation_id=message.reservation_id,
                agent_id=message.agent_id,
                device=message.device,
                expires_at=message.expires_at,
                queue=message.queue,
            )
        case router_pb2.ReservationEnded() if message.edge == edge:
            return cti_pb2.ReservationReported(
                contact_id=message.contact_id,
                reservation_id=message.reservation_id,
                accepted=False,
                cause=message.cause,
            )
        case router_pb2.TaskOverflowed() if message.edge == edge:
            return cti_pb2.OverflowReported(
                contact_id=message.contact_id, treatment=message.treatment, prompt=message.prompt
            )
        case router_pb2.TaskCompleted() if message.edge == edge:
            return cti_pb2.TaskReported(
                contact_id=message.contact_id, state="completed", disposition=message.disposition
            )
        case router_pb2.TaskCanceled() if message.edge == edge:
            return cti_pb2.TaskReported(contact_id=message.contact_id, state="canceled")
        case router_pb2.TaskRequeued() if message.edge == edge:
            return cti_pb2.RequeueReported(
                contact_id=message.contact_id, queue=message.queue, agent_id=message.agent_id
            )
    return None
