"""The planned shift of partitions to the other site, as the site that leads them does it (docs/two-sites.md, section 7)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from junctor.site.v1 import site_pb2 as pb
from junctor.site.v1 import site_pb2_grpc
from junctor_journal.errors import JournalError, NotOwner

from junctor_service.audit import Audit, Outcome
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError, invalid
from junctor_service.heartbeats import Heard, Standing
from junctor_service.shift_conditions import Lags, Lead, in_the_way
from junctor_service.tokens import current_principal

log = logging.getLogger(__name__)

AT_ONCE = 8
SEAL_SECONDS = 5.0
BEGIN_SECONDS = 30.0
"""Until somebody leads it again: 10 s for the other site to come to what was sealed, and the register's time to take it back."""
_LOOK_SECONDS = 0.02
_KEPT = 100

Told = pb.ShiftPartitionsResponse


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    @property
    def partitions(self) -> int: ...

    def lead(self, partition: int) -> Any: ...

    def owns(self, partition: int) -> bool: ...

    def owner_address(self, partition: int) -> str | None: ...

    def position(self, partition: int) -> int: ...

    async def hand_over(self, partition: int, to_site: str, deadline: float = 5.0) -> None: ...


class Voters(Protocol):
    """The part of the register's component that is needed here."""

    @property
    def away(self) -> Mapping[str, str] | None: ...


class Beats(Protocol):
    """The part of `Heartbeats` that is needed here."""

    def of(self, site: str, service: str) -> list[Heard]: ...

    def listen(self, listener: Callable[[pb.Heartbeat], None]) -> None: ...


