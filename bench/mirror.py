"""The mirror between two local sites: from a record's append at one to its being read at the other."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psutil
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicPartition
from junctor_local import places
from junctor_local.kafka import KafkaServer
from junctor_local.mirror import Mirror, copies_of, copy_name

from bench.results_file import Result, Row
from bench.samples import Summary, summary

RATE, WARM_UP, MEASURED = 100, 15, 30
"""Records a second; seconds left out; seconds counted."""
TOPIC, PARTITION = topics.journal("router"), 3
VALUE_BYTES = 400
HOW = (
    f"Two brokers and one MirrorMaker on this machine, all topics that are mirrored, {RATE} records of {VALUE_BYTES} bytes a "
    f"second to one partition, open loop, {WARM_UP} s left out, {MEASURED} s counted. From before the append to the moment "
    "at which a reader of the copy has the record; beside it, in the same run, a reader of the original."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    """The figure `mirror`."""
    declared = topics.mirrored(places.repository() / "topics.yaml")
    with tempfile.TemporaryDirectory(prefix="junctor-bench-") as scratch:
        directory = Path(scratch)
        async with KafkaServer(directory / "a") as a, KafkaServer(directory / "b") as b:
            logs = [KafkaLog(kafka.bootstrap, client_id="bench") for kafka in (a, b)]
            for log in logs:
                await log.start()
            await logs[0].ensure_topics(declared)
            await logs[1].ensure_topics(copies_of("a", declared))
            names = [declaration.name for declaration in declared]
            mirror = Mirror(directory, source=("a", a.bootstrap), target=("b", b.bootstrap), topics=names)
            began = time.monotonic()
            async with mirror:
                started = time.monotonic() - began
                copied, original = await _both(logs[0], logs[1])
                process = psutil.Process(mirror.child.pid)
                memory = process.memory_full_info().pss / 1e6
            for log in logs:
                await log.stop()
    result = Result("mirror", HOW)
    result.rows.append(Row("append to read of the copy, median", f"{copied.p50:.1f} ms", "<= 10 ms", copied.p50 <= 10))
    result.latency("append to read of the copy", copied)
    result.latency("append to read of the original", original)
    result.rows.append(Row("start of the mirror to its first copy", f"{started:.1f} s"))
    result.rows.append(Row("memory of the mirror (PSS)", f"{memory:.0f} MB"))
    result.data = {"copy_ms": copied.as_json(), "original_ms": original.as_json(), "start_s": started, "pss_mb": memory}
    return [result]


async def _both(source: KafkaLog, target: KafkaLog) -> tuple[Summary, Summary]:
    count = RATE * (WARM_UP + MEASURED)
    readers = [
        asyncio.create_task(_read(source, TOPIC, count)),
        asyncio.create_task(_read(target, copy_name("a", TOPIC), count)),
    ]
    began = time.monotonic()
    sends = set()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        value = f"{number} {time.monotonic()!r} ".encode().ljust(VALUE_BYTES, b"x")
        sends.add(task := asyncio.create_task(source.producer().send(TOPIC, b"demo/x", value, partition=PARTITION)))
        task.add_done_callback(sends.discard)
    await asyncio.gather(*sends)
    original, copied = await asyncio.wait_for(asyncio.gather(*readers), 60)
    return copied, original


async def _read(log: KafkaLog, topic: str, count: int) -> Summary:
    tp = TopicPartition(topic, PARTITION)
    tail = await log.tail({tp: 0})
    found: dict[int, float] = {}
    while len(found) < count:
        for record in (await tail.getmany(200)).get(tp, []):
            number, sent, *_ = (record.value or b"").split()
            found.setdefault(int(number), (time.monotonic() - float(sent)) * 1000)
    await tail.close()
    return summary(value for number, value in found.items() if number >= RATE * WARM_UP)
