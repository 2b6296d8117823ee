"""The peer: a queue in PostgreSQL with `FOR UPDATE SKIP LOCKED`, beside a router that does the same single-skill work."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench import router_worker
from bench.postgres import PostgresServer
from bench.results_file import Result, Row
from bench.router_centre import Centre
from bench.router_script import Script
from bench.router_site import RouterSite

CENTRE = Centre(agents=2_000, queues=1, attributes=1)
TALKING = 800
ASSIGNMENTS, PASSES = 6_000, 2
CLIENTS = (8, 32)
SECONDS, BATCH = 5, 100
TIMES = 10
HERE = Path(__file__).parent
HOW = (
    f"One skill, {CENTRE.agents:,} agents, the longest idle first, five requests for each contact: request with its match, "
    "accept, end, extend the wrap-up, complete with the freed agent's next match. PostgreSQL (its own server on the same "
    "machine, default settings): each request a transaction with its statement prepared, partial indexes for idle agents and "
    f"waiting contacts, driven by pgbench, the better of {' and '.join(map(str, CLIENTS))} connections; with "
    f"synchronous_commit on (the default) and off; and once {BATCH} contacts to a statement. Router: the whole process on "
    f"Kafka as in `router_worker`, a backlog of {ASSIGNMENTS:,} contacts; and its core alone in this process. {PASSES} "
    "passes, in turn. CPU: of the router and its broker, and of all of PostgreSQL's processes, without whoever asks them. "
    "Neither a record on one broker nor a commit with synchronous_commit off waits for the disk; a commit with it on does."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-peer", HOW)
    runs: dict[str, list[float]] = {"router": [], "core": [], "on": [], "off": [], "batch": []}
    cpu: dict[str, list[float]] = {"router": [], "on": [], "off": [], "batch": []}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        async with PostgresServer(folder) as server, RouterSite(folder, given.ahead) as site:
            result.notes += site.notes
            version = await server.version()
            await server.sql((HERE / "router_peer.sql").read_text())
            await router_worker.fill(site, CENTRE)
            script = Script(CENTRE, TALKING)
            for number in range(PASSES):
                run = await router_worker.backlog(site, script, "faust", ASSIGNMENTS)
                runs["router"].append(run["rate"] * run["assignments"] / run["inputs"])
                cpu["router"].append((run["cpu_us"] + run["broker_cpu_us"]) * run["inputs"] / run["assignments"])
                runs["core"].append(await asyncio.to_thread(_core))
                for kind, name, commit, contacts in (
                    ("on", "router_peer.pgbench", "on", 1),
                    ("off", "router_peer.pgbench", "off", 1),
                    ("batch", "router_peer_batch.pgbench", "off", BATCH),
                ):
                    rate, cpu_us = await _peer(server, name, commit)
                    runs[kind].append(rate * contacts)
                    cpu[kind].append(cpu_us / contacts)
                print(f"  pass {number + 1} of {PASSES} is done", flush=True)
    _tell(result, runs, cpu, version)
    return [result]


def _core() -> float:
    """Assignments a second of a new script: the same inputs through the core alone, with its messages, no log."""
    script = Script(CENTRE, TALKING)
    script.inputs(TALKING + 100)
    began = time.perf_counter()
    script.inputs(ASSIGNMENTS)
    return ASSIGNMENTS / (time.perf_counter() - began)


async def _peer(server: PostgresServer, script: str, commit: str) -> tuple[float, float]:
    """Runs of the script a second, and the server's CPU for each (us); of the number of connections with the higher rate."""
    await server.sql(f"ALTER SYSTEM SET synchronous_commit = '{commit}'")
    await server.sql("SELECT pg_reload_conf()")
    readable = await server.script((HERE / script).read_text(), script)
    found = []
    for clients in CLIENTS:
        cpu = server.cpu_seconds()
        rate = await server.pgbench(readable, clients, SECONDS)
        found.append((rate, (server.cpu_seconds() - cpu) / (rate * SECONDS) * 1e6))
    return max(found)


def _tell(result: Result, runs: dict[str, list[float]], cpu: dict[str, list[float]], version: str) -> None:
    def row(kind: str, about: str) -> None:
        value = ", ".join(f"{rate:,.0f}" for rate in runs[kind]) + " contacts/s"
        if kind in cpu:
            value += f"; {', '.join(f'{each:,.0f}' for each in cpu[kind])} us of CPU for each"
        result.rows.append(Row(about, value))

    row("router", "router on Kafka")
    row("core", "the router's core alone")
    row("on", f"PostgreSQL {version}, synchronous_commit on (default)")
    row("off", "PostgreSQL, synchronous_commit off")
    row("batch", f"PostgreSQL, off, {BATCH} contacts to a statement")
    middle = {kind: statistics.median(found) for kind, found in runs.items()}
    ratio = middle["router"] / middle["on"]
    result.rows.append(Row("router on Kafka / PostgreSQL (default)", f"{ratio:.2f}", f">= {TIMES}", ratio >= TIMES))
    result.rows.append(Row("router on Kafka / PostgreSQL (off)", f"{middle['router'] / middle['off']:.2f}"))
    result.rows.append(Row("core alone / PostgreSQL (default)", f"{middle['core'] / middle['on']:.2f}"))
    result.rows.append(Row("core alone / PostgreSQL (off)", f"{middle['core'] / middle['off']:.2f}"))
    used = {kind: statistics.median(found) for kind, found in cpu.items()}
    for kind, about in (("on", "default"), ("off", "off")):
        ratio = used[kind] / used["router"]
        result.rows.append(Row(f"CPU for a contact: PostgreSQL ({about}) / router on Kafka", f"{ratio:.2f}"))
    result.data |= {kind: [round(rate, 1) for rate in found] for kind, found in runs.items()}
    result.data["cpu_us"] = {kind: [round(each, 1) for each in found] for kind, found in cpu.items()}
