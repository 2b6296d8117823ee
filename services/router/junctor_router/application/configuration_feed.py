"""Makes inputs of the directory's changes, so that the journal alone replays.

The owner of a pool's partition compares what the pool has applied with the replica and tells the differences: at first
all values, later what changes, and after a take-over whatever is left. A value told twice has the same input id and the
same version, so it is applied once. Other processes only wait until what they know is applied.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2
from junctor_journal.errors import JournalError
from junctor_service.errors import ServiceError, unavailable

from junctor_router.application.configuration import Configuration, ValueName
from junctor_router.application.directory_values import IN_ONE_POOL, journalled, pool_of
from junctor_router.application.pools import PoolsFold

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
AT_ONCE = 500
PATIENCE_SECONDS = 2.0


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    def owns(self, partition: int) -> bool: ...

    @property
    def partitions(self) -> int: ...

    def state(self, partition: int) -> Any: ...


class Facts(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def fact(self, message: Any, *, id: str, tenant: str, stream: str) -> journal_pb2.Input: ...

    async def tell(self, input: journal_pb2.Input, deadline: float | None = None) -> Any: ...


class ConfigurationFeed:
    """A component: ready once every value known at the start is applied in its pools."""

    name = "configuration"

    def __init__(self, configuration: Configuration, journal: Journal, facts: Facts) -> None:
        self._configuration = configuration
        self._journal = journal
        self._facts = facts
        self._pending: dict[ValueName, None] = {}
        self._given_up: dict[tuple[str, ValueName], int] = {}
        self._changed = asyncio.Event()
        self._ready = False
        self._task: asyncio.Task[None] | None = None
        configuration.listen(self._note)

    @property
    def ready(self) -> bool:
        return self._ready

    async def start(self) -> None:
        """Goes on in the background."""
        self.compare_all()
        self._task = asyncio.create_task(self._run(), name="configuration feed")

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def compare_all(self) -> None:
        """Looks at every value again."""
        self._pending |= dict.fromkeys(self._configuration.names())
        self._changed.set()

    def compare_in(self, partition: int) -> None:
        """Looks again at the values of tenants with a pool in the partition: another owner may have stopped half way."""
        if not self._ready:
            return
        here: dict[str, bool] = {}
        for name in self._configuration.names():
            tenant = name[0]
            if tenant not in here:
                pools = self._configuration.pools(tenant)
                here[tenant] = any(self._partition(tenant, pool) == partition for pool in pools)
            if here[tenant]:
                self._pending[name] = None
        self._changed.set()

    async def applied(self, tenant: str, pool: str, *names: tuple[str, str]) -> None:
        """Waits until the pool has these values (kind, id) as the replica has them. Raises UNAVAILABLE (retry)."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (self._ready and all(self._applied(tenant, pool, kind, id) for kind, id in names)):
            if time.monotonic() > until:
                raise unavailable(
                    "The configuration is not applied yet.", reason="CONFIGURATION_PENDING", retry_after=0.2
                )
            await asyncio.sleep(0.02)

    def _note(self, name: ValueName) -> None:
        self._pending[name] = None
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self._turn()
            except (JournalError, ServiceError) as error:
                log.info("configuration waits for the log", extra={"reason": str(error)})
            except Exception:
                log.exception("telling configuration failed")
            if not self._pending:
                if not self._ready:
                    log.info("configuration applied")
                self._ready = True
                await self._changed.wait()
            else:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _turn(self) -> None:
        """Kind by kind, so that a plan comes before the queue that names it."""
        if self._journal.partitions == 0:
            return
        by_kind: dict[str, list[ValueName]] = {}
        for name in self._pending:
            by_kind.setdefault(name[1], []).append(name)
        for kind in ("tenant", "attribute", "calendar", "plan", "scores", "queue", "agent"):
            names = by_kind.get(kind, [])
            for start in range(0, len(names), AT_ONCE):
                await self._tell(names[start : start + AT_ONCE])
                await asyncio.sleep(0)

    async def _tell(self, names: list[ValueName]) -> None:
        told: list[tuple[ValueName, str, journal_pb2.Input]] = []
        for name in names:
            missing = self._pools_to_tell(name)
            if not missing:
                self._pending.pop(name, None)
            for pool in missing:
                if self._journal.owns(self._partition(name[0], pool)):
                    told.append((name, pool, self._input(name, pool)))
        outcomes = await asyncio.gather(*(self._facts.tell(input) for _, _, input in told))
        for (name, pool, input), outcome in zip(told, outcomes, strict=True):
            if outcome.refusal is not None and outcome.refusal.code:
                self._given_up[pool, name] = self._wanted(name[0], pool, name[1], name[2]) or 0
                log.error(
                    "a directory value was refused", extra={"input_id": input.id, "reason": outcome.refusal.message}
                )
        for name in dict.fromkeys(name for name, _, _ in told):
            if not self._pools_to_tell(name):
                self._pending.pop(name, None)

    def _pools_to_tell(self, name: ValueName) -> list[str]:
        """Pools in which the value is not yet as the replica has it. Raises `JournalError` while a state is restored."""
        tenant, kind, id = name
        pools = set(self._configuration.pools(tenant))
        return [pool for pool in sorted(pools) if not self._applied(tenant, pool, kind, id)]

    def _applied(self, tenant: str, pool: str, kind: str, id: str) -> bool:
        held = self._held(tenant, pool, kind, id)
        wanted = self._wanted(tenant, pool, kind, id)
        if self._given_up.get((pool, (tenant, kind, id))) == (wanted or 0):
            return True
        return held == 0 if wanted is None else held >= wanted

    def _wanted(self, tenant: str, pool: str, kind: str, id: str) -> int | None:
        """The version that the pool is to have; None for a value that it is not to have."""
        found = self._configuration.get(tenant, kind, id)
        if found is None or (kind in IN_ONE_POOL and pool_of(found.value) != pool):
            return None
        return found.version

    def _held(self, tenant: str, pool: str, kind: str, id: str) -> int:
        fold: PoolsFold = self._journal.state(self._partition(tenant, pool))
        known = fold.pool(tenant, pool)
        return 0 if known is None else known.state.versions.get((kind, id), 0)

    def _partition(self, tenant: str, pool: str) -> int:
        return self._configuration.partition(tenant, pool, self._journal.partitions)

    def _input(self, name: ValueName, pool: str) -> journal_pb2.Input:
        tenant, kind, id = name
        found = self._configuration.get(tenant, kind, id)
        message = router_pb2.ConfigurationChanged(kind=kind, id=id)
        if found is not None and self._wanted(tenant, pool, kind, id) is not None:
            message.version = found.version
            message.value.Pack(journalled(found.value), deterministic=True)
            suffix = str(found.version)
        else:
            suffix = f"{self._held(tenant, pool, kind, id)}/gone"
        return self._facts.fact(
            message, id=f"{tenant}/configuration/{pool}/{kind}/{id}/{suffix}", tenant=tenant, stream=pool
        )
