"""The router's worker on Kafka: how many inputs a second one process applies, beside the plain pump and a bare loop."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from junctor.router.v1 import router_pb2 as pb
from junctor_journal import topics
from junctor_journal.log import TopicDeclaration, TopicPartition
from junctor_journal.reader import JournalReader, Verdict
from junctor_journal.record import type_of

from bench.log import Process as LogProcess
from bench.results_file import Result, Row
from bench.router_centre import PRINCIPAL, Centre, record
from bench.router_script import Script
from bench.router_site import RouterProcess, RouterSite, until
from bench.samples import summary

CENTRE = Centre(agents=2_000, queues=100, attributes=60)
TALKING = 800
ASSIGNMENTS, PASSES = 8_000, 3
"""Assignments of a backlog; times that each kind is run."""
SUSTAINED, SECONDS = 1_500, 30
"""Assignments a second, and for how long."""
TARGET = 1_500
INPUTS_EACH = 5
COPIES = "junctor.router.copies.v1"
HOW = (
    f"One pool, so one partition and one owner; {CENTRE.agents:,} agents, {CENTRE.queues} queues, {CENTRE.attributes} "
    f"attributes; the whole router process (`python -m junctor_router`) on one broker of the same machine. Five inputs an "
    "assignment: request, accept, end, extend the wrap-up, complete, all written straight to the inputs topic. Backlog: "
    f"{ASSIGNMENTS:,} assignments whose inputs were made beforehand, from the first journal record to the moment when the "
    f"last record is written and its events are published; {PASSES} passes, the kinds in turn. The bare loop reads the same "
    "inputs and writes a record of a journal record's mean size for each, in batches, and does nothing else. Sustained: "
    "requests when they are due, every next input made by another process from an event that it read in the journal."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-worker", HOW)
    with tempfile.TemporaryDirectory() as directory:
        async with RouterSite(Path(directory), given.ahead) as site:
            result.notes += site.notes
            await fill(site, CENTRE)
            await site.log.ensure_topics([TopicDeclaration(COPIES, 1)])
            script = Script(CENTRE, TALKING)
            runs: dict[str, list[dict[str, Any]]] = {"faust": [], "plain": [], "bare": []}
            for number in range(PASSES):
                order = ["faust", "plain"] if number % 2 == 0 else ["plain", "faust"]
                for pump in order:
                    runs[pump].append(await backlog(site, script, pump))
                size = round(statistics.mean(runs["faust"][-1]["sizes"]))
                runs["bare"].append(await _bare(site, runs["faust"][-1], size))
                rates = ", ".join(f"{kind} {found[-1]['rate']:,.0f}" for kind, found in runs.items())
                print(f"  pass {number + 1} of {PASSES} is done: {rates} inputs/s", flush=True)
            sustained = await live(site, script.contacts, SUSTAINED, SECONDS)
    _tell(result, runs, sustained)
    return [result]


async def fill(site: RouterSite, centre: Centre) -> None:
    """The directory's values are applied and every agent is logged in; no router runs then."""
    await site.configure(centre.values())
    router = await site.spawn()
    values = centre.agents + 2 * centre.queues + centre.attributes
    await until(lambda: _end(site, site.journal, values + 2), 120, "journal of the configuration")
    log_ins = [record(input) for input in centre.log_ins()]
    before = await _end(site, site.journal)
    await site.log.producer().send_many(*site.inputs, log_ins)
    await until(lambda: _end(site, site.journal, before + len(log_ins)), 120, "journal of the log-ins")
    await router.stop()


async def _end(site: RouterSite, tp: TopicPartition, at_least: int = 0) -> int:
    """The partition's end; 0 where it is below `at_least`."""
    end = (await site.log.end_offsets([tp]))[tp]
    return end if end >= at_least else 0


async def backlog(site: RouterSite, script: Script, pump: str, assignments: int = ASSIGNMENTS) -> dict[str, Any]:
    inputs = script.inputs(assignments)
    expected_events = script.events
    records = [record(input) for input in inputs]
    before = await _end(site, site.journal)
    router = await site.spawn(pump=pump)
    claimed = await until(lambda: _end(site, site.journal, before + 1), 60, "claim")
    events = TopicPartition(topics.events("router"), site.partition)
    events_before = await _end(site, events)
    first_input = await _end(site, site.inputs)
    cpu, broker_cpu = router.cpu_seconds(), site.broker_cpu_seconds()
    await site.log.producer().send_many(*site.inputs, records)
    await until(lambda: _end(site, site.journal, claimed + 1), 60, "first record", every=0.002)
    began = time.monotonic()
    await until(lambda: _end(site, site.journal, claimed + len(records)), 300, "journal of the backlog")
    decided = time.monotonic() - began
    await until(lambda: _end(site, events, events_before + expected_events), 300, "event of each decision")
    seconds = time.monotonic() - began
    cpu, broker_cpu = router.cpu_seconds() - cpu, site.broker_cpu_seconds() - broker_cpu
    memory = router.memory_mb()
    await router.stop()
    found = await _check(site, claimed, len(records))
    return {
        "rate": len(records) / seconds,
        "decided": len(records) / decided,
        "cpu_us": cpu / len(records) * 1e6,
        "broker_cpu_us": broker_cpu / len(records) * 1e6,
        "memory_mb": memory,
        "first_input": first_input,
        "inputs": len(records),
        **found,
    }


