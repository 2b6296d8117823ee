"""Which edges are heard, made inputs by the owner of a pool's partition: only where that is not what the pool has.

What is told follows from what is heard here and what the followed state says, so nothing has to be remembered: after a
take-over, an outage or a lost input the two are compared again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.errors import JournalError
from junctor_service.errors import ServiceError

from junctor_router.application.pools import PoolsFold

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
AGAIN_SECONDS = 1.0
"""What was told and does not show is told again after that."""
AT_ONCE = 200


class Heard(Protocol):
    """The part of `junctor_service.heartbeats.Heartbeats` that is needed here."""

    def edges(self) -> Mapping[str, tuple[bool, bool]]: ...


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    def owned(self) -> frozenset[int]: ...

    def state(self, partition: int) -> Any: ...


class Facts(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def fact(self, message: Any, *, id: str, tenant: str, stream: str) -> journal_pb2.Input: ...

    async def tell(self, input: journal_pb2.Input, deadline: float | None = None) -> Any: ...


class EdgeWatch:
    """A component. Without `heard` (one site) it does nothing."""

    name = "edges"

    def __init__(self, heard: Heard | None, journal: Journal, facts: Facts) -> None:
        self._process = uuid.uuid4().hex
        self._heard = heard
        self._journal = journal
        self._facts = facts
        self._told: dict[tuple[str, str, str], tuple[bool, float]] = {}
        self._count = 0
        self._sooner = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Always."""
        return True

    async def start(self) -> None:
        """Goes on in the background."""
        if self._heard is not None:
            self._task = asyncio.create_task(self._run(self._heard), name=self.name)

    async def stop(self, deadline: float) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def look(self) -> None:
        """A partition is owned from now on: its pools may have what was true for an earlier owner."""
        self._sooner.set()

    async def _run(self, heard: Heard) -> None:
        while True:
            self._sooner.clear()
            try:
                await self._tell_differences(heard.edges())
            except (JournalError, ServiceError) as error:
                log.info("edges wait for the log", extra={"reason": str(error)})
            except Exception:
                log.exception("telling of edges failed")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    async def _tell_differences(self, edges: Mapping[str, tuple[bool, bool]]) -> None:
        now = time.monotonic()
        found = list(self._differences(edges))
        self._told = {key: told for key, told in self._told.items() if now - told[1] < AGAIN_SECONDS}
        due = [one for one in found if self._told.get(one[:3], (not one[3].reachable, now))[0] != one[3].reachable]
        for start in range(0, len(due), AT_ONCE):
            await asyncio.gather(*(self._tell(*one, now) for one in due[start : start + AT_ONCE]))

    def _differences(self, edges: Mapping[str, tuple[bool, bool]]) -> Iterator[tuple[str, str, str, pb.EdgeReported]]:
        for partition in sorted(self._journal.owned()):
            fold: PoolsFold = self._journal.state(partition)
            for pool in fold.everywhere():
                known = pool.state.edges
                for name, (reachable, holds_slots) in edges.items():
                    edge = known.get(name)
                    if edge is None and not reachable:
                        continue
                    if edge is None or (edge.reachable, edge.holds_slots) != (reachable, holds_slots):
                        said = pb.EdgeReported(edge=name, reachable=reachable, holds_slots=holds_slots)
                        yield pool.state.tenant, pool.state.name, name, said

    async def _tell(self, tenant: str, pool: str, edge: str, message: pb.EdgeReported, now: float) -> None:
        self._count += 1
        id = f"{tenant}/edges/{self._process}/{self._count}"
        self._told[tenant, pool, edge] = (message.reachable, now)
        await self._facts.tell(self._facts.fact(message, id=id, tenant=tenant, stream=pool), AGAIN_SECONDS)
