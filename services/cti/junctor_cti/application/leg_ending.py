"""How a leg is ended in whatever state it is; the edge's `Cleared` becomes the fact, or this does where there is none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from junctor.cti.v1 import cti_pb2

from junctor_cti.application.ports.edge import UnknownLeg, WrongState

if TYPE_CHECKING:
    from junctor_cti.application.slot import Slot

log = logging.getLogger(__name__)
UNAVAILABLE = 503


class LegEnding:
    """The legs of one stream, a call or a relay. `customer` tells which leg is the customer's."""

    def __init__(self, slot: Slot, tenant: str, stream: str, customer: str) -> None:
        self._slot = slot
        self._tenant = tenant
        self._stream = stream
        self._customer = customer

    async def clear(self, leg_id: str) -> None:
        edge = self._slot.edge
        try:
            state = edge.state(leg_id)
            if state in ("incoming", "proceeding"):
                edge.reject(leg_id, UNAVAILABLE)
            elif state == "ending":
                return
            elif state != "ended":
                record = edge.prepare_bye(leg_id)
                fact = cti_pb2.LegRecorded(contact_id=self._stream, leg_id=leg_id, leg_record=record)
                await self._slot.record(fact, f"{leg_id}/bye", self._tenant, self._stream)
                edge.send_bye(leg_id)
                return
        except (UnknownLeg, WrongState) as error:
            log.info("leg is gone already", extra={"leg_id": leg_id, "error": str(error)})
        await self.gone(leg_id)

    async def cancel(self, leg_id: str) -> None:
        try:
            state = self._slot.edge.state(leg_id)
            if state == "ended":
                await self.gone(leg_id)
            elif state in ("prepared", "ringing", "early"):
                self._slot.edge.cancel(leg_id)
            else:
                await self.clear(leg_id)
        except UnknownLeg:
            await self.gone(leg_id)

    async def gone(self, leg_id: str) -> None:
        """There is no such leg any more."""
        customer = leg_id == self._customer
        fact = cti_pb2.LegCleared(contact_id=self._stream, leg_id=leg_id, customer=customer, cause="bye")
        await self._slot.record(fact, f"{leg_id}/cleared", self._tenant, self._stream)
