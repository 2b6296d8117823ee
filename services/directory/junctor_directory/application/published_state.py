"""The effect of a change: each changed value is written to the compacted state topic that all services follow.

Written by the process that owns the tenant's partition, from entries read back; with two sites, in each into its own topic.
Whoever takes over compares the topic with the state; a value that an earlier owner wrote late is put right as soon as it is
seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb
from junctor_journal.apply import Fold
from junctor_journal.errors import JournalError

from junctor_directory.application.fold import DirectoryFold
from junctor_directory.application.values import parsed
from junctor_directory.domain.configuration import Name

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class StateTopic(Protocol):
    """`junctor_journal.replica.StateWriter`."""

    async def put(self, tenant: str, kind: str, id: str, value: Message) -> Any: ...

    async def delete(self, tenant: str, kind: str, id: str) -> Any: ...


class StateReplica(Protocol):
    """The part of `junctor_journal.replica.Replica` that is needed here."""

    def all(self, kind: str, tenant: str | None = None) -> list[Any]: ...

    def listen(self, listener: Callable[[Any, bool], None]) -> Any: ...


class PublishedState:
    """Implements `junctor_journal.ledger.StandbyEffects`. `partition_of(tenant)` says where a tenant's journal lies."""

    def __init__(
        self, topic: StateTopic, replica: StateReplica, kinds: tuple[str, ...], partition_of: Callable[[str], int]
    ) -> None:
        self._topic = topic
        self._replica = replica
        self._kinds = kinds
        self._partition_of = partition_of
        self._folds: dict[int, DirectoryFold] = {}
        self._follows: set[int] = set()
        self._queues: dict[int, asyncio.Queue[tuple[str, Name]]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        replica.listen(self._seen)

    def on_entry(self, partition: int, entry: Any, mine: bool) -> None:
        queue = self._queues.get(partition)
        if queue is None or not (mine or partition in self._follows):
            return
        for event in entry.events:
            if isinstance(event.message, pb.ConfigurationApplied):
                for change in event.message.changes:
                    queue.put_nowait((entry.tenant, Name(change.kind, change.id)))

    def on_follows(self, partition: int, fold: Fold) -> None:
        """The other site leads; values come from what it decided."""
        self.on_ready(partition, fold)
        self._follows.add(partition)

    def on_ready(self, partition: int, fold: Fold) -> None:
        assert isinstance(fold, DirectoryFold)
        self.on_lost(partition)
        self._folds[partition] = fold
        queue = self._queues[partition] = asyncio.Queue()
        for tenant, state in fold.tenants().items():
            published = self._published(tenant)
            for name, stored in state.values.items():
                if published.get(name) != stored.version:
                    queue.put_nowait((tenant, name))
            for name in published.keys() - state.values.keys():
                queue.put_nowait((tenant, name))
        self._tasks[partition] = asyncio.create_task(self._publish(fold, queue), name=f"state of partition {partition}")

    def on_lost(self, partition: int) -> None:
        self._folds.pop(partition, None)
        self._follows.discard(partition)
        self._queues.pop(partition, None)
        task = self._tasks.pop(partition, None)
        if task is not None:
            task.cancel()

    def stop(self) -> None:
        """Ends what runs; what is not written yet is found again by the next owner."""
        for partition in list(self._tasks):
            self.on_lost(partition)

    def _published(self, tenant: str) -> Mapping[Name, int]:
        items = (item for kind in self._kinds for item in self._replica.all(kind, tenant))
        return {Name(item.kind, item.id): item.value.version for item in items}

    def _seen(self, item: Any, deleted: bool) -> None:
        if not self._folds:
            return
        partition = self._partition_of(item.tenant)
        fold, queue = self._folds.get(partition), self._queues.get(partition)
        if fold is None or queue is None or item.tenant not in fold.tenants():
            return
        name = Name(item.kind, item.id)
        stored = fold.get(item.tenant).values.get(name)
        if (stored is None and not deleted) or (
            stored is not None and (deleted or item.value.version < stored.version)
        ):
            queue.put_nowait((item.tenant, name))

    async def _publish(self, fold: DirectoryFold, queue: asyncio.Queue[tuple[str, Name]]) -> None:
        while True:
            tenant, name = await queue.get()
            pause = FIRST_PAUSE
            while True:
                try:
                    await self._write(fold, tenant, name)
                    break
                except JournalError as error:
                    if not error.retryable:
                        log.error(
                            "a value cannot be published", extra={"kind": name.kind, "id": name.id}, exc_info=error
                        )
                        break
                    log.warning("publishing waits for the log", extra={"error": repr(error)})
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)

    async def _write(self, fold: DirectoryFold, tenant: str, name: Name) -> None:
        state = fold.get(tenant)
        stored = state.values.get(name)
        if stored is None:
            await self._topic.delete(tenant, *name)
            return
        value = pb.DirectoryValue(tenant=tenant, version=stored.version, value=parsed(stored.value))
        await self._topic.put(tenant, *name, value)
