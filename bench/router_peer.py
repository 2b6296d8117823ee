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
    "passes, in turn."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-peer", HOW)
    runs: dict[str, list[float]] = {"router": [], "core": [], "on": [], "off": [], "batch": []}
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
                runs["core"].append(await asyncio.to_thread(_core))
                runs["on"].append(await _peer(server, "router_peer.pgbench", "on"))
                runs["off"].append(await _peer(server, "router_peer.pgbench", "off"))
                runs["batch"].append(BATCH * await _peer(server, "router_peer_batch.pgbench", "off"))
                print(f"  pass {number + 1} of {PASSES} is done", flush=True)
    _tell(result, runs, version)
    return [result]


def _core() -> float:
    """Assignments a second of a new script: the same inputs through the core alone, with its messages, no log."""
    script = Script(CENTRE, TALKING)
    script.inputs(TALKING + 100)
    began = time.perf_counter()
    script.inputs(ASSIGNMENTS)
    return ASSIGNMENTS / (time.perf_counter() - began)


async def _peer(server: PostgresServer, script: str, commit: str) -> float:
    await server.sql(f"ALTER SYSTEM SET synchronous_commit = '{commit}'")
    await server.sql("SELECT pg_reload_conf()")
    readable = await server.script((HERE / script).read_text(), script)
    return max([await server.pgbench(readable, clients, SECONDS) for clients in CLIENTS])


def _tell(result: Result, runs: dict[str, list[float]], version: str) -> None:
    def row(kind: str, about: str) -> None:
        result.rows.append(Row(about, ", ".join(f"{rate:,.0f}" for rate in runs[kind]) + " contacts/s"))

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
    result.data |= {kind: [round(rate, 1) for rate in found] for kind, found in runs.items()}
