"""The log library on Kafka: how soon an input's outcome is read back, and how many inputs a second one owner applies."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicPartition
from junctor_local import places
from junctor_local.kafka import KafkaServer

from bench.counter import declarations
from bench.results_file import Result, Row
from bench.samples import summary

RATE, WARM_UP, MEASURED = 2_000, 3, 8
"""Inputs a second; seconds left out; seconds counted."""
BACKLOG, PASSES = 40_000, 3
JOURNAL_BYTES = 474
"""The mean size of the journal's records for these inputs; what it was in the run is among the data."""
HOW = (
    f"One partition, one broker, inputs of about 300 bytes, {PASSES} passes, the kinds interleaved. Latency at {RATE:,} "
    f"inputs/s, open loop (from the moment an input was due, so a late sender counts), {WARM_UP} s left out, {MEASURED} s "
    f"counted. Backlog: {BACKLOG:,} inputs, from the first outcome to the last; the owner applies, appends one record per "
    "input, reads it back, applies it again as its follower and compares; the relay publishes its event. The bare loop "
    f"reads the same inputs with aiokafka and writes a record of {JOURNAL_BYTES} bytes for each, no more."
)


class Process:
    """One of log_processes.py."""

    MODULE = "bench.log_processes"

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @classmethod
    async def start(cls, role: str, **arguments: Any) -> Process:
        """Returns when it says that it is ready."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            cls.MODULE,
            role,
            json.dumps(arguments),
            stdout=asyncio.subprocess.PIPE,
            cwd=places.repository(),
            limit=1 << 26,
        )
        found = cls(child)
        await found._line()
        return found

    async def end(self, within: float = 180) -> dict[str, Any]:
        try:
            async with asyncio.timeout(within):
                answer: dict[str, Any] = json.loads(await self._line())
                await self._child.wait()
                return answer
        except BaseException:
            if self._child.returncode is None:
                self._child.kill()
            raise

    async def _line(self) -> bytes:
        assert self._child.stdout is not None
        line = await self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the bench ended with {await self._child.wait()}")
        return line


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("log", HOW)
    with tempfile.TemporaryDirectory() as directory:
        async with KafkaServer(Path(directory)) as kafka:
            runs = await _passes(kafka.bootstrap)
    _tell(result, runs)
    return [result]


async def _passes(bootstrap: str) -> dict[str, list[dict[str, Any]]]:
    log = KafkaLog(bootstrap, client_id="bench")
    await log.start()
    runs: dict[str, list[dict[str, Any]]] = {"read back": [], "command": [], "owner": [], "unrelayed": [], "bare": []}
    try:
        for number in range(PASSES):
            service = f"told{number}"
            await log.ensure_topics(declarations(service))
            runs["read back"].append(await _read_back(bootstrap, service))
            service = f"asked{number}"
            await log.ensure_topics(declarations(service))
            inputs = RATE * (WARM_UP + MEASURED)
            asked = await Process.start("commands", bootstrap=bootstrap, service=service, inputs=inputs, rate=RATE)
            runs["command"].append(_counted(await asked.end()))
            await _backlog(log, bootstrap, number, runs)
            print(f"  pass {number + 1} of {PASSES} is done", flush=True)
    finally:
        await log.stop()
    return runs


async def _read_back(bootstrap: str, service: str) -> dict[str, Any]:
    inputs = RATE * (WARM_UP + MEASURED)
    owner = await Process.start("owner", bootstrap=bootstrap, service=service, inputs=inputs, relay=True)
    load = await Process.start("load", bootstrap=bootstrap, service=service, inputs=inputs, rate=RATE)
    late = (await load.end())["late_ms"]
    return _counted(await owner.end() | {"late_ms": late})


def _counted(run: dict[str, Any]) -> dict[str, Any]:
    run["latency_ms"] = run["latency_ms"][RATE * WARM_UP :]
    return run


async def _backlog(log: KafkaLog, bootstrap: str, number: int, runs: dict[str, list[dict[str, Any]]]) -> None:
    """The owner with and without relay, each with a journal of its own, and the bare loop; another order in each pass."""
    with_relay, without = f"backlog{number}", f"unrelayed{number}"
    for service in (with_relay, without):
        await log.ensure_topics(declarations(service))
        writer = await Process.start("backlog", bootstrap=bootstrap, service=service, inputs=BACKLOG)
        await writer.end()
    order = ["owner", "unrelayed", "bare"]
    for kind in order[number:] + order[:number]:
        if kind == "bare":
            bare = await Process.start(
                "bare", bootstrap=bootstrap, service=with_relay, inputs=BACKLOG, size=JOURNAL_BYTES
            )
            runs[kind].append(await bare.end() | {"bytes": JOURNAL_BYTES})
            continue
        service = with_relay if kind == "owner" else without
        owner = await Process.start(
            "owner", bootstrap=bootstrap, service=service, inputs=BACKLOG, relay=kind == "owner"
        )
        found = await owner.end()
        del found["latency_ms"]
        runs[kind].append(found | {"journal_bytes": await _mean_size(log, topics.journal(service))})


async def _mean_size(log: KafkaLog, topic: str) -> float:
    tail = await log.tail({TopicPartition(topic, 0): 0})
    sizes: list[int] = []
    while not sizes:
        for records in (await tail.getmany(timeout_ms=1_000, max_records=2_000)).values():
            sizes += [len(record.value or b"") for record in records]
    await tail.close()
    return round(statistics.mean(sizes), 1)


def _tell(result: Result, runs: dict[str, list[dict[str, Any]]]) -> None:
    kinds = {
        "read back": f"input of another process to its entry read back by the owner, {RATE:,}/s",
        "command": f"`Ledger.command` in the owner's process to its outcome, {RATE:,}/s",
    }
    for kind, about in kinds.items():
        samples = [value for run in runs[kind] for value in run["latency_ms"]]
        result.latency(about, summary(samples))
        result.data[kind] = {
            "all": summary(samples).as_json(),
            "passes": [summary(run["latency_ms"]).as_json() for run in runs[kind]],
            "sender_late_ms": [summary(run["late_ms"]).as_json() for run in runs[kind]],
            "repeats": [run.get("repeats", 0) for run in runs[kind]],
        }
    for kind, about in (
        ("owner", "backlog, owner with relay"),
        ("unrelayed", "backlog, owner without relay"),
        ("bare", "backlog, bare aiokafka loop"),
    ):
        rates = ", ".join(f"{run['rate']:,.0f}" for run in runs[kind])
        cpu = statistics.median(run["cpu_us"] for run in runs[kind])
        result.rows.append(Row(about, f"{rates} inputs/s; {cpu:,.0f} us of CPU for each"))
        result.data[kind] = [{name: round(value, 1) for name, value in run.items()} for run in runs[kind]]
    ratios = [own["rate"] / bare["rate"] for own, bare in zip(runs["owner"], runs["bare"], strict=True)]
    result.rows.append(Row("owner with relay / bare loop", ", ".join(f"{ratio:.2f}" for ratio in ratios)))
