"""The same inputs applied several times to the router's core, from the same restored state, and what each took.

Times are those that the thread had a processor for, so other programs only count as far as they slow the processor down.
What an input took is the least of its times: the work is the same each time.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2
from junctor_router.adapters.cyclic_collector import keep_pauses_short
from junctor_router.adapters.huge_pages import HugePages
from junctor_router.application.directory_values import journalled
from junctor_router.application.pools import PoolsFold

from bench.router_load import Load, Size, filled, pool_of
from bench.samples import Summary, summary


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
    """Times in microseconds, the least of the passes; `pauses` are the collector's longest in each pass, in milliseconds."""

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


def passes(state: State, inputs: int, count: int, change: bool = False) -> Measured:
    """With `change` they begin with a change of the directory that touches every contact in line. Raises `AssertionError` where
    two passes do not give the same hashes: then they did not do the same."""
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
        HugePages().collapse()
        matches: list[float] = []
        with _pauses() as pauses:
            pool_of(fold).state.watch = _watch(matches)
            if change:
                load.apply("attribute's type", _changed_type())
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


def _changed_type() -> router_pb2.ConfigurationChanged:
    """Until now each value's look told it. All plans are looked at again, and all lines made anew."""
    body = router_pb2.ConfigurationChanged(kind="attribute", id="a0", version=1)
    value = directory_pb2.Attribute(type=directory_pb2.ATTRIBUTE_TYPE_PROFICIENCY)
    body.value.Pack(journalled(directory_pb2.Value(id="a0", attribute=value)), deterministic=True)
    return body


def _watch(times: list[float]) -> Callable[[bool], None]:
    """The time of each match step that finds something to do, in microseconds."""
    clock = time.thread_time_ns
    began = 0

    def told(begins: bool) -> None:
        nonlocal began
        if begins:
            began = clock()
        else:
            times.append((clock() - began) / 1e3)

    return told


@contextmanager
def _pauses() -> Iterator[list[float]]:
    """How long the cyclic collector stopped everything each time, in milliseconds."""
    pauses: list[float] = []
    began = 0

    def seen(phase: str, info: Mapping[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time_ns()
        else:
            pauses.append((time.thread_time_ns() - began) / 1e6)

    gc.callbacks.append(seen)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(seen)
