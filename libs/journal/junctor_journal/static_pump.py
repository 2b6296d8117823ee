"""Partitions given by settings: for services whose slots are tied to something else, as `cti`'s edges are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Log, Tail, TopicPartition
from junctor_journal.owners import Owners
from junctor_journal.pump import PumpLoop

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class StaticPump:
    """`partitions` may be changed while it runs, with `own`: another edge's slot is taken over by claiming it."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self._partitions = frozenset(partitions)
        self._owners: Owners | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """True when every partition is owned and read."""
        return self._owners is not None and len(self._owners.all()) == len(self._partitions) and self._owners.settled

    async def start(self, log: Log, sources: Sequence[str], group_id: str, instance_id: str, owners: Owners) -> None:
        self._owners = owners
        owners.assign(self._partitions)
        self._task = asyncio.create_task(self._run(log, sources, owners), name="pump")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def own(self, partitions: Iterable[int]) -> None:
        """These from now on: new ones are claimed, others given up."""
        self._partitions = frozenset(partitions)
        self._changed.set()
        if self._owners is not None:
            self._owners.assign(self._partitions)

    async def _run(self, journal: Log, sources: Sequence[str], owners: Owners) -> None:
        while True:
            tail: Tail | None = None
            try:
                self._changed.clear()
                wanted = {TopicPartition(topic, p): 0 for topic in sources for p in self._partitions}
                if not wanted:
                    await self._changed.wait()
                    continue
                tail = await journal.tail(wanted)
                tail.pause(*wanted)
                for owner in owners.all():
                    owner.unsought()
                loop = PumpLoop(owners, sources)
                while not self._changed.is_set():
                    await loop.turn(tail)
            except asyncio.CancelledError:
                raise
            except LogUnavailable as error:
                log.warning("the inputs cannot be read now", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("reading the inputs failed")
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                if tail is not None:
                    await asyncio.shield(tail.close())
