"""The router's core alone: inputs per second through `apply` with its outputs, and the time of a match.

    python bench/router_core.py [--agents 5000 50000] [--waiting 10000] [--seconds 10]

One core, no log, no network. A contact centre with 500 queues and 300 attributes; each assignment is five inputs
(request, accept, end, complete, and a share of ticks and state changes). All agents are busy and contacts wait, so that a
freed agent looks for its best contact among all lines, as in a full centre; with `--idle` agents wait for contacts.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time

from junctor_router.application.cel import parse
from junctor_router.application.messages import event_message, response_message
from junctor_router.domain.commands import (
    AcceptReservation,
    CompleteTask,
    ConfigurationChanged,
    EndContact,
    LogIn,
    RequestTask,
    Tick,
)
from junctor_router.domain.configuration import AgentValue, PlanValue, QueueValue, Step
from junctor_router.domain.events import ReservationCreated
from junctor_router.domain.pool import Pool
from junctor_router.domain.values import AgentState, Channel

QUEUES = 500
ATTRIBUTES = 300
PER_AGENT = 10
START = 1_800_000_000_000


def build(agents: int, seed: int) -> Pool:
    rng = random.Random(seed)
    pool = Pool("bench", "default", parse)
    names = [f"a{n}" for n in range(ATTRIBUTES)]
    for n in range(QUEUES):
        first, second = rng.sample(names, 2)
        steps = (Step(f"{first} >= 3 && !has({second})", 0),)
        pool.apply(ConfigurationChanged("plan", f"p{n}", 1, PlanValue(steps)), START)
        pool.apply(ConfigurationChanged("queue", f"q{n}", 1, QueueValue(plan=f"p{n}", wrap_up_ms=60_000)), START)
    for n in range(agents):
        attributes = {name: str(rng.randint(1, 10)) for name in rng.sample(names, PER_AGENT)}
        pool.apply(ConfigurationChanged("agent", f"agent{n}", 1, AgentValue(attributes, f"d{n}")), START)
        pool.apply(LogIn(f"agent{n}", state=AgentState.READY), START + n // 100)
    return pool


class Load:
    """Applies inputs and keeps the CPU time of each, by kind, in microseconds."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool = pool
        self.now = pool.state.now
        self.rng = random.Random(seed)
        self.times: dict[str, list[float]] = {}
        self.offers: list[ReservationCreated] = []
        self.talking: list[tuple[str, str]] = []
        self.contacts = 0

    def apply(self, kind: str, command: object) -> None:
        begin = time.process_time_ns()
        outcome = self.pool.apply(command, self.now)
        for event in outcome.events:
            event_message(event).SerializeToString()
        if outcome.response is not None:
            response_message(outcome.response).SerializeToString()
        self.times.setdefault(kind, []).append((time.process_time_ns() - begin) / 1e3)
        assert outcome.refusal is None, outcome.refusal
        self.offers.extend(event for event in outcome.events if isinstance(event, ReservationCreated))

    def arrive(self) -> None:
        self.contacts += 1
        queue = f"q{self.rng.randrange(QUEUES)}"
        self.apply("request", RequestTask(f"c{self.contacts}", Channel.VOICE, queue, arrived_at=self.now, edge="cti"))

    def take_offers(self) -> None:
        while self.offers:
            offer = self.offers.pop()
            self.apply("accept", AcceptReservation(offer.agent_id, offer.reservation_id, offer.contact_id))
            self.talking.append((offer.contact_id, offer.agent_id))

    def finish_one(self) -> None:
        at = self.rng.randrange(len(self.talking))
        self.talking[at], self.talking[-1] = self.talking[-1], self.talking[at]
        contact_id, agent_id = self.talking.pop()
        self.apply("end", EndContact(contact_id))
        self.apply("complete (agent looks for a contact)", CompleteTask(agent_id, contact_id, "done"))

    def turn(self) -> None:
        self.now += 2
        due = self.pool.next_due()
        if due is not None and due <= self.now:
            self.apply("tick", Tick())
        self.arrive()
        self.take_offers()
        if self.talking:
            self.finish_one()
        self.take_offers()

    def fill(self, waiting: int) -> None:
        """Until every agent who can be is busy and so many contacts wait."""
        while len(self.pool.state.tasks) - len(self.talking) < waiting:
            self.arrive()
            self.take_offers()
        self.times.clear()


def report(title: str, load: Load, seconds: float) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        load.turn()
    cpu = time.process_time() - cpu
    times = sorted(t for found in load.times.values() for t in found)
    print(
        f"\n{title}: {len(times) / cpu:,.0f} inputs/s of CPU, {len(times):,} inputs, slowest {times[-1] / 1000:.2f} ms"
    )
    print(f"  {'input':40} {'count':>8} {'p50 us':>8} {'p99 us':>8} {'max us':>9}")
    for kind, found in sorted(load.times.items()):
        found.sort()
        p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"  {kind:40} {len(found):8,} {p50:8.1f} {p99:8.1f} {found[-1]:9.1f}")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--agents", type=int, nargs="+", default=[5_000, 50_000])
    arguments.add_argument("--waiting", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--idle", action="store_true", help="agents wait for contacts")
    given = arguments.parse_args()
    for agents in given.agents:
        began = time.perf_counter()
        load = Load(build(agents, given.seed), given.seed)
        built = time.perf_counter() - began
        if not given.idle:
            load.fill(given.waiting)
        waiting = len(load.pool.state.waiting())
        report(f"{agents:,} agents, {waiting:,} waiting, {QUEUES} queues, {ATTRIBUTES} attributes", load, given.seconds)
        began = time.perf_counter()
        load.pool.hash()
        first = time.perf_counter() - began
        for _ in range(200):
            load.turn()
        began = time.perf_counter()
        load.pool.hash()
        again = time.perf_counter() - began
        print(
            f"  built in {built:.1f} s; first hash {first * 1000:.0f} ms, the next after 800 inputs {again * 1000:.1f} ms"
        )
        began = time.perf_counter()
        pieces = list(load.pool.dump())
        dumped = time.perf_counter() - began
        gc.disable()
        restored = Pool("bench", "default", parse)
        began = time.perf_counter()
        restored.load(pieces)
        print(
            f"  dump {dumped * 1000:.0f} ms, {sum(map(len, pieces)) / 1e6:.1f} MB; load {time.perf_counter() - began:.2f} s"
        )
        print(f"  memory of the process so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