class SiteServicer(site_pb2_grpc.SiteServiceServicer):
    """`peer` gives a stub of this service at an address: another process of this site."""

    def __init__(
        self,
        service: str,
        site: str,
        other: str,
        journal: Journal,
        voters: Voters,
        beats: Beats,
        standing: Callable[[], Standing],
        audit: Audit,
        peer: Callable[[str], Any],
    ) -> None:
        self._service, self._site, self._other = service, site, other
        self._journal = journal
        self._voters = voters
        self._beats = beats
        self._standing = standing
        self._audit = audit
        self._peer = peer
        self._lags = Lags()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[int, asyncio.Task[Told]] = {}
        self._answers: dict[str, dict[int, Told]] = {}
        beats.listen(self._heard)

    async def ShiftPartitions(self, request: pb.ShiftPartitionsRequest, context: Any) -> AsyncIterator[Told]:
        """Raises FAILED_PRECONDITION with every sentence that is in the way, before anything is passed on."""
        partitions = self._wanted(request)
        answers = self._answers.setdefault(request.request_id, {})
        while len(self._answers) > _KEPT:
            del self._answers[next(iter(self._answers))]
        for partition in partitions:
            if partition in answers:
                yield answers[partition]
        left = [partition for partition in partitions if partition not in answers]
        if not left:
            return
        action, told = "ShiftPartitions", f"{self._service} to {request.to_site}: {','.join(map(str, left))}"
        principal = current_principal()
        refused = self._refused(request.to_site, left)
        if refused:
            self._audit.record(action, principal, "", Outcome.REFUSED, "SHIFT_REFUSED", told)
            raise ServiceError(Code.FAILED_PRECONDITION, " ".join(refused), reason="SHIFT_REFUSED")
        self._audit.record(action, principal, "", Outcome.ALLOWED, target=told)
        progress: asyncio.Queue[Told] = asyncio.Queue()
        for partition in left:
            self._begin(partition, request, answers, progress)
        pending = set(left)
        while pending:
            one = await progress.get()
            if one.state != pb.SHIFT_STATE_HANDED_OVER:
                pending.discard(one.partition)
            yield one

    async def HandOverPartition(
        self, request: pb.HandOverPartitionRequest, context: Any
    ) -> pb.HandOverPartitionResponse:
        """Raises FAILED_PRECONDITION where another process owns it, UNAVAILABLE where it was not sealed: it leads on."""
        try:
            await self._journal.hand_over(request.partition, request.to_site, SEAL_SECONDS)
        except NotOwner as error:
            raise ServiceError(Code.FAILED_PRECONDITION, str(error), reason="NOT_OWNER") from error
        return pb.HandOverPartitionResponse()

    def _wanted(self, request: pb.ShiftPartitionsRequest) -> Sequence[int]:
        if request.to_site not in (self._site, self._other):
            raise invalid(
                f"There is no site {request.to_site!r}; the sites are {self._site} and {self._other}.",
                reason="SITE_UNKNOWN",
            )
        count = self._journal.partitions
        unknown = [str(partition) for partition in request.partitions if not 0 <= partition < count]
        if unknown:
            raise invalid(
                f"There is no partition {', '.join(unknown)}; they are 0 to {count - 1}.", reason="PARTITION_UNKNOWN"
            )
        led = [n for n in range(count) if self._journal.lead(n).site != request.to_site]
        return sorted(set(request.partitions)) or led or list(range(count))

    def _refused(self, to_site: str, partitions: Sequence[int]) -> list[str]:
        heard = self._beats.of(to_site, self._service)
        processes = [one.beat.process for one in heard]
        leads = [Lead(n, self._journal.lead(n).site, self._lags.of(n, processes)) for n in partitions]
        return in_the_way(self._site, to_site, leads, heard, self._standing(), self._voters.away)

    def _heard(self, beat: pb.Heartbeat) -> None:
        """How far the other site's processes are behind is measured when they tell."""
        if (beat.site, beat.service) != (self._other, self._service) or not self._journal.partitions:
            return
        now = asyncio.get_running_loop().time()
        try:
            here = [self._journal.position(partition) for partition in range(self._journal.partitions)]
        except JournalError:
            return
        self._lags.see(beat.process, list(beat.positions), here, now)

    def _begin(
        self,
        partition: int,
        request: pb.ShiftPartitionsRequest,
        answers: dict[int, Told],
        progress: asyncio.Queue[Told],
    ) -> None:
        """A task of its own, which goes on whoever listens."""
        task = self._under_way.get(partition)
        if task is None:
            shift = self._shift(partition, request, progress)
            task = self._under_way[partition] = asyncio.create_task(shift, name=f"shift {partition}")
            task.add_done_callback(lambda _: self._under_way.pop(partition, None))

        def ended(done: asyncio.Task[Told]) -> None:
            failed = done.cancelled() or done.exception() is not None
            told = (
                Told(partition=partition, state=pb.SHIFT_STATE_FAILED, reason="The service was stopped.")
                if failed
                else done.result()
            )
            if told.state in (pb.SHIFT_STATE_SHIFTED, pb.SHIFT_STATE_ALREADY_THERE):
                answers[partition] = told
            progress.put_nowait(told)

        task.add_done_callback(ended)

    async def _shift(self, partition: int, request: pb.ShiftPartitionsRequest, progress: asyncio.Queue[Told]) -> Told:
        async with self._room:
            before = self._journal.lead(partition)
            if before.site == request.to_site:
                return Told(partition=partition, state=pb.SHIFT_STATE_ALREADY_THERE, site_epoch=before.site_epoch)
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                await self._hand_over(partition, request)
            except (JournalError, ServiceError) as error:
                return Told(partition=partition, state=pb.SHIFT_STATE_FAILED, reason=str(error))
            progress.put_nowait(Told(partition=partition, state=pb.SHIFT_STATE_HANDED_OVER))
            while loop.time() - began < BEGIN_SECONDS:
                lead = self._journal.lead(partition)
                if lead.site_epoch > before.site_epoch:
                    back = lead.site != request.to_site
                    return Told(
                        partition=partition,
                        state=pb.SHIFT_STATE_TAKEN_BACK if back else pb.SHIFT_STATE_SHIFTED,
                        pause_ms=round((loop.time() - began) * 1000),
                        site_epoch=lead.site_epoch,
                        reason=f"Site {request.to_site} did not come to what was sealed in time." if back else "",
                    )
                await asyncio.sleep(_LOOK_SECONDS)
            return Told(
                partition=partition,
                state=pb.SHIFT_STATE_FAILED,
                reason=f"It is passed on, and {BEGIN_SECONDS:.0f} s later nobody has begun to lead it.",
            )

    async def _hand_over(self, partition: int, request: pb.ShiftPartitionsRequest) -> None:
        if self._journal.owns(partition):
            await self._journal.hand_over(partition, request.to_site, SEAL_SECONDS)
            return
        address = self._journal.owner_address(partition)
        if not address:
            raise NotOwner(f"nobody owns partition {partition} at site {self._site} now")
        asked = pb.HandOverPartitionRequest(
            request_id=f"{request.request_id}/{partition}", partition=partition, to_site=request.to_site
        )
        await rpc(self._peer(address).HandOverPartition(asked, timeout=2 * SEAL_SECONDS))
