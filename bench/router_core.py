"""The router's core alone: inputs per second through its fold with all outputs, the match step, pauses, and memory.

The same inputs are applied several times from the same state. What an input takes is the least of these times: the work is
the same each time, what is above is other programs'. The collector's pauses are told besides, as they were.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import psutil
from junctor_router.adapters.cyclic_collector import keep_pauses_short
from junctor_router.application.pools import PoolsFold
from junctor_router.domain import matching

from bench.results_file import Result, Row
from bench.router_load import HASH_EVERY, Load, Size, filled, pool_of
from bench.samples import Summary, summary

INPUTS, PASSES = 40_000, 5
RATE, MATCH_US, SLOWEST_MS, MEMORY_MB = 20_000, 50, 20, 600
HOW = (
    f"PoolsFold.apply, from an input's protobuf body to its outcome and events as bytes, one thread, no log; the state's hash "
    f"every {HASH_EVERY:,} inputs counts with the input that it follows. {INPUTS:,} inputs, {PASSES} passes over the same ones "
    "from the same restored state; each input's time is its least. Match step: matching.settle, the search with the "
    "reservation that it leads to. Five inputs an assignment: request, accept, end, complete, and breaks, rejections, ticks. "
    "All agents busy: a freed agent looks for its contact. Agents idle: a contact looks for its agent."
)


@dataclass(slots=True)
class State:
    """A restored fold and where its load goes on."""

    pieces: list[bytes]
    talking: list[tuple[str, str]]
    contacts: int

    @classmethod
    def of(cls, size: Size, busy: bool) -> State:
        load = Load(filled(size), size.seed, lambda kind, ns: None)
        if busy:
            load.fill(size.waiting)
        return cls(list(load.fold.dump()), load.talking, load.contacts)

    def load(self) -> PoolsFold:
        fold = PoolsFold()
        fold.load(self.pieces)
        return fold


@dataclass(slots=True)
class Measured:
    """Times in microseconds, the least of the passes; `pauses` are the collector's in each pass, in milliseconds."""

    kinds: list[str] = field(default_factory=list)
    inputs: list[float] = field(default_factory=list)
    matches: list[float] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    slowest_of_a_pass: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.inputs) / sum(self.inputs) * 1e6

    def by_kind(self) -> dict[str, Summary]:
        found: dict[str, list[float]] = defaultdict(list)
        for kind, time_us in zip(self.kinds, self.inputs, strict=True):
            found[kind].append(time_us)
        return {kind: summary(times) for kind, times in sorted(found.items())}


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router_core", HOW)
    size = Size()
    result.data["size"] = {name: getattr(size, name) for name in size.__slots__}
    for busy in (True, False):
        about = "all agents busy" if busy else "agents idle"
        state = State.of(size, busy)
        found = passes(state, INPUTS, PASSES)
        _report(result, about, found)
        if busy:
            _memory(result, state)
    return [result]


def passes(state: State, inputs: int, count: int) -> Measured:
    """Raises `AssertionError` where two passes do not give the same hashes: then they did not do the same."""
    keep_pauses_short()
    found = Measured()
    for number in range(count):
        gc.unfreeze()
        gc.collect()
        fold = state.load()
        kinds: list[str] = []
        times: list[float] = []

        def timed(kind: str, ns: int, kinds: list[str] = kinds, times: list[float] = times) -> None:
            kinds.append(kind)
            times.append(ns / 1e3)

        load = Load(fold, 7, timed)
        load.resume(state.talking, state.contacts)
        gc.collect()
        with _pauses() as pauses, _matches() as matches:
            while len(times) < inputs:
                load.turn()
        found.pauses.append(max(pauses, default=0.0))
        found.slowest_of_a_pass.append(max(times) / 1e3)
        if number == 0:
            found.kinds, found.inputs, found.matches, found.hashes = kinds, times, matches, load.hashes
            continue
        if load.hashes != found.hashes:
            raise AssertionError("two passes over the same inputs did not give the same states")
        found.inputs = [min(pair) for pair in zip(found.inputs, times, strict=True)]
        found.matches = [min(pair) for pair in zip(found.matches, matches, strict=True)]
    return found


