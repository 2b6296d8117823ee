"""Erases recordings that were kept long enough."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from junctor.recording.v1 import recording_pb2
from junctor_service.clock import Clock

from junctor_recording.application.catalogue import Catalogue

log = logging.getLogger(__name__)

AT_ONCE = 100
LONGEST_PAUSE = 3600.0
REASON = "retention"

Tell = Callable[..., Awaitable[None]]


class Retention:
    """`keep` in seconds, from the sealing. A contact that is just being recorded is looked at again in the next round."""

    def __init__(self, keep: float, catalogue: Catalogue, tell: Tell, clock: Clock) -> None:
        self._keep_ms = round(keep * 1000)
        self._pause = min(LONGEST_PAUSE, max(0.2, keep / 10))
        self._catalogue = catalogue
        self._tell = tell
        self._clock = clock

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            if await self.sweep() < AT_ONCE:
                await self._clock.sleep(self._pause)

    async def sweep(self) -> int:
        """One round; how many recordings were asked to be erased. Several processes may do so: ids make it one."""
        now = self._clock.now_ms()
        old = await self._catalogue.sealed_before(now - self._keep_ms, AT_ONCE)
        for entry in old:
            request = recording_pb2.EraseRecordingRequest(
                tenant=entry.tenant, contact_id=entry.contact_id, reason=REASON
            )
            request.files.add(recording_id=entry.recording_id, path=entry.path)
            round_number = now // round(self._pause * 1000)
            await self._tell(
                request,
                id=f"{entry.tenant}/recording/{entry.recording_id}/retention/{round_number}",
                tenant=entry.tenant,
                stream=entry.contact_id,
                correlation_id=entry.contact_id,
            )
        if old:
            log.info("recordings were kept long enough", extra={"count": len(old)})
        return len(old)