async def _check(site: RouterSite, after: int, inputs: int) -> dict[str, Any]:
    """Every input was applied and none refused; the sizes of the journal's records."""
    tail = await site.log.tail({site.journal: 0}, wait_ms=50)
    reader = JournalReader()
    sizes: list[int] = []
    events: Counter[str] = Counter()
    end = await _end(site, site.journal)
    offset = 0
    while offset < end:
        for records in (await tail.getmany(timeout_ms=500, max_records=2_000)).values():
            for found in records:
                offset = found.offset + 1
                if reader.see(found.value) is not Verdict.VALID or found.offset < after:
                    continue
                entry = reader.record.entry
                if entry.input.principal != PRINCIPAL:
                    continue
                if entry.outcome.refusal.code:
                    raise RuntimeError(f"an input of the backlog was refused: {entry.outcome.refusal.message}")
                sizes.append(len(found.value or b""))
                events.update(type_of(packed).rpartition(".")[2] for packed in entry.events)
    await tail.close()
    if len(sizes) != inputs:
        raise RuntimeError(f"{inputs} inputs were written and {len(sizes)} applied")
    return {"sizes": sizes, "assignments": events[pb.ReservationAccepted.DESCRIPTOR.name]}


async def _bare(site: RouterSite, run: dict[str, Any], size: int) -> dict[str, Any]:
    child = await Process.start(
        "bare",
        bootstrap=site.kafka.bootstrap,
        inputs=list(site.inputs),
        offset=run["first_input"],
        count=run["inputs"],
        copies=COPIES,
        size=size,
    )
    return await child.end() | {"size": size}


async def live(site: RouterSite, first: int, rate: float, seconds: float, pump: str = "faust") -> dict[str, Any]:
    """A router and a live load; what the load's process tells, with the router's CPU and memory."""
    before = await _end(site, site.journal)
    router = await site.spawn(pump=pump)
    claimed = await until(lambda: _end(site, site.journal, before + 1), 60, "claim")
    return await load(site, router, claimed, first, rate, seconds)


async def load(
    site: RouterSite,
    router: RouterProcess,
    after: int,
    first: int,
    rate: float,
    seconds: float,
    centre: Centre = CENTRE,
) -> dict[str, Any]:
    child = await Process.start(
        "live",
        bootstrap=site.kafka.bootstrap,
        centre=asdict(centre),
        inputs=list(site.inputs),
        journal=list(site.journal),
        after=after,
        first=first,
        rate=rate,
        seconds=seconds,
    )
    cpu = router.cpu_seconds()
    found = await child.end(seconds + 120)
    found |= {"router_cpu_seconds": router.cpu_seconds() - cpu, "memory_mb": router.memory_mb()}
    await router.stop()
    if found["refused"]:
        raise RuntimeError(f"inputs of the load were refused: {found['refused']}")
    return found


class Process(LogProcess):
    """One of router_processes.py."""

    MODULE = "bench.router_processes"


def _tell(result: Result, runs: dict[str, list[dict[str, Any]]], sustained: dict[str, Any]) -> None:
    for kind, about in (
        ("faust", "backlog, router with the Faust pump"),
        ("plain", "backlog, router with the plain aiokafka pump"),
        ("bare", "backlog, bare consume-produce loop without a core"),
    ):
        rates = ", ".join(f"{run['rate']:,.0f}" for run in runs[kind])
        cpu = statistics.median(run["cpu_us"] for run in runs[kind])
        value = f"{rates} inputs/s; {cpu:,.0f} us of CPU for each"
        if kind == "faust":
            each = [run["rate"] * run["assignments"] / run["inputs"] for run in runs[kind]]
            value += f"; {', '.join(f'{rate:,.0f}' for rate in each)} assignments/s"
            met = statistics.median(each) >= TARGET
            result.rows.append(Row(about, value, f">= {TARGET:,} assignments/s", met))
        else:
            result.rows.append(Row(about, value))
        result.data[kind] = [
            {name: round(found, 1) for name, found in run.items() if not isinstance(found, list)} for run in runs[kind]
        ]
    for kind in ("faust", "plain"):
        ratios = [own["rate"] / bare["rate"] for own, bare in zip(runs[kind], runs["bare"], strict=True)]
        result.rows.append(Row(f"{kind} / bare", ", ".join(f"{ratio:.3f}" for ratio in ratios)))
    rate = sustained["assignments"] / sustained["seconds"]
    offers = [latency for _, latency in sustained["offer_ms"]]
    value = f"{rate:,.0f} assignments/s ({sustained['entries'] / sustained['seconds']:,.0f} inputs/s) over "
    value += f"{sustained['seconds']:.1f} s; request to offer p50 {summary(offers).p50:.0f}, p99 {summary(offers).p99:.0f} ms"
    met = sustained["ended"] and rate >= 0.97 * SUSTAINED
    result.rows.append(Row(f"sustained at {SUSTAINED:,} assignments/s", value, f"{SUSTAINED:,} assignments/s", met))
    result.data["sustained"] = {
        "rate": rate,
        "offer": summary(offers).as_json(),
        "sender_late": summary(sustained["late_ms"]).as_json(),
        "router_cpu_us": sustained["router_cpu_seconds"] / sustained["entries"] * 1e6,
        "load_cpu_seconds": sustained["cpu_seconds"],
        "memory_mb": sustained["memory_mb"],
    }
