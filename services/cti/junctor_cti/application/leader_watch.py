"""Contacts in line whose pool is led by a site that is not heard: after the time of their plan they get what it says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from junctor.cti.v1 import cti_pb2

from junctor_cti.application.slot import Slot
from junctor_cti.domain.call import Call

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Heard(Protocol):
    """The part of `junctor_service.heartbeats.Heartbeats` that is needed here."""

    def unled(self, service: str, partition: int) -> float: ...


class LeaderWatch:
    """Of one slot; looks once a second while it is served."""

    def __init__(self, slot: Slot, heard: Heard, partitions: Callable[[], int]) -> None:
        """`partitions`: how many the router's journal has, as every service's does."""
        self._slot = slot
        self._heard = heard
        self._partitions = partitions
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Goes on in the background."""
        self._task = asyncio.create_task(self._run(), name="leader watch")

    async def stop(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look(self, now_ms: int) -> None:
        """Tells of each call that has waited for long enough. Raises as `Slot.record`."""
        calls = [line.call for line in list(self._slot.fold.streams().values()) if line.call is not None]
        for call in calls:
            if call.state == "queued" and self._slot.ready:
                await self._judge(call, now_ms)

    async def _judge(self, call: Call, now_ms: int) -> None:
        entry_points = self._slot.entry_points
        plan = entry_points.unreachable(call.tenant, call.queue)
        if not plan.treatment:
            return
        partition = entry_points.partition(call.tenant, call.queue, self._partitions())
        waited = min(self._heard.unled("router", partition) * 1000, now_ms - call.since)
        if waited < plan.after_ms:
            return
        log.warning("who leads the pool is not heard", extra={"contact_id": call.contact_id, "partition": partition})
        fact = cti_pb2.LeaderSilent(contact_id=call.contact_id, treatment=plan.treatment, prompt=plan.prompt)
        await self._slot.record(
            fact, f"{call.contact_id}/leader_silent/{call.routed}/{call.since}", call.tenant, call.contact_id
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._slot.ready:
                continue
            try:
                await self.look(time.time_ns() // 1_000_000)
            except Exception:
                log.exception("looking for silent leaders failed")
