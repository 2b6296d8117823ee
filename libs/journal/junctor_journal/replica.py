"""A compacted state topic in memory: whole values by `<tenant>/<kind>/<id>`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Log, Record, TopicPartition
from junctor_journal.topics import partition_of_key

log = logging.getLogger(__name__)

Value = TypeVar("Value", bound=Message)

_RETRY_SECONDS = 0.5
_MODULUS = 1 << 64


class StateItem(NamedTuple, Generic[Value]):
    """`offset` is the record's: it grows with each change of the value."""

    tenant: str
    kind: str
    id: str
    value: Value
    offset: int


class Replica(Generic[Value]):
    """Keeps itself up to date. Listeners are called in the topic's order, also while it is read the first time."""

    def __init__(self, log: Log, topic: str, value: type[Value]) -> None:
        self._log = log
        self._topic = topic
        self._value = value
        self._items: dict[tuple[str, str, str], StateItem[Value]] = {}
        self._digests: dict[tuple[str, str, str], int] = {}
        self._sum = 0
        self._listeners: list[Callable[[StateItem[Value], bool], None]] = []
        self._ready = asyncio.Event()
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """True once the topic was read to the end that it had at the start."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Reads the topic to its end, however long Kafka is away; then goes on in the background."""
        self._task = asyncio.create_task(self._run(), name=f"replica {self._topic}")
        await self._ready.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def get(self, tenant: str, kind: str, id: str) -> StateItem[Value] | None:
        return self._items.get((tenant, kind, id))

    def all(self, kind: str, tenant: str | None = None) -> list[StateItem[Value]]:
        """By tenant and id."""
        found = [item for item in self._items.values() if item.kind == kind and tenant in {None, item.tenant}]
        return sorted(found, key=lambda item: (item.tenant, item.id))

    @property
    def digest(self) -> str:
        """Equal where all values are, whenever and in whatever order they came: 16 hexadecimal digits."""
        return f"{self._sum:016x}"

    def listen(self, listener: Callable[[StateItem[Value], bool], None]) -> Callable[[], None]:
        """Calls `listener(item, deleted)` with each change; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except asyncio.CancelledError:
                raise
            except LogUnavailable as error:
                log.warning("a state topic cannot be read now", extra={"topic": self._topic, "error": str(error)})
            except Exception:
                log.exception("reading a state topic failed", extra={"topic": self._topic})
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        count = await self._log.partitions(self._topic)
        if count == 0:
            raise LogUnavailable(f"there is no topic {self._topic}")
        tps = [TopicPartition(self._topic, partition) for partition in range(count)]
        begin, end = await self._log.begin_offsets(tps), await self._log.end_offsets(tps)
        tail = await self._log.tail({tp: self._positions.get(tp, begin[tp]) for tp in tps})
        try:
            while True:
                if not self._ready.is_set() and all([await tail.position(tp) >= end[tp] for tp in tps]):
                    self._ready.set()
                found = await tail.getmany(timeout_ms=1_000 if self._ready.is_set() else 100, max_records=1_000)
                for tp, records in found.items():
                    for record in records:
                        self._see(record)
                    self._positions[tp] = records[-1].offset + 1
        finally:
            await asyncio.shield(tail.close())

    def _see(self, record: Record) -> None:
        parts = (record.key or b"").decode(errors="replace").split("/", 2)
        if len(parts) != 3:
            log.warning(
                "a state record has no key of three parts", extra={"topic": self._topic, "offset": record.offset}
            )
            return
        key = (parts[0], parts[1], parts[2])
        self._weigh(key, record)
        if record.value is None:
            gone = self._items.pop(key, None)
            if gone is not None:
                self._tell(gone._replace(offset=record.offset), True)
            return
        try:
            item = StateItem(*key, self._value.FromString(record.value), record.offset)
        except DecodeError:
            log.warning("a state record does not parse", extra={"topic": self._topic, "offset": record.offset})
            return
        self._items[key] = item
        self._tell(item, False)

    def _weigh(self, key: tuple[str, str, str], record: Record) -> None:
        """The digest is the sum of the values' (modulo 2^64), so that it costs only what changes."""
        self._sum -= self._digests.pop(key, 0)
        if record.value is not None:
            digest = hashlib.blake2b((record.key or b"") + b"\0" + record.value, digest_size=8).digest()
            self._digests[key] = int.from_bytes(digest, "big")
            self._sum += self._digests[key]
        self._sum %= _MODULUS

    def _tell(self, item: StateItem[Value], deleted: bool) -> None:
        for listener in list(self._listeners):
            try:
                listener(item, deleted)
            except Exception:
                log.exception("a listener of a state topic failed", extra={"topic": self._topic})


class StateWriter:
    """Writes whole values. Raises `LogUnavailable` (a retry helps), `RecordTooLarge`."""

    def __init__(self, log: Log, topic: str) -> None:
        self._log = log
        self._topic = topic
        self._partitions = 0

    async def put(self, tenant: str, kind: str, id: str, value: Message) -> int:
        return await self._write(tenant, kind, id, value.SerializeToString(deterministic=True))

    async def delete(self, tenant: str, kind: str, id: str) -> int:
        """Readers drop the value; compaction forgets it."""
        return await self._write(tenant, kind, id, None)

    async def _write(self, tenant: str, kind: str, id: str, value: bytes | None) -> int:
        for part in (tenant, kind):
            if not part or "/" in part:
                raise ValueError(f"{part!r} cannot be a part of a state key")
        if not self._partitions:
            self._partitions = await self._log.partitions(self._topic)
            if not self._partitions:
                raise LogUnavailable(f"there is no topic {self._topic}")
        key = f"{tenant}/{kind}/{id}".encode()
        return await self._log.producer().send(
            self._topic, key, value, partition=partition_of_key(key, self._partitions)
        )
