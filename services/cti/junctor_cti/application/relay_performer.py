"""Does what a relay's state asks for: rings the phone, answers the other site's edge, ends what is left."""

from __future__ import annotations

import logging

from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2

from junctor_cti.application.leg_ending import LegEnding
from junctor_cti.application.ports.edge import NoRoute, UnknownLeg, WrongState
from junctor_cti.application.slot import Slot
from junctor_cti.domain.relay import Relay
from junctor_cti.domain.todo import Todo, relay_todo

log = logging.getLogger(__name__)

BUSY_HERE, TEMPORARILY_UNAVAILABLE, RINGING = 486, 480, 180


class RelayPerformer:
    """The effects of one slot's relays; the same shape as `Performer`."""

    def __init__(self, slot: Slot, realm: str) -> None:
        self._slot = slot
        self._realm = realm

    def tries(self, wanted: Todo) -> int | None:
        """None: what can be tried again is, for ever."""
        return None

    async def do(self, stream: str, wanted: Todo) -> None:
        """Does it, if the relay still asks for it."""
        relay = self._slot.relay(stream)
        if relay is not None and wanted in set(relay_todo(relay)):
            await getattr(self, f"_{wanted.kind}")(relay, wanted.subject)

    async def failed(self, stream: str, wanted: Todo, error: Exception) -> None:
        """The relay is given up: the other site offers the contact elsewhere."""
        relay = self._slot.relay(stream)
        if relay is not None:
            fact = cti_pb2.StepFailed(contact_id=stream, step=wanted.kind, reason=str(error))
            await self._record(relay, fact, f"{stream}/{wanted.key}/failed")

    async def _ring(self, relay: Relay, reservation_id: str) -> None:
        self._slot.at_edge(self._slot.edge.trying, relay.trunk.id)
        leg_id, aor = f"{relay.stream}/phone", f"sip:{relay.device}@{self._realm}"
        if not self._slot.edge.contacts(aor):
            await self._no_phone(relay, leg_id, TEMPORARILY_UNAVAILABLE)
            return
        holder = self._slot.devices.take(relay.tenant, relay.device, relay.stream, reservation_id)
        if holder is not None:
            log.info("phone is taken", extra={"device": relay.device, "by_reservation": holder.reservation_id})
            await self._no_phone(relay, leg_id, BUSY_HERE)
            return
        self._slot.know(leg_id, relay.tenant, relay.stream, customer=False, reservation_id=reservation_id)
        caller = self._slot.open(relay.caller_number, relay.tenant)
        headers = {"X-Contact-Id": relay.contact_id}
        from_uri = f"sip:{caller or 'anonymous'}@{self._realm}"
        try:
            offer = self._slot.open(relay.sdp, relay.tenant)
            record = self._slot.edge.prepare_invite(leg_id, aor, from_uri, caller, offer, headers)
        except WrongState:
            record = self._slot.edge.record(leg_id)
        except NoRoute:
            await self._no_phone(relay, leg_id, TEMPORARILY_UNAVAILABLE)
            return
        fact = cti_pb2.AgentLegPrepared(
            contact_id=relay.stream, leg_id=leg_id, reservation_id=reservation_id, leg_record=record
        )
        await self._record(relay, fact, f"{leg_id}/prepared")

    async def _send_invite(self, relay: Relay, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.send_invite, leg_id)
        self._slot.at_edge(self._slot.edge.progress, relay.trunk.id, RINGING)

    async def _answer(self, relay: Relay, leg_id: str) -> None:
        answer = self._slot.open(relay.phone_sdp, relay.tenant)
        try:
            record = self._slot.edge.prepare_answer(leg_id, answer)
        except (UnknownLeg, WrongState) as error:
            log.info("the other site gave up before the answer", extra={"leg_id": leg_id, "error": str(error)})
            return
        fact = cti_pb2.CallAnswered(contact_id=relay.stream, leg_id=leg_id, leg_record=record)
        await self._record(relay, fact, f"{leg_id}/answered")

    async def _send_answer(self, relay: Relay, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.send_answer, leg_id)

    async def _refuse(self, relay: Relay, leg_id: str) -> None:
        self._slot.at_edge(self._slot.edge.reject, leg_id, relay.code)
        await self._ending(relay).gone(leg_id)

    async def _clear(self, relay: Relay, leg_id: str) -> None:
        await self._ending(relay).clear(leg_id)

    async def _cancel(self, relay: Relay, leg_id: str) -> None:
        await self._ending(relay).cancel(leg_id)

    async def _no_phone(self, relay: Relay, leg_id: str, code: int) -> None:
        fact = cti_pb2.AgentLegFailed(
            contact_id=relay.stream, leg_id=leg_id, reservation_id=relay.reservation_id, sip_code=code
        )
        await self._record(relay, fact, f"{leg_id}/failed")

    def _ending(self, relay: Relay) -> LegEnding:
        return LegEnding(self._slot, relay.tenant, relay.stream, relay.trunk.id)

    async def _record(self, relay: Relay, fact: Message, id: str) -> None:
        await self._slot.record(fact, id, relay.tenant, relay.stream)