@contextmanager
def _matches() -> Iterator[list[float]]:
    """The times of each match step that finds something to do, in microseconds."""
    times: list[float] = []
    settle, clock = matching.settle, time.perf_counter_ns

    def timed(pool: Any) -> None:
        if pool.agents_to_match or pool.tasks_to_match:
            begin = clock()
            settle(pool)
            times.append((clock() - begin) / 1e3)
        else:
            settle(pool)

    matching.settle = timed
    try:
        yield times
    finally:
        matching.settle = settle


@contextmanager
def _pauses() -> Iterator[list[float]]:
    """How long the cyclic collector stopped everything each time, in milliseconds."""
    pauses: list[float] = []
    began = 0

    def seen(phase: str, info: Mapping[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter_ns()
        else:
            pauses.append((time.perf_counter_ns() - began) / 1e6)

    gc.callbacks.append(seen)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(seen)


def _report(result: Result, about: str, found: Measured) -> None:
    rows = result.rows
    rate, match, slowest = found.per_second, summary(found.matches), max(found.inputs) / 1e3
    rows.append(Row(f"{about}: inputs/s", f"{rate:,.0f}", f">= {RATE:,}", rate >= RATE))
    value = f"p50 {match.p50:.1f}, p99 {match.p99:.1f}, largest {match.largest:.1f} us ({match.count:,})"
    rows.append(Row(f"{about}: match step", value, f"p99 <= {MATCH_US} us", match.p99 <= MATCH_US))
    rows.append(
        Row(f"{about}: slowest input", f"{slowest:.2f} ms", f"none over {SLOWEST_MS} ms", slowest <= SLOWEST_MS)
    )
    for kind, times in found.by_kind().items():
        rows.append(Row(f"- {kind}", f"p50 {times.p50:.1f}, p99 {times.p99:.1f} us ({times.count:,})"))
    pauses = ", ".join(f"{ms:.1f}" for ms in found.pauses)
    slow = ", ".join(f"{ms:.1f}" for ms in found.slowest_of_a_pass)
    rows.append(Row("- longest pause of the cyclic collector, by pass", f"{pauses} ms"))
    rows.append(Row("- slowest input of each pass as it was, with what other programs took", f"{slow} ms"))
    result.data[about] = {
        "inputs_per_second": round(rate),
        "match_us": match.as_json(),
        "slowest_ms": round(slowest, 3),
        "inputs_us": {kind: times.as_json() for kind, times in found.by_kind().items()},
        "collector_ms": found.pauses,
        "slowest_of_each_pass_ms": found.slowest_of_a_pass,
    }


def _memory(result: Result, state: State) -> None:
    """In a process of its own that has nothing but the state."""
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(there, state))
    process.start()
    found = here.recv()
    process.join()
    whole = found["whole_mb"]
    rows = result.rows
    rows.append(Row("memory of a process with the state", f"{whole:,.0f} MB", f"<= {MEMORY_MB} MB", whole <= MEMORY_MB))
    rows.append(Row("- of which interpreter and modules", f"{found['modules_mb']:,.0f} MB"))
    rows.append(Row("- after 20,000 inputs more", f"{found['later_mb']:,.0f} MB"))
    rows.append(Row("snapshot of the state", f"{sum(map(len, state.pieces)) / 1e6:.1f} MB"))
    rows.append(Row("- restored in", f"{found['restored_s']:.1f} s"))
    first = found["first_hash_ms"]
    rows.append(Row("first hash of the restored state", f"{first:.2f} ms", f"<= {SLOWEST_MS} ms", first <= SLOWEST_MS))
    result.data["memory"] = found


def _hold(answer: Connection, state: State) -> None:
    process = psutil.Process()
    state_bytes = sum(map(len, state.pieces))
    modules = process.memory_full_info().uss - state_bytes
    began = time.process_time()
    fold = state.load()
    restored = time.process_time() - began
    talking, contacts = state.talking, state.contacts
    state.pieces.clear()
    gc.collect()
    whole = process.memory_full_info().uss
    began = time.process_time()
    pool_of(fold).hash()
    hashed = time.process_time() - began
    load = Load(fold, 7, lambda kind, ns: None)
    load.resume(talking, contacts)
    while load.inputs < 20_000:
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
