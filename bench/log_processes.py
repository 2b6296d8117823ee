"""The processes of the log's figures: `python -m bench.log_processes ROLE JSON`. Each prints `ready`, then one line of JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from junctor_journal import topics
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import JournalError
from junctor_journal.inputs import Inputs
from junctor_journal.kafka import KafkaLog
from junctor_journal.ledger import NoEffects
from junctor_service.run import loop_factory

from bench.counter import copies, count, new_ledger

TURN = 0.005
"""Seconds between two bursts of the load: what is due is sent at once, so 10 inputs at 2,000 a second."""


class ReadBack(NoEffects):
    """Notes when each entry was read back as valid."""

    def __init__(self, inputs: int) -> None:
        self.at: list[int] = []
        self.latency_ns: list[int] = []
        self._inputs = inputs
        self.done = asyncio.Event()

    def on_entry(self, partition: int, entry: EntryRead, mine: bool) -> None:
        if not mine or entry.body is None:
            return
        now = time.monotonic_ns()
        self.at.append(now)
        self.latency_ns.append(now - entry.body.due_ns)  # type: ignore[attr-defined]
        if len(self.at) == self._inputs:
            self.done.set()


async def owner(bootstrap: str, service: str, inputs: int, relay: bool) -> dict[str, Any]:
    """Owns the partition until so many inputs were read back."""
    log = KafkaLog(bootstrap, client_id="bench-owner")
    await log.start()
    read_back = ReadBack(inputs)
    ledger = new_ledger(service, log, read_back, relay)
    cpu = time.process_time()
    await ledger.start()
    await ledger.wait_ready()
    _say_ready()
    await read_back.done.wait()
    cpu = time.process_time() - cpu
    await ledger.stop()
    await log.stop()
    seconds = (read_back.at[-1] - read_back.at[0]) / 1e9
    return {"rate": (inputs - 1) / seconds, "cpu_us": cpu / inputs * 1e6, "latency_ms": _ms(read_back.latency_ns)}


async def commands(bootstrap: str, service: str, inputs: int, rate: int) -> dict[str, Any]:
    """Asks its own ledger, as the handlers of a service with one instance do; from the moment due to the outcome."""
    log = KafkaLog(bootstrap, client_id="bench-commands")
    await log.start()
    ledger = new_ledger(service, log)
    await ledger.start()
    await ledger.wait_ready()
    while not ledger.owns(0):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    _say_ready()
    latency_ns: list[int] = [0] * inputs
    repeats = 0

    async def ask(number: int, due_ns: int) -> None:
        nonlocal repeats
        while True:
            try:
                await ledger.command(count(number, due_ns), deadline=5)
                break
            except JournalError as error:
                if not error.retryable:
                    raise
                repeats += 1
                await asyncio.sleep(0.1)
        latency_ns[number] = time.monotonic_ns() - due_ns

    late = await _at_rate(inputs, rate, ask)
    await ledger.stop()
    await log.stop()
    return {"latency_ms": _ms(latency_ns), "late_ms": late, "repeats": repeats}


async def load(bootstrap: str, service: str, inputs: int, rate: int) -> dict[str, Any]:
    """Appends inputs at a rate, each when it is due, whatever became of those before."""
    log = KafkaLog(bootstrap, client_id="bench-load")
    await log.start()
    to = Inputs(log, service, 1)
    _say_ready()

    async def tell(number: int, due_ns: int) -> None:
        await to.append(count(number, due_ns))

    late = await _at_rate(inputs, rate, tell)
    await log.stop()
    return {"late_ms": late}


async def backlog(bootstrap: str, service: str, inputs: int) -> dict[str, Any]:
    """Writes so many inputs as fast as it can."""
    log = KafkaLog(bootstrap, client_id="bench-backlog")
    await log.start()
    to = Inputs(log, service, 1)
    _say_ready()
    for first in range(0, inputs, 2_000):
        await asyncio.gather(*(to.append(count(number)) for number in range(first, min(first + 2_000, inputs))))
    await log.stop()
    return {"bytes": len(count(inputs // 2).SerializeToString())}


async def bare(bootstrap: str, service: str, inputs: int, size: int) -> dict[str, Any]:
    """aiokafka alone: reads each input, writes a record of `size` bytes (a journal record's), and commits nothing."""
    source = TopicPartition(topics.inputs(service), 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=0, max_batch_size=900_000
    )
    await consumer.start()
    await producer.start()
    consumer.assign([source])
    consumer.seek(source, 0)
    _say_ready()
    cpu, seen, first = time.process_time(), 0, 0
    written: list[asyncio.Future[Any]] = []
    while seen < inputs:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=500)).values():
            for record in records:
                value = record.value[:size].ljust(size, b"\0")
                written.append(await producer.send(copies(service), value, partition=0))
            seen += len(records)
        if not first and written:
            await written[0]
            first = time.monotonic_ns()
    await asyncio.gather(*written)
    seconds = (time.monotonic_ns() - first) / 1e9
    cpu = time.process_time() - cpu
    await consumer.stop()
    await producer.stop()
    return {"rate": (inputs - 1) / seconds, "cpu_us": cpu / inputs * 1e6}


async def _at_rate(inputs: int, rate: int, send: Any) -> list[float]:
    """Starts input n at n / rate; returns how late each burst was, in milliseconds."""
    start = time.monotonic_ns() + 20_000_000
    sent, late = 0, []
    async with asyncio.TaskGroup() as under_way:
        while sent < inputs:
            due = min(inputs, max(0, (time.monotonic_ns() - start) * rate // 1_000_000_000 + 1))
            for number in range(sent, due):
                under_way.create_task(send(number, start + number * 1_000_000_000 // rate))
            if due > sent:
                late.append((time.monotonic_ns() - start) / 1e6 - sent * 1_000 / rate)
            sent = due
            await asyncio.sleep(TURN)
    return late


def _ms(nanoseconds: list[int]) -> list[float]:
    return [round(value / 1e6, 3) for value in nanoseconds]


def _say_ready() -> None:
    print("ready", flush=True)


ROLES: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "owner": owner,
    "commands": commands,
    "load": load,
    "backlog": backlog,
    "bare": bare,
}

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(ROLES[sys.argv[1]](**json.loads(sys.argv[2])))), flush=True)
