"""Does what a call's state asks for: at the edge, at the media server, and at the other services.

Every effect looks at the call again before it acts, is idempotent by a derived request id or by nature, and ends in a
fact: that it is done, or that it failed for good.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.recording.v1 import recording_pb2
from junctor.router.v1 import router_pb2
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import edge_id, step_request_id

from junctor_cti.application.leg_ending import LegEnding
from junctor_cti.application.other_sites import TICKET, Ticket
from junctor_cti.application.ports.edge import UnknownLeg, WrongState
from junctor_cti.application.ports.media import PromptFiles
from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError, UnusableSdp
from junctor_cti.application.slot import Slot
from junctor_cti.domain.call import Call
from junctor_cti.domain.todo import Todo, todo

log = logging.getLogger(__name__)

ROUTE_SECONDS, CALL_SECONDS = 2.0, 5.0
ENDLESS = 10_000
OTHER_SITE_SECONDS = 2.0
NOT_ACCEPTABLE, UNAVAILABLE, NO_BINDING, BUSY_HERE, GONE_EPOCH = 488, 503, 480, 486, 410
VOICE = contact_pb2.CHANNEL_VOICE
GONE = (Code.NOT_FOUND, Code.FAILED_PRECONDITION)


@dataclass(frozen=True, slots=True)
class Peers:
    """Stubs of the services that a call needs."""

    ivr: Any
    router: Any
    recording: Any


async def disown(peers: Peers, tenant: str, contact_id: str, reservation_id: str) -> None:
    """Tells the router that nobody waits under this contact (any more). Raises `ServiceError` where a retry helps."""
    request = router_pb2.CancelTaskRequest(
        request_id=step_request_id(contact_id, f"disown/{reservation_id}"),
        tenant=tenant,
        contact_id=contact_id,
        cause="not in line at its edge",
    )
    try:
        await rpc(peers.router.CancelTask(request, timeout=CALL_SECONDS))
    except ServiceError as error:
        if error.code not in GONE:
            raise


class Performer:
    """The effects of one slot. `route_tries`: how often, 2 s each, routing is asked for before the default treatment."""

    def __init__(self, slot: Slot, peers: Peers, prompts: PromptFiles, realm: str, route_tries: int) -> None:
        self._slot = slot
        self._peers = peers
        self._prompts = prompts
        self._realm = realm
        self._route_tries = route_tries

    def tries(self, wanted: Todo) -> int | None:
        """How often an effect that can be tried again is tried; None for ever."""
        return self._route_tries if wanted.subject.startswith("route/") else None

    async def do(self, contact_id: str, wanted: Todo) -> None:
        """Does it, if the call still asks for it. Raises what the caller is to try again, or to report by `failed`."""
        call = self._slot.call(contact_id)
        if call is None or wanted not in set(todo(call)):
            return
        await getattr(self, f"_{wanted.kind}")(call, wanted.subject)

    async def failed(self, contact_id: str, wanted: Todo, error: Exception) -> None:
        """No try is left: the call is told, and goes another way."""
        call = self._slot.call(contact_id)
        if call is None:
            return
        reservation = ""
        step = wanted.key if wanted.kind == "play" else wanted.subject if wanted.kind == "owed" else wanted.kind
        if wanted.kind == "ring":
            await self._agent_failed(call, wanted.subject, UNAVAILABLE)
            return
        if wanted.kind == "join":
            reservation = wanted.subject
            step = "bridge" if isinstance(error, MediaError) else "accept"
        if wanted.kind == "answer":
            code = NOT_ACCEPTABLE if isinstance(error, UnusableSdp) else UNAVAILABLE
            self._slot.at_edge(self._slot.edge.reject, wanted.subject, code)
        reason = error.message if isinstance(error, ServiceError) else str(error)
        fact = cti_pb2.StepFailed(contact_id=contact_id, step=step, reason=reason, reservation_id=reservation)
        await self._record(call, fact, f"{contact_id}/{wanted.key}/failed")

    # --- the customer's leg

    async def _answer(self, call: Call, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.trying, leg_id)
        sdp = await self._slot.media.answer_first(call.contact_id, self._slot.open(call.sdp, call.tenant))
        try:
            record = self._slot.edge.prepare_answer(leg_id, sdp)
        except (UnknownLeg, WrongState) as error:
            log.info("caller left before the answer", extra={"contact_id": call.contact_id, "error": str(error)})
            return
        fact = cti_pb2.CallAnswered(contact_id=call.contact_id, leg_id=leg_id, leg_record=record)
        await self._record(call, fact, f"{leg_id}/answered")

    async def _send_answer(self, call: Call, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.send_answer, leg_id)

    async def _clear(self, call: Call, leg_id: str) -> None:
        await self._ending(call).clear(leg_id)

    async def _cancel(self, call: Call, leg_id: str) -> None:
        await self._ending(call).cancel(leg_id)

    def _ending(self, call: Call) -> LegEnding:
        return LegEnding(self._slot, call.tenant, call.contact_id, call.customer.id)

    # --- flow and prompts

    async def _start_flow(self, call: Call, flow: str) -> None:
        await self._call(
            self._peers.ivr.StartFlow,
            ivr_pb2.StartFlowRequest(
                request_id=step_request_id(call.contact_id, "flow"),
                tenant=call.tenant,
                contact_id=call.contact_id,
                flow=flow,
                data={**call.data, "called_number": call.called_number, "language": call.language},
            ),
        )

    async def _play(self, call: Call, verb_id: str) -> None:
        assert call.verb is not None
        now = self._slot.clock.now_ms()
        duration = 0
        if call.verb.prompts:
            wav = self._prompts.wav(call.verb.prompts, call.verb.language or call.language)
            duration = await self._slot.media.play(call.contact_id, wav)
        fact = cti_pb2.PromptStarted(contact_id=call.contact_id, verb_id=verb_id, ends_at=now + duration)
        await self._record(call, fact, f"{call.contact_id}/{verb_id}/started")

    async def _wait(self, call: Call, segment: str) -> None:
        try:
            wav = self._prompts.wav((call.wait_prompt,), call.language)
            await self._slot.media.play(call.contact_id, wav, ENDLESS)
        except (MediaError, FileNotFoundError) as error:
            log.warning("waiting customer hears silence", extra={"contact_id": call.contact_id, "error": str(error)})

    # --- the agent's leg

    async def _ring(self, call: Call, reservation_id: str) -> None:
        assert call.offer is not None
        leg_id = f"{call.contact_id}/{reservation_id}"
        if self._slot.stale(call.offer.partition, call.offer.site_epoch):
            await self._agent_failed(call, reservation_id, GONE_EPOCH)
            return
        self._slot.know(leg_id, call.tenant, call.contact_id, customer=False, reservation_id=reservation_id)
        aor = f"sip:{call.offer.device}@{self._realm}"
        here = bool(call.offer.device and self._slot.edge.contacts(aor))
        site = None if here or not call.offer.device else self._slot.others.first()
        if not here and site is None:
            await self._agent_failed(call, reservation_id, NO_BINDING)
            return
        if here and (
            holder := self._slot.devices.take(call.tenant, call.offer.device, call.contact_id, reservation_id)
        ):
            log.info("phone is taken", extra={"device": call.offer.device, "by_reservation": holder.reservation_id})
            await self._agent_failed(call, reservation_id, BUSY_HERE)
            return
        sdp = await self._slot.media.offer_far(call.contact_id, self._slot.open(call.sdp, call.tenant))
        caller = self._slot.open(call.caller_number, call.tenant)
        headers = {"X-Contact-Id": call.contact_id}
        if site is not None:
            headers[TICKET] = self._slot.others.sign(_ticket(self._slot.site, call), sdp, self._slot.clock.now_ms())
        target = aor if site is None else self._slot.others.uri(site, call.offer.device)
        from_uri = f"sip:{caller or 'anonymous'}@{self._realm}"
        try:
            record = self._slot.edge.prepare_invite(leg_id, target, from_uri, caller, sdp, headers)
        except WrongState:
            record = self._slot.edge.record(leg_id)
        fact = cti_pb2.AgentLegPrepared(
            contact_id=call.contact_id,
            leg_id=leg_id,
            reservation_id=reservation_id,
            leg_record=record,
            site=site or "",
        )
        await self._record(call, fact, f"{leg_id}/prepared")

    async def _send_invite(self, call: Call, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.send_invite, leg_id)
        if call.offer is not None and call.offer.site:
            await asyncio.sleep(OTHER_SITE_SECONDS)
            if self._silent(leg_id):
                log.warning("the other site's edge is silent", extra={"site": call.offer.site})
                await self._agent_failed(call, call.offer.reservation_id, NO_BINDING)

    def _silent(self, leg_id: str) -> bool:
        """Whether an INVITE has had no answer of any kind that is told of: an edge that lives sends 180 at once."""
        try:
            return self._slot.edge.state(leg_id) == "ringing"
        except UnknownLeg:
            return False

    async def _join(self, call: Call, reservation_id: str) -> None:
        """The agent's phone answered: only once the router says that the contact is the agent's are they joined."""
        assert call.offer is not None
        await self._call(
            self._peers.router.AcceptReservation,
            router_pb2.AcceptReservationRequest(
                request_id=step_request_id(call.contact_id, f"accept/{reservation_id}"),
                tenant=call.tenant,
                agent_id=call.offer.agent_id,
                reservation_id=reservation_id,
                contact_id=call.contact_id,
            ),
        )
        agent_sdp = self._slot.open(call.agent_sdp, call.tenant)
        await self._slot.media.connect_far(call.contact_id, agent_sdp)
        fact = cti_pb2.CallBridged(contact_id=call.contact_id, reservation_id=reservation_id)
        await self._record(call, fact, f"{call.contact_id}/{reservation_id}/bridged")

    async def _agent_failed(self, call: Call, reservation_id: str, code: int) -> None:
        leg_id = f"{call.contact_id}/{reservation_id}"
        fact = cti_pb2.AgentLegFailed(
            contact_id=call.contact_id, leg_id=leg_id, reservation_id=reservation_id, sip_code=code
        )
        await self._record(call, fact, f"{leg_id}/failed")

    # --- what is owed to others

    async def _owed(self, call: Call, step: str) -> None:
        kind, _, rest = step.partition("/")
        try:
            await getattr(self, f"_owed_{kind}")(call, rest)
        except ServiceError as error:
            if error.code not in GONE or error.retryable or kind == "route":
                raise
            log.info("the other side knows no more of it", extra={"step": step, "error": error.message})
        fact = cti_pb2.StepDone(contact_id=call.contact_id, step=step)
        await self._record(call, fact, f"{call.contact_id}/{step}/done")

    async def _owed_route(self, call: Call, routed: str) -> None:
        request = router_pb2.RequestTaskRequest(
            request_id=step_request_id(call.contact_id, _step(call, "route"), int(routed)),
            tenant=call.tenant,
            contact_id=call.contact_id,
            channel=VOICE,
            queue=call.queue,
            requirements=call.requirements,
            data=call.data,
            priority=call.priority,
            arrived_at=call.arrived_at,
            edge=edge_id("cti", self._slot.site),
            leg=call.generation,
        )
        await self._call(self._peers.router.RequestTask, request, ROUTE_SECONDS)

    async def _owed_cancel_task(self, call: Call, _: str) -> None:
        cause = "abandoned" if call.cause == "customer" else call.cause
        await self._call(
            self._peers.router.CancelTask,
            router_pb2.CancelTaskRequest(
                request_id=step_request_id(call.contact_id, _step(call, "cancel")),
                tenant=call.tenant,
                contact_id=call.contact_id,
                cause=cause,
                leg=call.generation,
            ),
        )

    async def _owed_disown(self, call: Call, reservation_id: str) -> None:
        await disown(self._peers, call.tenant, call.contact_id, reservation_id)

    async def _owed_end_contact(self, call: Call, _: str) -> None:
        await self._call(
            self._peers.router.EndContact,
            router_pb2.EndContactRequest(
                request_id=step_request_id(call.contact_id, _step(call, "end")),
                tenant=call.tenant,
                contact_id=call.contact_id,
                cause=call.cause,
                leg=call.generation,
            ),
        )

    async def _owed_reject(self, call: Call, rest: str) -> None:
        reservation_id, _, cause = rest.rpartition("/")
        await self._call(
            self._peers.router.RejectReservation,
            router_pb2.RejectReservationRequest(
                request_id=step_request_id(call.contact_id, f"reject/{reservation_id}"),
                tenant=call.tenant,
                reservation_id=reservation_id,
                contact_id=call.contact_id,
                cause=cause,
            ),
        )

    async def _owed_requeue(self, call: Call, reservation_id: str) -> None:
        await self._call(
            self._peers.router.RequeueTask,
            router_pb2.RequeueTaskRequest(
                request_id=step_request_id(call.contact_id, f"requeue/{reservation_id}"),
                tenant=call.tenant,
                contact_id=call.contact_id,
                cause="bridge failed",
                leg=call.generation,
            ),
        )

    async def _owed_stop_flow(self, call: Call, _: str) -> None:
        await self._call(
            self._peers.ivr.StopFlow,
            ivr_pb2.StopFlowRequest(
                request_id=step_request_id(call.contact_id, "stop_flow"),
                tenant=call.tenant,
                contact_id=call.contact_id,
                cause=call.cause,
            ),
        )

    async def _owed_start_recording(self, call: Call, reservation_id: str) -> None:
        if call.ended_at is not None or call.offer is None or call.offer.reservation_id != reservation_id:
            return
        await self._call(
            self._peers.recording.StartRecording,
            recording_pb2.StartRecordingRequest(
                request_id=step_request_id(call.contact_id, f"record/{reservation_id}"),
                tenant=call.tenant,
                contact_id=call.contact_id,
                agent_id=call.offer.agent_id,
                queue=call.queue,
            ),
        )

    async def _owed_stop_recording(self, call: Call, _: str) -> None:
        await self._call(
            self._peers.recording.StopRecording,
            recording_pb2.StopRecordingRequest(
                request_id=step_request_id(call.contact_id, "stop_recording"),
                tenant=call.tenant,
                contact_id=call.contact_id,
            ),
        )

    async def _owed_stop_play(self, call: Call, verb_id: str) -> None:
        """A later verb plays over the one that was interrupted; only silence must be made."""
        if call.verb is None or call.verb.id == verb_id:
            await self._slot.media.stop_play(call.contact_id)

    async def _owed_delete_media(self, call: Call, _: str) -> None:
        try:
            await self._slot.media.delete(call.contact_id)
        except MediaCallUnknown:
            return

    # ---

    async def _call(self, method: Any, request: Message, timeout: float = CALL_SECONDS) -> Any:
        return await rpc(method(request, timeout=timeout))

    async def _record(self, call: Call, fact: Message, id: str) -> None:
        await self._slot.record(fact, id, call.tenant, call.contact_id)


def _ticket(site: str, call: Call) -> Ticket:
    assert call.offer is not None
    offer = call.offer
    return Ticket(
        site,
        call.tenant,
        call.contact_id,
        offer.reservation_id,
        offer.agent_id,
        offer.device,
        offer.partition,
        offer.site_epoch,
    )


def _step(call: Call, name: str) -> str:
    """Each leg asks for itself: what an earlier one was refused is not this one's answer."""
    return name if call.generation == 1 else f"{name}/leg{call.generation}"
