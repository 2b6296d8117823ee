"""Request to offer: from the moment when a request is due to the moment when its offer was read in the journal."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import router_worker
from bench.results_file import Result, Row
from bench.router_site import RouterSite
from bench.samples import summary

RATE, SECONDS, WARM_UP, PASSES = 400, 20, 5, 3
"""Assignments a second; seconds; those left out at the beginning; runs."""
P50_MS, P99_MS = 10, 25
HOW = (
    f"One router process with the Faust pump, {router_worker.CENTRE.agents:,} agents, {RATE} assignments a second with "
    f"{router_worker.INPUTS_EACH} inputs each, all written straight to the inputs topic by another process of the same "
    f"machine, open loop; a sample is the time from the moment when a request was due (so a late sender counts) until the "
    f"other process, following the journal by the reader's rule, held the reservation. {PASSES} runs of {SECONDS} s, the "
    f"first {WARM_UP} s of each left out."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-latency", HOW)
    runs: list[list[float]] = []
    late: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        async with RouterSite(Path(directory), given.ahead) as site:
            result.notes += site.notes
            await router_worker.fill(site, router_worker.CENTRE)
            for number in range(PASSES):
                run = await router_worker.live(site, number * RATE * SECONDS, RATE, SECONDS)
                runs.append([latency for due, latency in run["offer_ms"] if due >= WARM_UP])
                late += run["late_ms"]
    found = summary(value for run in runs for value in run)
    value = f"p50 {found.p50:.1f}, p95 {found.p95:.1f}, p99 {found.p99:.1f} ms ({found.count:,} samples)"
    met = found.p50 <= P50_MS and found.p99 <= P99_MS
    target = f"p50 <= {P50_MS} ms, p99 <= {P99_MS} ms"
    result.rows.append(Row(f"request to offer at {RATE} assignments/s", value, target, met))
    for number, offered in enumerate(runs):
        each = summary(offered)
        result.rows.append(Row(f"- run {number + 1}", f"p50 {each.p50:.1f}, p95 {each.p95:.1f}, p99 {each.p99:.1f} ms"))
    result.rows.append(Row("- how late the sender was", f"p50 {summary(late).p50:.1f}, p99 {summary(late).p99:.1f} ms"))
    result.data |= {"runs": [summary(offered).as_json() for offered in runs], "sender_late": summary(late).as_json()}
    return [result]
