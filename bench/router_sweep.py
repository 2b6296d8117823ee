"""Matching alone, 10,000 agents and 1,000 contacts in one sweep, beside a scan in plain Python of the same agents.

Both take the contacts in the order of their arrival, give each the longest idle of the free agents who meet it, and must
give the same agents. The scan asks each free agent, with the expression compiled to closures; its second form stops at the
first who meets it, because its list is in the order of idle time. The router's side begins with sets that nobody has asked
yet.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from junctor_router.application.cel import parse
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.expression import Node, Scalar, bind, compile_expression
from junctor_router.domain.idle_ranking import IdleRanking
from junctor_router.domain.picker import picker_of
from junctor_router.domain.values import Channel

from bench.results_file import Result, Row

AGENTS, CONTACTS, QUEUES, ATTRIBUTES, PER_AGENT = 10_000, 1_000, 100, 300, 10
ROUNDS = 3
FACTOR = 500
VOICE = 1 << Channel.VOICE
Test = Callable[[Mapping[str, Any]], bool]
HOW = (
    f"{AGENTS:,} idle agents with {PER_AGENT} of {ATTRIBUTES} attributes each, {CONTACTS:,} contacts of {QUEUES} expressions "
    '("a1 >= 3 && !has(a2)"), each offered to the longest idle agent who meets it and then gone from the free ones. One '
    f"thread; in {ROUNDS} rounds, 10 sweeps of the router's and one of each scan in turn, and the least of each. All give the "
    "same agents to the same contacts, or the run fails."
)


@dataclass(frozen=True, slots=True)
class Centre:
    """Agents in the order of idle time; for each contact the number of its expression."""

    agents: list[dict[str, Scalar]]
    wanted: list[Node]
    tests: list[Test]
    """The same as functions of an agent's attributes."""
    contacts: list[int]

    @classmethod
    def of(cls, seed: int) -> Centre:
        rng = random.Random(seed)
        names = [f"a{n}" for n in range(ATTRIBUTES)]
        wanted = [rng.sample(names, 2) for _ in range(QUEUES)]
        texts = [f"{skill} >= 3 && !has({absent})" for skill, absent in wanted]
        return cls(
            [{name: rng.randint(1, 10) for name in rng.sample(names, PER_AGENT)} for _ in range(AGENTS)],
            [bind(compile_expression(text, parse, {}).root, {}, {}) for text in texts],
            [_test(skill, absent) for skill, absent in wanted],
            [rng.randrange(QUEUES) for _ in range(CONTACTS)],
        )


def _test(skill: str, absent: str) -> Test:
    return lambda agent: agent.get(skill, 0) >= 3 and absent not in agent


async def measure(given: argparse.Namespace) -> list[Result]:
    centre = Centre.of(1)
    result = Result("router_sweep", HOW)
    seconds: dict[str, list[float]] = {about: [] for about in KINDS}
    chosen: set[tuple[int, ...]] = set()
    for _ in range(ROUNDS):
        for about, (sweep, times) in KINDS.items():
            for _ in range(times):
                found, took = sweep(centre)
                seconds[about].append(took)
                chosen.add(tuple(found))
    if len(chosen) > 1:
        raise AssertionError("a scan gives other agents than the router")
    router = min(seconds[ROUTER])
    result.rows.append(Row(ROUTER, f"{router * 1e3:.2f} ms, {router / CONTACTS * 1e6:.2f} us a contact"))
    result.data["router_s"] = router
    for about, target in ((SCAN, True), (EARLY, False)):
        least = min(seconds[about])
        factor = least / router
        result.rows.append(Row(about, f"{least * 1e3:,.0f} ms"))
        met = factor >= FACTOR if target else None
        result.rows.append(Row("- times the router's", f"{factor:,.0f}", f">= {FACTOR}" if target else "", met))
        result.data[about] = {"seconds": least, "times": factor}
    served = sum(1 for agent in chosen.pop() if agent >= 0)
    result.rows.append(Row("contacts served, the same agents by all three", f"{served:,} of {CONTACTS:,}"))
    return [result]


def _router(centre: Centre) -> tuple[list[int], float]:
    ranking = IdleRanking()
    for number, attributes in enumerate(centre.agents):
        member = Member(str(number), attributes)
        ranking.enter(member)
        ranking.set_open(member, VOICE)
        ranking.settle(member)
    pickers = [picker_of(node) for node in centre.wanted]
    chosen = []
    began = time.perf_counter()
    for wanted in centre.contacts:
        found = ranking.first(pickers[wanted], Channel.VOICE, ())
        if found is not None:
            ranking.set_open(found, 0)
        chosen.append(found)
    seconds = time.perf_counter() - began
    return [-1 if member is None else int(member.id) for member in chosen], seconds


def _scan(centre: Centre) -> tuple[list[int], float]:
    tests, free = centre.tests, dict(enumerate(centre.agents))
    chosen = []
    began = time.perf_counter()
    for wanted in centre.contacts:
        test = tests[wanted]
        meeting = [number for number, attributes in free.items() if test(attributes)]
        found = min(meeting, default=-1)
        free.pop(found, None)
        chosen.append(found)
    return chosen, time.perf_counter() - began


def _early(centre: Centre) -> tuple[list[int], float]:
    tests, free = centre.tests, dict(enumerate(centre.agents))
    chosen = []
    began = time.perf_counter()
    for wanted in centre.contacts:
        test = tests[wanted]
        found = next((number for number, attributes in free.items() if test(attributes)), -1)
        free.pop(found, None)
        chosen.append(found)
    return chosen, time.perf_counter() - began


ROUTER, SCAN, EARLY = "the router's sets", "a scan of all agents for each contact", "a scan that stops at the first"
KINDS = {ROUTER: (_router, 10), SCAN: (_scan, 1), EARLY: (_early, 1)}
"""Each with how often it is done in a round."""
