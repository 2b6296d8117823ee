"""What the slots of this edge's agents hold, told to the router: after a site epoch began in one of its partitions, after a
take-over of the edge, and again when a talk that was told of has ended, or one with a contact of a site that is lost, where
nobody else tells of its end (docs/two-sites.md, E4)."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from junctor.router.v1 import router_pb2
from junctor_service.client import rpc
from junctor_service.effect_tasks import EffectTasks
from junctor_service.tokens import EVERY_TENANT

from junctor_cti.application.calls import FENCE, fence_stream
from junctor_cti.application.device_slots import DeviceSlots
from junctor_cti.application.slot import Slot
from junctor_cti.domain.decide import Line

SECONDS = 5.0
SETTLES = 6.0
"""Seconds after which a site that is lost is known to be, here and to the router."""
_FIRST_EPOCH = 1


class RollCalls:
    """Of one slot. Does nothing where there is one site."""

    def __init__(self, slot: Slot, tasks: EffectTasks, router: Any) -> None:
        self._slot = slot
        self._tasks = tasks
        self._router = router
        self._process = uuid.uuid4().hex[:12]
        self._count = 0
        self._told: frozenset[str] = frozenset()
        self._parted = False

    def begun(self, partition: int, site_epoch: int) -> None:
        """The fence of a router's partition is in the journal."""
        if self._slot.others.first() is None:
            return
        self._count += 1
        count = self._count
        self._tasks.start(
            self._slot.partition,
            f"roll call {partition}/{site_epoch}/{count}",
            lambda: self._answer(partition, site_epoch, count),
        )

    def all_begun(self) -> None:
        """This process serves the slot from now on."""
        for (tenant, stream), line in list(self._slot.fold.streams().items()):
            if tenant == EVERY_TENANT and stream.startswith(FENCE) and line.fence:
                self.begun(int(stream.removeprefix(FENCE)), line.fence)

    def look(self) -> None:
        """After an entry: a talk that was told of may be over."""
        if self._told and not self._told <= self._slot.devices.reservations():
            self._told &= self._slot.devices.reservations()
            self.all_begun()

    def parted(self) -> None:
        """A phone has let go of a contact of the other site."""
        if self._parted or self._slot.others.first() is None:
            return
        self._parted = True
        self._count += 1
        self._tasks.start(self._slot.partition, f"roll call after {self._count}", self._tell_parted)

    async def _tell_parted(self) -> None:
        await asyncio.sleep(SETTLES)
        self._parted = False
        other = self._slot.others.first()
        if other is None or not self._slot.redials.lost(other):
            return
        for partition in range(self._slot.partitions):
            line = self._slot.fold.get(EVERY_TENANT, fence_stream(partition))
            self.begun(partition, line.fence if line is not None and line.fence else _FIRST_EPOCH)

    async def _answer(self, partition: int, site_epoch: int, count: int) -> None:
        """Raises `ServiceError` while the router cannot be reached: then it is tried again."""
        if self._slot.stale(partition, site_epoch):
            return
        slots = held(self._slot.devices, self._slot)
        self._told |= {slot.reservation_id for slot in slots if slot.talking}
        request = router_pb2.AnswerRollCallRequest(
            request_id=f"{self._slot.agents_edge}/{partition}/{site_epoch}/{self._process}/{count}",
            edge=self._slot.agents_edge,
            partition=partition,
            site_epoch=site_epoch,
            slots=slots,
        )
        await rpc(self._router.AnswerRollCall(request, timeout=SECONDS))


def held(devices: DeviceSlots, slot: Slot) -> list[router_pb2.Slot]:
    """Every phone that is rung or taken, with the agent whom it is rung for."""
    found = []
    for tenant, one in devices.held():
        line = slot.fold.get(tenant, one.stream)
        agent_id, contact_id = _whose(line) if line is not None else ("", "")
        if agent_id:
            found.append(
                router_pb2.Slot(
                    tenant=tenant,
                    agent_id=agent_id,
                    contact_id=contact_id,
                    reservation_id=one.reservation_id,
                    talking=one.talking,
                )
            )
    return found


def _whose(line: Line) -> tuple[str, str]:
    if line.relay is not None:
        return line.relay.agent_id, line.relay.contact_id
    if line.call is not None and line.call.offer is not None:
        return line.call.offer.agent_id, line.call.contact_id
    return "", ""
