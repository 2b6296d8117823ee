"""The log in memory, for tests and virtual time: the same partitions, offsets, groups and failures, without a broker.

Faults: `down()`/`up()` is Kafka away; `hold(topic, partition)` keeps appends of that partition unwritten until
`release`, as a stopped process keeps its batches; `fail_next` refuses appends.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Batches, GroupListener, Headers, NewRecord, Record, TopicDeclaration, TopicPartition
from junctor_journal.topics import partition_of_key


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Held:
    records: Sequence[NewRecord]
    written: asyncio.Future[int]


@dataclass(slots=True)
class _Group:
    topics: tuple[str, ...]
    members: list[MemoryGroup] = field(default_factory=list)


class MemoryLog:
    def __init__(self, default_partitions: int = 12, clock: Callable[[], int] = _now_ms) -> None:
        self._identity = secrets.token_hex(8)
        self._default_partitions = default_partitions
        self._clock = clock
        self._topics: dict[str, list[list[Record]]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._listeners: list[Callable[[bool], None]] = []
        self._available = True
        self._held: dict[TopicPartition, list[_Held]] = {}
        self._refusals: dict[TopicPartition, int] = {}
        self._groups: dict[str, _Group] = {}
        self._producer = MemoryProducer(self)

    @property
    def available(self) -> bool:
        return self._available

    def watch(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    def down(self) -> None:
        """Kafka goes away: writes fail, reads are empty."""
        self._set_available(False)

    def up(self) -> None:
        self._set_available(True)

    def hold(self, topic: str, partition: int) -> None:
        """Appends to this partition wait, unwritten, until `release`. Those of the shared producer do not."""
        self._held.setdefault(TopicPartition(topic, partition), [])

    def release(self, topic: str, partition: int) -> None:
        """Writes what was held, in order: after whatever others wrote meanwhile."""
        tp = TopicPartition(topic, partition)
        for held in self._held.pop(tp, []):
            offset = self.write(tp, held.records)
            if not held.written.done():
                held.written.set_result(offset)

    def held_count(self, topic: str, partition: int) -> int:
        return len(self._held.get(TopicPartition(topic, partition), ()))

    def take_held(self, topic: str, partition: int) -> list[tuple[TopicPartition, Sequence[NewRecord]]]:
        """What was held, unwritten, for `write_held`; later appends are held no more."""
        tp = TopicPartition(topic, partition)
        return [(tp, held.records) for held in self._held.pop(tp, [])]

    def write_held(self, held: Iterable[tuple[TopicPartition, Sequence[NewRecord]]]) -> None:
        """Writes it after all: as the batches of a stopped process that goes on."""
        for tp, records in held:
            self.write(tp, records)

    def fail_next(self, topic: str, partition: int, count: int = 1) -> None:
        self._refusals[TopicPartition(topic, partition)] = count

    def records(self, topic: str, partition: int) -> list[Record]:
        """All that is written there: for judges in tests."""
        return self._partition(TopicPartition(topic, partition))

    async def appender(self, topic: str, partition: int) -> MemoryAppender:
        if not self._available:
            raise LogUnavailable("the log is away")
        return MemoryAppender(self, TopicPartition(topic, partition))

    def producer(self) -> MemoryProducer:
        return self._producer

    async def tail(self, positions: Mapping[TopicPartition, int], wait_ms: int = 500) -> MemoryTail:
        return MemoryTail(self, dict(positions))

    async def begin_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._require()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._require()
        return {tp: len(self._partition(tp)) for tp in partitions}

    async def offsets_at(self, partitions: Iterable[TopicPartition], timestamp: int) -> dict[TopicPartition, int]:
        self._require()
        found = {}
        for tp in partitions:
            records = self._partition(tp)
            found[tp] = next((r.offset for r in records if r.timestamp >= timestamp), len(records))
        return found

    async def partitions(self, topic: str) -> int:
        self._require()
        return len(self._topics.get(topic, ()))

    async def identity(self) -> str:
        self._require()
        return self._identity

    async def topics(self) -> frozenset[str]:
        self._require()
        return frozenset(self._topics)

    async def group(
        self,
        group_id: str,
        topics: Sequence[str],
        instance_id: str | None,
        on_assigned: GroupListener,
        on_revoked: GroupListener,
    ) -> MemoryGroup:
        group = self._groups.setdefault(group_id, _Group(tuple(topics)))
        member = MemoryGroup(self, group_id, instance_id or str(len(group.members)), on_assigned, on_revoked)
        group.members.append(member)
        self._rebalance(group)
        return member

    async def ensure_topics(self, declarations: Iterable[TopicDeclaration]) -> None:
        self._require()
        for declaration in declarations:
            if declaration.name not in self._topics:
                self._topics[declaration.name] = [[] for _ in range(declaration.partitions)]

    def write(self, tp: TopicPartition, records: Sequence[NewRecord]) -> int:
        partition = self._partition(tp)
        base = len(partition)
        for n, record in enumerate(records):
            timestamp = self._clock() if record.timestamp is None else record.timestamp
            partition.append(
                Record(tp.topic, tp.partition, base + n, timestamp, record.key, record.value, tuple(record.headers))
            )
        self.wake()
        return base

    def count(self, topic: str) -> int:
        return len(self._topic(topic))

    def wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self, seconds: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=seconds)
        finally:
            self._waiting.discard(waiter)

    def refused(self, tp: TopicPartition) -> bool:
        left = self._refusals.get(tp, 0)
        if left:
            self._refusals[tp] = left - 1
        return not self._available or left > 0

    def held(self, tp: TopicPartition) -> list[_Held] | None:
        return self._held.get(tp)

    def leave(self, group_id: str, member: MemoryGroup) -> None:
        group = self._groups[group_id]
        if member in group.members:
            group.members.remove(member)
            self._rebalance(group)

    def _rebalance(self, group: _Group) -> None:
        for member in group.members:
            member.revoke()
        members = sorted(group.members, key=lambda m: m.instance_id)
        for n, member in enumerate(members):
            member.take(
                frozenset(
                    TopicPartition(topic, p)
                    for topic in group.topics
                    for p in range(self.count(topic))
                    if p * len(members) // self.count(topic) == n
                )
            )
        self.wake()

    def _require(self) -> None:
        if not self._available:
            raise LogUnavailable("the log is away")

    def _set_available(self, available: bool) -> None:
        if available != self._available:
            self._available = available
            for listener in list(self._listeners):
                listener(available)
            self.wake()

    def _topic(self, topic: str) -> list[list[Record]]:
        if topic not in self._topics:
            self._topics[topic] = [[] for _ in range(self._default_partitions)]
        return self._topics[topic]

    def _partition(self, tp: TopicPartition) -> list[Record]:
        return self._topic(tp.topic)[tp.partition]


class MemoryAppender:
    def __init__(self, log: MemoryLog, tp: TopicPartition) -> None:
        self._log = log
        self._tp = tp
        self._failed = False
        self._open: set[asyncio.Future[int]] = set()

    async def append(self, records: Sequence[NewRecord]) -> Awaitable[int]:
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._failed or self._log.refused(self._tp):
            self._failed = True
            raise LogUnavailable("the log did not take the records")
        held = self._log.held(self._tp)
        if held is None:
            written.set_result(self._log.write(self._tp, records))
        else:
            held.append(_Held(tuple(records), written))
            self._open.add(written)
            written.add_done_callback(self._open.discard)
        return written

    async def close(self) -> None:
        if self._open:
            await asyncio.wait(self._open)
        self._failed = True

    async def abandon(self) -> None:
        self._failed = True


class MemoryProducer:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> int:
        if partition is None:
            partition = partition_of_key(key or b"", self._log.count(topic))
        return await self.send_many(topic, partition, (NewRecord(key, value, headers, timestamp),))

    async def send_many(self, topic: str, partition: int, records: Sequence[NewRecord]) -> int:
        tp = TopicPartition(topic, partition)
        if self._log.refused(tp):
            raise LogUnavailable("the log did not take the records")
        return self._log.write(tp, records)


class MemoryTail:
    def __init__(self, log: MemoryLog, positions: dict[TopicPartition, int]) -> None:
        self._log = log
        self._positions = positions
        self._paused: set[TopicPartition] = set()
        self._closed = False

    async def getmany(self, timeout_ms: int = 500, max_records: int | None = None) -> Batches:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while not self._closed:
            found = self._ready(max_records or 1_000_000)
            left = until - loop.time()
            if found or left <= 0:
                return found
            await self._log.changed(left)
        return {}

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset
        self._log.wake()

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused.difference_update(partitions)
        self._log.wake()

    async def close(self) -> None:
        self._closed = True
        self._log.wake()

    def _ready(self, room: int) -> Batches:
        found: Batches = {}
        if not self._log.available:
            return found
        for tp, position in self._positions.items():
            records = self._log.records(tp.topic, tp.partition)
            if tp in self._paused or position >= len(records) or room <= 0:
                continue
            found[tp] = records[position : position + room]
            room -= len(found[tp])
            self._positions[tp] = found[tp][-1].offset + 1
        return found


class MemoryGroup(MemoryTail):
    def __init__(
        self, log: MemoryLog, group_id: str, instance_id: str, on_assigned: GroupListener, on_revoked: GroupListener
    ) -> None:
        super().__init__(log, {})
        self.instance_id = instance_id
        self._group_id = group_id
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    def revoke(self) -> None:
        gone = frozenset(self._positions)
        self._positions = {}
        self._paused = set()
        if gone:
            self._on_revoked(gone)

    def take(self, partitions: frozenset[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)
        self._paused = set(partitions)
        self._on_assigned(partitions)

    async def close(self) -> None:
        await super().close()
        self._log.leave(self._group_id, self)
