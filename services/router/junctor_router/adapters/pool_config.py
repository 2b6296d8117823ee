"""The replica of the directory's state as the router sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from junctor.directory.v1 import directory_pb2
from junctor_journal.replica import Replica, StateItem
from junctor_service.pools import partition_of_pool

from junctor_router.application.configuration import ValueName, Versioned
from junctor_router.application.directory_values import IN_ONE_POOL, POOL_WIDE, pool_of

_KINDS = (*POOL_WIDE, *IN_ONE_POOL)


class PoolConfig:
    """Meets `application.configuration.Configuration`."""

    def __init__(self, replica: Replica[directory_pb2.DirectoryValue]) -> None:
        self._replica = replica
        self._pools: dict[str, dict[str, None]] = {}
        self._listeners: list[Callable[[ValueName], None]] = []
        replica.listen(self._changed)

    def get(self, tenant: str, kind: str, id: str) -> Versioned | None:
        item = self._replica.get(tenant, kind, id)
        return None if item is None else Versioned(max(item.value.version, 1), item.value.value)

    def names(self) -> list[ValueName]:
        return [(item.tenant, item.kind, item.id) for kind in _KINDS for item in self._replica.all(kind)]

    def pools(self, tenant: str) -> list[str]:
        return sorted(self._pools.get(tenant, {}))

    def ids(self, tenant: str, kind: str) -> list[str]:
        return [item.id for item in self._replica.all(kind, tenant)]

    def partition(self, tenant: str, pool: str, partitions: int) -> int:
        """The directory's, where it names one that exists; else the hash of the pool's name."""
        return partition_of_pool(self._replica, tenant, pool, partitions)

    def listen(self, listener: Callable[[ValueName], None]) -> None:
        self._listeners.append(listener)

    def _changed(self, item: StateItem[Any], deleted: bool) -> None:
        if item.kind in IN_ONE_POOL and not deleted:
            pool = pool_of(item.value.value)
            pools = self._pools.setdefault(item.tenant, {})
            if pool not in pools:
                pools[pool] = None
                self._tell_pool_wide(item.tenant)
        if item.kind in _KINDS:
            self._tell((item.tenant, item.kind, item.id))
        elif item.kind == "pool":
            self._tell_all(item.tenant)

    def _tell_pool_wide(self, tenant: str) -> None:
        """A pool that is new needs what all pools of the tenant have."""
        for kind in POOL_WIDE:
            for item in self._replica.all(kind, tenant):
                self._tell((tenant, kind, item.id))

    def _tell_all(self, tenant: str) -> None:
        """A pool may lie in another partition now, which has nothing yet."""
        for kind in _KINDS:
            for item in self._replica.all(kind, tenant):
                self._tell((tenant, kind, item.id))

    def _tell(self, name: ValueName) -> None:
        for listener in self._listeners:
            listener(name)
