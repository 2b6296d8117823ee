"""What the SIP edge and the media server report, as facts for the journal.

While Kafka is away nothing new begins (503 with Retry-After), but a call in progress ends as its people want: after
`GRACE` seconds without the journal a BYE is answered and the other side is cleared at once; the facts follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2
from junctor_service.ids import sip_contact_id, uuid7

from junctor_cti.application.calls import device_stream
from junctor_cti.application.entry_points import caller_data
from junctor_cti.application.other_sites import TICKET
from junctor_cti.application.ports import sip_events as sip
from junctor_cti.application.ports.edge import UnknownLeg, WrongState
from junctor_cti.application.ports.media import HeardDigit
from junctor_cti.application.redials import FarCall, tells_who
from junctor_cti.domain.relay import stream_of

if TYPE_CHECKING:
    from junctor_cti.application.slot import Slot

log = logging.getLogger(__name__)

GRACE = 0.5
MOVED_TEMPORARILY, FORBIDDEN, NOT_FOUND, GONE, UNAVAILABLE, DECLINE = 302, 403, 404, 410, 503, 603
RETRY_AFTER = {"Retry-After": "5"}
INBOUND_TRUNK = "default"


class EdgeEvents:
    """The edge's `on_event` for one slot. Keeps which leg is whose: customers' legs and agents' legs of live calls."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, event: sip.Event) -> None:
        match event:
            case sip.IncomingCall():
                self._incoming(event)
            case sip.Confirmed():
                self._leg_fact(event.leg_id, event.record)
            case sip.Cleared() | sip.Canceled():
                self._left(event)
            case sip.AckTimeout():
                self._ended(event.leg_id, "ack_timeout", _once(lambda: self._hang_up(event.leg_id)))
            case sip.Ringing():
                self._leg_fact(event.leg_id, event.record)
            case sip.Answered():
                self._agent_answered(event)
            case sip.Rejected():
                self._agent_failed(event)
            case sip.Renegotiated():
                self._leg_fact(event.leg_id, event.record, lambda: self._slot.edge.accept(event.leg_id))
            case sip.Referred():
                self._slot.edge.refuse(event.leg_id, DECLINE)
            case sip.Reinvited():
                self._leg_fact(event.leg_id, event.record)
            case sip.DtmfInfo():
                leg = self._slot.legs.get(event.leg_id)
                if leg is not None and leg.customer:
                    self._digit(leg.tenant, leg.contact_id, event.digit)
            case sip.Registered():
                self._registered(event)
            case sip.Unregistered():
                self._unregistered(event)

    def digit(self, digit: HeardDigit) -> None:
        """A digit that the media server heard; only the customer's count."""
        call = self._slot.call(digit.call_id)
        if call is not None and digit.side == "caller":
            self._digit(call.tenant, call.contact_id, digit.digit)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _incoming(self, event: sip.IncomingCall) -> None:
        slot = self._slot
        if TICKET in event.headers:
            self._relay(event)
            return
        entry = slot.entry_points.of_number(event.called_number)
        if entry is None:
            log.warning("unknown number", extra={"called_number": event.called_number, "source": event.source})
            slot.edge.reject(event.leg_id, NOT_FOUND, "Unknown Number")
            return
        if not slot.takes_calls:
            slot.edge.reject(event.leg_id, UNAVAILABLE, "Service Unavailable", RETRY_AFTER)
            return
        caller_hash = slot.sealer.lookup_hash(entry.tenant, event.caller_number)
        if slot.entry_points.blocked(entry.tenant, caller_hash, slot.clock.now_ms()):
            slot.edge.reject(event.leg_id, DECLINE, "Decline")
            return
        earlier = None
        if tells_who(event.caller_number):
            earlier = slot.redials.take(entry.tenant, caller_hash, event.called_number)
        there = slot.arrivals.sent_to(event.call_id) if earlier is None else None
        if there is not None:
            contact = {"Contact": f"<{slot.others.uri(there, event.called_number)}>"}
            slot.edge.reject(event.leg_id, MOVED_TEMPORARILY, "Moved Temporarily", contact)
            return
        if earlier is not None:
            contact_id, leg = earlier.contact_id, f"leg/{earlier.leg + 1}/"
            log.info("redialled to the old place", extra={"contact_id": contact_id, "lost_site": earlier.site})
        else:
            contact_id, leg = sip_contact_id(event.trunk or INBOUND_TRUNK, event.call_id, event.from_tag), ""
        slot.know(event.leg_id, entry.tenant, contact_id, customer=True)
        fact = cti_pb2.CallArrived(
            tenant=entry.tenant,
            contact_id=contact_id,
            leg_id=event.leg_id,
            caller_number=event.caller_number,
            caller_hash=caller_hash,
            called_number=event.called_number,
            flow=entry.flow,
            arrived_at=earlier.arrived_at if earlier is not None else slot.clock.now_ms(),
            leg_record=event.record,
            language=entry.language,
            site=slot.site,
            sdp=event.sdp,
            data={**entry.data, **caller_data(event.caller_number)},
            earlier=_earlier(earlier),
        )
        self._record(fact, f"{contact_id}/{leg}arrived", entry.tenant, contact_id)

    def _relay(self, event: sip.IncomingCall) -> None:
        """The edge of another site asks for an agent's phone."""
        slot = self._slot
        ticket = slot.others.verified(event.headers[TICKET], event.sdp, slot.clock.now_ms())
        if ticket is None or ticket.device != event.called_number:
            log.warning("relay refused: no such ticket", extra={"source": event.source})
            slot.edge.reject(event.leg_id, FORBIDDEN, "Forbidden")
            return
        if slot.stale(ticket.partition, ticket.site_epoch):
            log.info("relay refused: stale site epoch", extra={"site": ticket.site, "site_epoch": ticket.site_epoch})
            slot.edge.reject(event.leg_id, GONE, "Gone")
            return
        if not slot.takes_calls:
            slot.edge.reject(event.leg_id, UNAVAILABLE, "Service Unavailable", RETRY_AFTER)
            return
        stream = stream_of(ticket.contact_id, event.leg_id)
        slot.know(event.leg_id, ticket.tenant, stream, customer=True, reservation_id=ticket.reservation_id)
        fact = cti_pb2.RelayArrived(
            tenant=ticket.tenant,
            contact_id=ticket.contact_id,
            leg_id=event.leg_id,
            reservation_id=ticket.reservation_id,
            agent_id=ticket.agent_id,
            device=ticket.device,
            site=ticket.site,
            caller_number=event.caller_number,
            sdp=event.sdp,
            leg_record=event.record,
        )
        self._record(fact, f"{stream}/arrived", ticket.tenant, stream)

    def _left(self, event: sip.Cleared | sip.Canceled) -> None:
        """The peer ended its leg, or our BYE is done. A peer's BYE is answered once the journal has it."""
        accept: Callable[[], None] | None = None
        if isinstance(event, sip.Canceled) or event.by == "peer":
            accept = _once(lambda: self._slot.edge.accept(event.leg_id))
        cause = "cancel" if isinstance(event, sip.Canceled) else "bye"
        self._ended(event.leg_id, cause, accept)

    def _ended(self, leg_id: str, cause: str, then: Callable[[], None] | None = None) -> None:
        leg = self._slot.legs.get(leg_id)
        if leg is None:
            if then is not None:
                then()
            return
        fact = cti_pb2.LegCleared(contact_id=leg.contact_id, leg_id=leg_id, customer=leg.customer, cause=cause)
        recording = self._record(fact, f"{leg_id}/cleared", leg.tenant, leg.contact_id, then)
        if then is not None:
            asyncio.get_running_loop().call_later(GRACE, self._without_journal, leg_id, leg.contact_id, then, recording)

    def _without_journal(
        self, leg_id: str, contact_id: str, accept: Callable[[], None], recording: asyncio.Task[None]
    ) -> None:
        """The journal has not taken in time that a leg ended: the fact is kept on disk, and its people wait no longer."""
        if recording.done():
            return
        self._slot.facts.keep()
        accept()
        relay, call = self._slot.relay(contact_id), self._slot.call(contact_id)
        if relay is not None:
            others = [leg.id for leg in (relay.trunk, relay.phone) if leg is not None and leg.id != leg_id]
        elif call is None:
            return
        elif leg_id != call.customer.id:
            others = [call.customer.id] if call.state == "bridged" else []
        else:
            others = [call.agent.id] if call.agent is not None else []
        for other in others:
            self._hang_up(other)
        log.warning("leg ended while the journal is away", extra={"contact_id": contact_id, "cleared": len(others)})

    def _hang_up(self, leg_id: str) -> None:
        """Ends a leg with what its state asks for, without the journal."""
        edge = self._slot.edge
        try:
            if edge.state(leg_id) in ("prepared", "ringing", "early"):
                edge.cancel(leg_id)
            else:
                edge.prepare_bye(leg_id)
                edge.send_bye(leg_id)
        except (UnknownLeg, WrongState) as error:
            log.info("leg moved on meanwhile", extra={"error": str(error)})

    def _agent_answered(self, event: sip.Answered) -> None:
        leg = self._slot.legs.get(event.leg_id)
        if leg is None:
            self._slot.edge.ack(event.leg_id)
            return
        fact = cti_pb2.AgentLegAnswered(
            contact_id=leg.contact_id,
            leg_id=event.leg_id,
            reservation_id=leg.reservation_id,
            leg_record=event.record,
            sdp=event.sdp,
        )
        ack = _once(lambda: self._slot.edge.ack(event.leg_id))
        self._record(fact, f"{event.leg_id}/answered", leg.tenant, leg.contact_id, ack)

    def _agent_failed(self, event: sip.Rejected) -> None:
        leg = self._slot.legs.get(event.leg_id)
        if leg is None:
            return
        fact = cti_pb2.AgentLegFailed(
            contact_id=leg.contact_id, leg_id=event.leg_id, reservation_id=leg.reservation_id, sip_code=event.code
        )
        self._record(fact, f"{event.leg_id}/failed", leg.tenant, leg.contact_id)

    def _leg_fact(self, leg_id: str, record: bytes, then: Callable[[], None] | None = None) -> None:
        leg = self._slot.legs.get(leg_id)
        if leg is None:
            return
        fact = cti_pb2.LegRecorded(contact_id=leg.contact_id, leg_id=leg_id, leg_record=record)
        self._record(fact, uuid7(), leg.tenant, leg.contact_id, then)

    def _digit(self, tenant: str, contact_id: str, digit: str) -> None:
        call = self._slot.call(contact_id)
        if call is None or call.verb is None:
            return
        text = self._slot.sealer.seal_text(digit, tenant, contact_id) if call.verb.secret else digit
        fact = cti_pb2.DigitHeard(contact_id=contact_id, digit=text)
        self._record(fact, uuid7(), tenant, contact_id)

    def _registered(self, event: sip.Registered) -> None:
        device = _user(event.aor)
        found = self._slot.entry_points.agent_of_device(device)
        if found is None:
            return
        fact = cti_pb2.DeviceRegistered(
            tenant=found[0],
            device=device,
            contact_uri=event.contact,
            expires_at=event.expires_at,
            binding=event.binding,
        )
        self._record(fact, uuid7(), found[0], device_stream(device))

    def _unregistered(self, event: sip.Unregistered) -> None:
        device = _user(event.aor)
        found = self._slot.entry_points.agent_of_device(device)
        if found is None:
            return
        fact = cti_pb2.DeviceUnregistered(tenant=found[0], device=device, contact_uri=event.contact)
        self._record(fact, uuid7(), found[0], device_stream(device))

    def _record(
        self, fact: Message, id: str, tenant: str, stream: str, then: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        """Submits in the order of the calls; `then` runs once the fact is in the journal."""
        task = asyncio.create_task(self._recorded(self._slot.record(fact, id, tenant, stream), then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _recorded(self, recording: object, then: Callable[[], None] | None) -> None:
        try:
            await recording  # type: ignore[misc]
        except Exception:
            log.exception("fact was not recorded")
        if then is not None:
            try:
                then()
            except (UnknownLeg, WrongState) as error:
                log.info("leg moved on meanwhile", extra={"error": str(error)})


def _earlier(call: FarCall | None) -> cti_pb2.EarlierLeg | None:
    if call is None:
        return None
    return cti_pb2.EarlierLeg(site=call.site, leg=call.leg, queue=call.queue, segments=call.segments)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done = False

    def run() -> None:
        nonlocal done
        if not done:
            done = True
            try:
                action()
            except (UnknownLeg, WrongState) as error:
                log.info("leg moved on meanwhile", extra={"error": str(error)})

    return run


def _user(aor: str) -> str:
    return aor.partition(":")[2].partition("@")[0]
