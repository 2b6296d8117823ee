"""The processes of the router's figures: `python -m bench.router_processes ROLE JSON`. Each prints `ready`, then JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import Record, TopicPartition
from junctor_journal.message_types import unpack
from junctor_journal.reader import JournalReader, Verdict
from junctor_service.run import loop_factory

from bench.router_centre import Centre, completion, extension, next_input, record

TURN = 0.002
"""Seconds between two looks at what is due: at 400 requests a second, about one request each."""
AT_ONCE = 400


class LiveLoad:
    """Appends requests when they are due, whatever became of those before, and follows each contact to its end: every
    next input is made from an event that was read back from the journal."""

    def __init__(self, centre: Centre, first: int, rate: float, seconds: float) -> None:
        self._centre = centre
        self._first = first
        self._rate = rate
        self.count = round(rate * seconds)
        self._due_ns: dict[str, int] = {}
        self._wrapping: set[str] = set()
        self._next: deque[journal_pb2.Input] = deque()
        self._reader = JournalReader()
        self.offered_ns: list[tuple[int, int]] = []
        self.late_ms: list[float] = []
        self.refused: list[str] = []
        self.entries = 0
        self.completed = 0
        self.ended = True
        """Whether every contact was completed, at most a minute late."""
        self.began_ns = 0
        self.last_ns = 0

    async def run(self, log: KafkaLog, inputs: TopicPartition, journal: TopicPartition, after: int) -> None:
        """`after`: the journal's offset from which on the entries count; earlier ones give the reader its place."""
        tail = await log.tail({journal: 0}, wait_ms=500)
        await self._read_up_to(tail, after)
        print("ready", flush=True)
        self.began_ns = time.monotonic_ns() + 50_000_000
        reading = asyncio.create_task(self._read(tail))
        asking = asyncio.create_task(self._ask(log, inputs))
        limit = self.count / self._rate + 60
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(reading, asking)
        except TimeoutError:
            self.ended = False
        finally:
            await tail.close()

    async def _read_up_to(self, tail: Any, after: int) -> None:
        seen = 0
        while seen < after:
            for records in (await tail.getmany(timeout_ms=500, max_records=2_000)).values():
                for found in records:
                    self._reader.see(found.value)
                    seen = found.offset + 1

    async def _read(self, tail: Any) -> None:
        while self.completed < self.count:
            for records in (await tail.getmany(timeout_ms=500, max_records=500)).values():
                self._see(records)

    def _see(self, records: Sequence[Record]) -> None:
        now = time.monotonic_ns()
        for found in records:
            if self._reader.see(found.value) is not Verdict.VALID:
                continue
            entry = self._reader.record.entry
            self.entries += 1
            self.last_ns = now
            if entry.outcome.refusal.code:
                self.refused.append(entry.outcome.refusal.message)
            for packed in entry.events:
                self._follow(unpack(packed), now)

    def _follow(self, event: Any, now: int) -> None:
        match event:
            case pb.ReservationCreated():
                due = self._due_ns.pop(event.contact_id, None)
                if due is not None:
                    self.offered_ns.append((due, now))
            case pb.TaskWrapping():
                if event.contact_id in self._wrapping:
                    self._wrapping.discard(event.contact_id)
                    self._next.append(completion(event.contact_id, event.agent_id))
                else:
                    self._wrapping.add(event.contact_id)
                    self._next.append(extension(event.contact_id, event.agent_id))
                return
            case pb.TaskCompleted():
                self.completed += 1
        follows = next_input(event)
        if follows is not None:
            self._next.append(follows)

    async def _ask(self, log: KafkaLog, inputs: TopicPartition) -> None:
        """One write at a time: what becomes due meanwhile is in the next one."""
        sent = 0
        while self.completed < self.count:
            elapsed = (time.monotonic_ns() - self.began_ns) / 1e9
            due = min(self.count, int(elapsed * self._rate) + 1) if elapsed >= 0 else 0
            batch = [record(self._next.popleft()) for _ in range(min(len(self._next), AT_ONCE))]
            if due > sent:
                self.late_ms.append(elapsed * 1_000 - sent * 1_000 / self._rate)
            for number in range(sent, due):
                self._due_ns[f"c{self._first + number}"] = self.began_ns + round(number * 1e9 / self._rate)
                batch.append(record(self._centre.request(self._first + number)))
            sent = due
            if batch:
                await log.producer().send_many(*inputs, batch)
            else:
                await asyncio.sleep(TURN)


async def live(
    bootstrap: str,
    centre: dict[str, Any],
    inputs: list[Any],
    journal: list[Any],
    after: int,
    first: int,
    rate: float,
    seconds: float,
) -> dict[str, Any]:
    log = KafkaLog(bootstrap, client_id="bench-live")
    await log.start()
    load = LiveLoad(Centre(**centre), first, rate, seconds)
    cpu = time.process_time()
    try:
        await load.run(log, TopicPartition(*inputs), TopicPartition(*journal), after)
    finally:
        await log.stop()
    return {
        "assignments": load.completed,
        "ended": load.ended,
        "entries": load.entries,
        "seconds": (load.last_ns - load.began_ns) / 1e9,
        "refused": load.refused[:5],
        "late_ms": [round(value, 3) for value in load.late_ms],
        "offer_ms": [
            [round((due - load.began_ns) / 1e9, 3), round((seen - due) / 1e6, 3)] for due, seen in load.offered_ns
        ],
        "cpu_seconds": time.process_time() - cpu,
    }


async def bare(bootstrap: str, inputs: list[Any], offset: int, count: int, copies: str, size: int) -> dict[str, Any]:
    """aiokafka alone: reads each input, writes a record of `size` bytes (a journal record's), and commits nothing."""
    source = KafkaPartition(*inputs)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=0, max_batch_size=900_000
    )
    await consumer.start()
    await producer.start()
    consumer.assign([source])
    consumer.seek(source, offset)
    print("ready", flush=True)
    cpu, seen, began = time.process_time(), 0, 0
    written: list[Any] = []
    while seen < count:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=500)).values():
            began = began or time.monotonic_ns()
            batch = producer.create_batch()
            for found in records:
                value = found.value[:size].ljust(size, b"\0")
                if batch.append(key=None, value=value, timestamp=None) is None:
                    written.append(await producer.send_batch(batch, copies, partition=0))
                    batch = producer.create_batch()
                    batch.append(key=None, value=value, timestamp=None)
            written.append(await producer.send_batch(batch, copies, partition=0))
            seen += len(records)
    await asyncio.gather(*written)
    seconds = (time.monotonic_ns() - began) / 1e9
    cpu = time.process_time() - cpu
    await consumer.stop()
    await producer.stop()
    return {"rate": seen / seconds, "cpu_us": cpu / seen * 1e6}


ROLES: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {"live": live, "bare": bare}

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(ROLES[sys.argv[1]](**json.loads(sys.argv[2])))), flush=True)
