"""Events as they come, kept in memory by whoever is given them: read again from some time back at each start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from junctor_journal.errors import LogUnavailable
from junctor_journal.events import Event, EventReader
from junctor_journal.log import Log, TopicPartition

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class EventTail:
    """A component: gives `see` each event of `topics`, in order within a partition, from `back_seconds` before its start.

    `caught_up` once what was there at the start is read. `see` may not fail: an event that it fails on is logged.
    """

    name = "events"

    def __init__(self, log: Log, topics: Sequence[str], see: Callable[[Event], None], *, back_seconds: float) -> None:
        self._log = log
        self._topics = topics
        self._see = see
        self._back_seconds = back_seconds
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.caught_up = False

    @property
    def ready(self) -> bool:
        """Always: a mirror that is away keeps nobody from serving."""
        return True

    async def start(self) -> None:
        """Reads in the background."""
        self._task = asyncio.create_task(self._run(), name="events")

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except LogUnavailable as error:
                log.info("events cannot be read now", extra={"topics": self._topics, "reason": str(error)})
            except Exception:
                log.exception("reading events failed")
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        places = [TopicPartition(topic, p) for topic in self._topics for p in range(await self._log.partitions(topic))]
        if not self._positions and places:
            since = int((time.time() - self._back_seconds) * 1000)
            self._positions = await self._log.offsets_at(places, since)
        ends = await self._log.end_offsets(places)
        reader = EventReader(self._log, self._topics, self._positions)
        await reader.start()
        try:
            while True:
                self.caught_up = self.caught_up or all(reader.positions()[place] >= ends[place] for place in places)
                for event in await reader.getmany():
                    self._give(event)
                self._positions = reader.positions()
        finally:
            await asyncio.shield(reader.stop())

    def _give(self, event: Event) -> None:
        try:
            self._see(event)
        except Exception:
            log.exception("an event is passed over", extra={"event": event.id, "type": event.type})
