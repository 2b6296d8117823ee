"""Reads others' events. At least once: derive the ids of what you do from the event's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from junctor_journal.cloud_events import Event, decode_event
from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Log, Tail, TopicPartition

Start = Literal["earliest", "latest"] | Mapping[TopicPartition, int]


class EventReader:
    """`start`: where to begin: positions that the caller kept (partitions without one: the beginning), or an end."""

    def __init__(self, log: Log, topics: Sequence[str], start: Start = "latest") -> None:
        self._log = log
        self._topics = topics
        self._start = start
        self._tail: Tail | None = None
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Raises `LogUnavailable` (try again), also where a topic is not made yet."""
        counts = {topic: await self._log.partitions(topic) for topic in self._topics}
        missing = [topic for topic, count in counts.items() if not count]
        if missing:
            raise LogUnavailable(f"there is no topic {', '.join(missing)} yet")
        tps = [TopicPartition(topic, p) for topic, count in counts.items() for p in range(count)]
        begin = await self._log.begin_offsets(tps)
        if self._start == "latest":
            begin = await self._log.end_offsets(tps)
        elif self._start != "earliest":
            begin = {tp: max(begin[tp], self._start.get(tp, 0)) for tp in tps}
        self._positions = begin
        self._tail = await self._log.tail(begin)

    async def getmany(self, timeout_ms: int = 500, max_records: int | None = None) -> list[Event]:
        """Events in order within each partition; records that are no CloudEvents are passed over. Empty while Kafka is away."""
        if self._tail is None:
            raise RuntimeError("start comes first")
        found: list[Event] = []
        for tp, records in (await self._tail.getmany(timeout_ms, max_records)).items():
            found += [event for record in records if (event := decode_event(record)) is not None]
            self._positions[tp] = records[-1].offset + 1
        return found

    def positions(self) -> dict[TopicPartition, int]:
        """Where to go on after the events given so far: store it with what they caused, in one transaction."""
        return dict(self._positions)

    async def stop(self) -> None:
        if self._tail is not None:
            await self._tail.close()
            self._tail = None


__all__ = ["Event", "EventReader", "decode_event"]
