"""The router's core alone: inputs per second through its fold with all outputs, the match step, pauses, and memory.

How times are taken is said in `router_passes`.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
from multiprocessing.connection import Connection

import psutil
from junctor_router.adapters.huge_pages import HugePages

from bench.results_file import Result, Row
from bench.router_load import HASH_EVERY, Load, Size, pool_of
from bench.router_passes import Measured, State, passes
from bench.samples import summary

INPUTS, PASSES = 20_000, 3
CHANGE_INPUTS, MORE_INPUTS = 5_000, 20_000
RATE, MATCH_US, SLOWEST_MS, MEMORY_MB = 20_000, 50, 20, 600
HOW = (
    f"PoolsFold.apply, from an input's protobuf body to its outcome and events as bytes, one thread, no log; the state's hash "
    f"every {HASH_EVERY:,} inputs counts with the input that it follows. {INPUTS:,} inputs, {PASSES} passes over the same ones "
    "from the same restored state; each input's time is its least, in time of the processor (what other programs take in "
    "between is left out, what they take by sharing caches and cores is not). Match step: matching.settle, the search with the "
    "reservation that it leads to. Five inputs an assignment: request, accept, end, complete, and breaks, rejections, ticks. "
    "Memory is in large pages, as the router's process has it some seconds after its start. "
    "All agents busy: a freed agent looks for its contact. Agents idle: a contact looks for its agent."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router_core", HOW)
    size = Size()
    result.data["size"] = {name: getattr(size, name) for name in size.__slots__}
    for busy in (True, False):
        state = State.of(size, busy)
        _report(result, "all agents busy" if busy else "agents idle", passes(state, INPUTS, PASSES))
        if busy:
            _change(result, passes(state, CHANGE_INPUTS, PASSES, change=True))
            _memory(result, state)
    return [result]


def _report(result: Result, about: str, found: Measured) -> None:
    rate, match, slowest = found.per_second, summary(found.matches), max(found.inputs) / 1e3
    value = f"p50 {match.p50:.1f}, p99 {match.p99:.1f}, largest {match.largest:.1f} us ({match.count:,})"
    rows = result.rows
    rows.append(Row(f"{about}: inputs/s", f"{rate:,.0f}", f">= {RATE:,}", rate >= RATE))
    rows.append(Row(f"{about}: match step", value, f"p99 <= {MATCH_US} us", match.p99 <= MATCH_US))
    rows.append(
        Row(f"{about}: slowest input", f"{slowest:.2f} ms", f"none over {SLOWEST_MS} ms", slowest <= SLOWEST_MS)
    )
    for kind, times in found.by_kind().items():
        rows.append(Row(f"- {kind}", f"p50 {times.p50:.1f}, p99 {times.p99:.1f} us ({times.count:,})"))
    pauses = ", ".join(f"{ms:.1f}" for ms in found.pauses)
    slow = ", ".join(f"{ms:.1f}" for ms in found.slowest_of_a_pass)
    rows.append(Row("- longest pause of the cyclic collector, by pass", f"{pauses} ms"))
    rows.append(Row("- slowest input of each pass", f"{slow} ms"))
    result.data[about] = {
        "inputs_per_second": round(rate),
        "match_us": match.as_json(),
        "slowest_ms": round(slowest, 3),
        "inputs_us": {kind: times.as_json() for kind, times in found.by_kind().items()},
        "collector_ms": found.pauses,
        "slowest_of_each_pass_ms": found.slowest_of_a_pass,
    }


def _change(result: Result, found: Measured) -> None:
    slowest = max(found.inputs) / 1e3
    what = f"an attribute's type changes, which touches all who wait: slowest of {CHANGE_INPUTS:,} inputs"
    result.rows.append(Row(what, f"{slowest:.2f} ms", f"none over {SLOWEST_MS} ms", slowest <= SLOWEST_MS))
    result.rows.append(Row("- the change itself", f"{found.inputs[0] / 1e3:.2f} ms"))
    result.data["change"] = {"slowest_ms": slowest, "change_ms": found.inputs[0] / 1e3}


def _memory(result: Result, state: State) -> None:
    """In a process of its own that has nothing but the state."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_hold, args=(there, state))
    process.start()
    there.close()
    found = here.recv()
    process.join()
    most, first, rows = max(found["whole_mb"], found["later_mb"]), found["first_hash_ms"], result.rows
    rows.append(Row("memory of a process with the state", f"{most:,.0f} MB", f"<= {MEMORY_MB} MB", most <= MEMORY_MB))
    rows.append(Row("- of which interpreter and modules", f"{found['modules_mb']:,.0f} MB"))
    rows.append(Row("- right after the restore", f"{found['whole_mb']:,.0f} MB"))
    rows.append(Row(f"- after {MORE_INPUTS:,} inputs more", f"{found['later_mb']:,.0f} MB"))
    rows.append(Row("- snapshot of the state", f"{sum(map(len, state.pieces)) / 1e6:.1f} MB"))
    rows.append(Row("- restored in", f"{found['restored_s']:.1f} s of the processor"))
    rows.append(Row("first hash of the restored state", f"{first:.2f} ms", f"<= {SLOWEST_MS} ms", first <= SLOWEST_MS))
    result.data["memory"] = found


def _hold(answer: Connection, state: State) -> None:
    process = psutil.Process()
    modules = process.memory_full_info().uss - sum(map(len, state.pieces))
    began = time.process_time()
    fold = state.load()
    restored = time.process_time() - began
    state.pieces.clear()
    gc.collect()
    HugePages().collapse()
    whole = process.memory_full_info().uss
    began = time.process_time()
    pool_of(fold).hash()
    hashed = time.process_time() - began
    load = Load(fold, 7, lambda kind, ns: None)
    load.resume(state.talking, state.contacts)
    while load.inputs < MORE_INPUTS:
        load.turn()
    later = process.memory_full_info().uss
    answer.send(
        {
            "modules_mb": modules / 1e6,
            "whole_mb": whole / 1e6,
            "later_mb": later / 1e6,
            "restored_s": restored,
            "first_hash_ms": hashed * 1e3,
        }
    )
