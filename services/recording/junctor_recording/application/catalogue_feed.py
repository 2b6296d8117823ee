"""Keeps the catalogue up with the recordings' events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from junctor_journal.events import Event, EventReader
from junctor_journal.log import Log, TopicPartition

EVENTS = "junctor.recording.events.v1"


class Projection(Protocol):
    """What events are projected into."""

    async def positions(self) -> dict[TopicPartition, int]:
        """Where to read on."""

    async def project(self, events: Sequence[Event], positions: Mapping[TopicPartition, int]) -> None:
        """The events' changes and the new positions: both or none."""


async def feed(log: Log, projection: Projection) -> None:
    """Runs until it is cancelled. An exception leaves the projection whole: call it again."""
    reader = EventReader(log, [EVENTS], start=await projection.positions())
    await reader.start()
    try:
        while True:
            events = await reader.getmany(timeout_ms=500)
            if events:
                await projection.project(events, reader.positions())
    finally:
        await reader.stop()
