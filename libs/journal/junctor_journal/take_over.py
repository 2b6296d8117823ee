"""What an owner does between its claim and the beginning of a new site epoch (docs/two-sites.md, section 5, steps 2 to 4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.errors import LogUnavailable, NotOwner
from junctor_journal.far_site import FarSite
from junctor_journal.follower import Follower
from junctor_journal.leadership import Grant, Handover
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.record import pair

log = logging.getLogger(__name__)

_STEP = 0.02


class HigherSiteEpoch(NotOwner):
    """A higher site epoch is at work than the one that is granted here (S4). The grant is given up."""


class HandoverFailed(NotOwner):
    """What the other site sealed did not come, or is another state here. The grant is given up."""


class TakeOver:
    """`far` is None where there is one site, or the other's Kafka is not to be reached from here."""

    def __init__(self, follower: Follower, settings: OwnerSettings, far: FarSite | None) -> None:
        self._follower = follower
        self._settings = settings
        self._far = far
        self.unequal: dict[int, int] = {}
        """By partition, the entry at which the other site sealed a state that is another here."""

    async def read_on(self, partition: int, grant: Grant, claim: pb.OwnerStarted) -> None:
        """Until the state is the one to go on from. Raises `HigherSiteEpoch`, `HandoverFailed`, `LogUnavailable`."""
        if len(self._follower.topics) > 1:
            if grant.handover is not None:
                await self._handed_over(partition, grant.handover)
            elif self._far is None or not await self._claim_far(self._far, partition, claim):
                await self._quiet(partition)
            await self._newest_adopted(partition)
        if self._follower.highest_site_epoch(partition) > grant.site_epoch:
            raise HigherSiteEpoch(f"a site epoch above {grant.site_epoch} is at work on partition {partition}")

    async def _handed_over(self, partition: int, handover: Handover) -> None:
        if not await self._within(self._settings.handover_timeout, lambda: self._position(partition) >= handover.seq):
            raise HandoverFailed(f"entry {handover.seq} of partition {partition}, where it was sealed, did not come")
        state = self._follower.state(partition)
        if state.seq == handover.seq and (state.hash != handover.hash or self.unequal.get(partition) == handover.seq):
            raise HandoverFailed(f"partition {partition} was sealed with another state than there is here")

    async def _claim_far(self, far: FarSite, partition: int, claim: pb.OwnerStarted) -> bool:
        """True where the far journal was claimed and read up to there, and its inputs to their end: no decision is lost."""
        service = self._follower.service
        try:
            async with asyncio.timeout(self._settings.far_answer):
                offset = await far.claim(service, partition, claim)
            async with asyncio.timeout(self._settings.far_reading):
                await far.bring(topics.journal(service), partition, offset)
                await far.bring(topics.inputs(service), partition)
                await self._follower.reach_end(partition)
        except (LogUnavailable, TimeoutError) as error:
            log.warning(
                "the other site's journal was not claimed there; what the mirror brought is taken",
                extra={"partition": partition, "site": far.site, "reason": repr(error)},
            )
            return False
        place = self._follower.place_in(partition, topics.of_site(far.site, topics.journal(service)))
        if place.epoch > pair(claim.epoch):
            raise HigherSiteEpoch(f"the claim of partition {partition} does not count in the journal of {far.site}")
        log.info("the other site's journal was claimed", extra={"partition": partition, "site": far.site})
        return True

    async def _quiet(self, partition: int) -> None:
        """Until the mirror brings nothing more for a while. Nothing but the loss depends on it."""
        settings, loop = self._settings, asyncio.get_running_loop()
        until = loop.time() + settings.quiet_limit
        seen, since = self._offsets(partition), loop.time()
        while loop.time() < until and loop.time() - since < settings.quiet:
            await asyncio.sleep(_STEP)
            now = self._offsets(partition)
            if now != seen:
                seen, since = now, loop.time()

    async def _newest_adopted(self, partition: int) -> None:
        """L1: the state is that of the highest site epoch that began."""

        def adopted() -> bool:
            lineage = self._follower.lineage(partition)
            return self._follower.state(partition).site_epoch == lineage.newest and lineage.complete

        if not await self._within(self._settings.far_reading, adopted):
            raise LogUnavailable(f"the newest site epoch of partition {partition} is not read to its end here")

    async def _within(self, seconds: float, condition: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self._follower.moved()
        except TimeoutError:
            return condition()
        return True

    def _position(self, partition: int) -> int:
        return self._follower.position(partition)

    def _offsets(self, partition: int) -> Sequence[int]:
        return [self._follower.next_offset(partition, topic) for topic in self._follower.topics]
