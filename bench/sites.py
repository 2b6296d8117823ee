"""One of two sites is lost, with agents at work and contacts in line at both: how soon the other assigns, and what is lost."""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from junctor_local.two_sites import NAMES, TwoSites
from junctor_local.two_sites_plan import other

from bench.ahead import NOTE, stay_ahead
from bench.results_file import RESULTS, Result, Row
from bench.samples import summary
from bench.site_line import Assigned, Contact, Line
from bench.site_loss import Loss, copied, lags, loss
from e2e.judge.intervals import overlaps
from e2e.judge.journals import decisions, values_of
from e2e.judge.line import line as judged_line
from e2e.sites.desk import PARTITION, Desk
from e2e.sites.timeline import Mark, draw
from e2e.stage import eventually

AGENTS, WAITING = 2_000, 500
"""Agents at both sites together; contacts in line when a site is lost, of both."""
RATE = 10
"""Contacts that arrive, and talks that end, in a second before and after the loss; then talks end three times as fast."""
FLOW = 4.0
"""Seconds of that before the loss."""
PROMISED = 12.0
SITE, SERVICES = "a site is lost with its Kafka", "a site is lost, but its Kafka answers"
LIMIT = 600.0
SETTLES = 60.0
"""Seconds within which the journals must say of the last contact that it is done."""
HOW = (
    f"Two sites of processes (router, directory, Kafka, voter, mirror), a witness, {AGENTS:,} agents logged in and talking, "
    f"half at each site, each with a stream of its own and its own token; {WAITING} contacts in line, {RATE} a second arrive "
    "and as many talks end. All processes of the site that leads get SIGKILL; its people connect to the other one at once. "
    "First assignment: from the kill to the moment at which an agent's answer to an offer of the new site epoch is taken. "
    "The lost site comes back, follows, and is the next survivor. Contacts' edges are gRPC clients; talks are judged as "
    "intervals, order and loss by the decisions that count in both journals."
)


@dataclass
class Round:
    """One loss. Times: monotonic seconds."""

    kind: str
    lost: str
    at: float
    waiting: Sequence[Contact]
    first: float = 0.0
    epoch: int = 0
    """The survivor's, in which the first assignment is."""
    returns: float = 0.0
    """Unix milliseconds at which the lost site is started again."""
    back: float = 0.0
    loss: Loss = field(default_factory=Loss)
    assigned: list[Assigned] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the kill to the survivor's first assignment."""
        return self.first - self.at


class Bench:
    """Two sites at work."""

    def __init__(self, sites: TwoSites, desk: Desk, line: Line) -> None:
        self.sites, self.desk, self.line = sites, desk, line
        self.lags: list[float] = []
        self.rounds: list[Round] = []
        self._flow = 0.0
        self._site = 0

    async def fill(self, count: int) -> None:
        """So many contacts in line, all of them acknowledged."""
        for _ in range(max(0, count - len(self.line.waiting))):
            self._arrive()
        await eventually(lambda: all(one.acknowledged for one in self.line.waiting.values()), LIMIT, "all are in line")

    async def lose(self, kind: str) -> Round:
        """A site that leads is killed, and comes back; ends when who waited then has been served."""
        lost = await self.desk.leader()
        left = other(lost)
        await self.fill(WAITING)
        kafkas = {name: self.sites[name].kafka.bootstrap for name in NAMES}
        flow = asyncio.create_task(self._flows())
        self._flow = RATE
        async with lags(kafkas, self.lags):
            await asyncio.sleep(FLOW)
        waiting = [one for one in self.line.waiting.values() if one.acknowledged]
        epoch = max(one.epoch for one in self.line.assigned)
        at, wall = time.monotonic(), time.time() * 1_000
        found = Round(kind, lost, at, waiting)
        await asyncio.gather(self._kill(lost, kind), self.line.go(lost, left))
        await eventually(lambda: any(one.epoch > epoch for one in self.line.assigned), LIMIT, "the survivor assigns")
        first = next(one for one in self.line.assigned if one.epoch > epoch)
        found.first, found.epoch = first.at, first.epoch
        there = await copied(kafkas[left], lost)
        found.returns = time.time() * 1_000
        self._flow = 3 * RATE
        # Who waited and whom the survivor does not know is known again when the lost site is back.
        back = asyncio.create_task(self._back(lost, kind))
        await self._served(waiting)
        self._flow = RATE
        await back
        found.back = time.monotonic()
        found.loss = await loss(kafkas[lost], there, wall)
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)
        await self.line.arrived(lost, LIMIT)
        await self._level(lost)
        found.assigned = [one for one in self.line.assigned if one.at > at - FLOW]
        self.rounds.append(found)
        return found

    async def _served(self, waiting: Sequence[Contact]) -> None:
        """Fails with what edges and router have of one who is not."""
        try:
            await eventually(lambda: not any(one.id in self.line.waiting for one in waiting), LIMIT, "all are served")
        except AssertionError:
            left = [one for one in waiting if one.id in self.line.waiting]
            told = [await self.line.told(name, left[0]) for name in NAMES]
            raise AssertionError(f"{len(left)} of {len(waiting)} not served, as {left[0]}: {told}") from None

    async def _level(self, site: str) -> None:
        """The site that came back follows: it knows a contact that arrived after all of this."""
        self._arrive()
        newest = list(self.line.contacts.values())[-1]
        await eventually(lambda: newest.acknowledged is not None, LIMIT, "the newest contact is in line")
        await eventually(lambda: self.line.knows(site, newest), LIMIT, "the site that came back knows it")

    def _arrive(self) -> None:
        self._site += 1
        self.line.arrive(NAMES[self._site % 2])

    async def _flows(self) -> None:
        """Arrivals at the stated rate, so that the line is as long as it was; ends of talks at `_flow`."""
        began, arrived, ended = time.monotonic(), 0, 0.0
        last = began
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            while arrived < (now - began) * RATE:
                self._arrive()
                arrived += 1
            ended += (now - last) * self._flow
            last = now
            self.line.hang_up(int(ended))
            ended -= int(ended)

    async def _kill(self, site: str, kind: str) -> None:
        """SIGKILL to all of them at once."""
        place = self.sites[site]
        if kind == SITE:
            await self.sites.kill(site)
        else:
            names = [name for name in place.components if name != "kafka"]
            await asyncio.gather(*(place.stop_component(name, kill=True) for name in names))

    async def _back(self, site: str, kind: str) -> None:
        place = self.sites[site]
        if kind == SITE:
            await self.sites.restart(site)
        else:
            names = [name for name in place.components if name != "kafka"]
            await asyncio.gather(*(place.start_component(name) for name in names))
        await self.line.go(site, site)


async def measure(given: argparse.Namespace) -> list[Result]:
    """The figure `sites`."""
    half = AGENTS // 2
    agents = {name: [f"{name}{number:04}" for number in range(half)] for name in NAMES}
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="junctor-bench-")))
        if given.ahead:
            going = asyncio.create_task(stay_ahead())
            stack.callback(going.cancel)
        sites = TwoSites(directory, services=("directory", "router"), without=("clickhouse", "media"))
        await stack.enter_async_context(sites)
        desk = Desk(sites)
        stack.push_async_callback(desk.close)
        line = Line(desk, agents)
        stack.push_async_callback(line.close)
        bench = Bench(sites, desk, line)
        await desk.configure("a", [agent for found in agents.values() for agent in found], within=LIMIT)
        began = time.monotonic()
        await line.open(directory)
        print(f"  {AGENTS:,} agents logged in after {time.monotonic() - began:.0f} s", flush=True)
        while len(line.talking) < AGENTS:
            await bench.fill(min(WAITING, AGENTS - len(line.talking)))
            await asyncio.sleep(0.2)
        print(f"  all talk after {time.monotonic() - began:.0f} s", flush=True)
        failed = await _rounds(bench, given.repeat)
        if not failed:
            await _drain(bench)
        result = await _judged(bench, given)
        if failed:
            result.rows.append(Row("ended early", failed, "no", False))
        return [result]


async def _rounds(bench: Bench, repeat: int) -> str:
    """What went wrong, or nothing."""
    for kind, times in ((SERVICES, max(1, repeat // 5)), (SITE, repeat)):
        for number in range(1, times + 1):
            try:
                found = await bench.lose(kind)
            except (AssertionError, TimeoutError, RuntimeError) as error:
                return f"{kind}, time {number}: {error!r}"
            print(
                f"  {number}/{times} {kind} ({found.lost}): first assignment {found.seconds:.1f} s, missing "
                f"{found.loss.missing} of {found.loss.milliseconds:.0f} ms; back after {found.back - found.at:.0f} s",
                flush=True,
            )
    return ""


async def _drain(bench: Bench) -> None:
    line = bench.line
    async with asyncio.timeout(LIMIT):
        while line.waiting or line.talking:
            line.hang_up(100)
            await asyncio.sleep(0.5)
    await line.settled()


async def _judged(bench: Bench, given: argparse.Namespace) -> Result:
    kafkas = {name: bench.sites[name].kafka.bootstrap for name in NAMES}
    limit = time.monotonic() + SETTLES
    while True:
        chain = decisions(await values_of(kafkas, "junctor.router.journal.v1", PARTITION))
        of = judged_line(chain.entries)
        forgotten = bench.line.contacts.keys() - of.ended
        if not forgotten or time.monotonic() > limit:
            break
        await asyncio.sleep(1.0)
    found = overlaps(bench.line.intervals())
    result = Result("sites", HOW)
    lag = summary(bench.lags)
    result.rows.append(Row("the mirror's lag", f"p50 {lag.p50:.0f}, p99 {lag.p99:.0f} ms ({lag.count:,} records)"))
    for kind in (SITE, SERVICES):
        rounds = [one for one in bench.rounds if one.kind == kind]
        if not rounds:
            continue
        times = summary(one.seconds for one in rounds)
        value = f"p50 {times.p50:.1f}, largest {times.largest:.1f} s ({times.count} times)"
        met = times.largest <= PROMISED
        result.rows.append(Row(f"{kind}: first assignment", value, f"<= {PROMISED:.0f} s, each time", met))
        late = [sum(of.queued.get(one.id, math.inf) > found.returns for one in found.waiting) for found in rounds]
        void = [chain.beyond[found.epoch - 1] for found in rounds]
        result.data[kind] = {
            "seconds": [round(one.seconds, 2) for one in rounds],
            "acknowledged_contacts_unknown": late,
            "decisions_void": void,
        }
        if kind == SITE:
            ages = [one.loss.milliseconds for one in rounds]
            inputs, cut = (sum(one.loss.missing[name] for one in rounds) for name in ("inputs", "decisions"))
            value = f"{inputs} inputs, {cut} decisions in all; the oldest by {max(ages):.0f} ms"
            result.rows.append(
                Row(f"{kind}: not in the survivor's Kafka", value, "<= the lag's p99", max(ages) <= lag.p99)
            )
            result.data[kind] |= {"missing": [one.loss.missing for one in rounds], "missing_ms": ages}
        value = f"{sum(late)} contacts in line, {sum(void)} decisions"
        ours = None if kind == SITE else not (sum(late) or sum(void))
        result.rows.append(Row(f"{kind}: what the survivor did not know", value, "" if ours is None else "0", ours))
        kinds = {SITE: "site", SERVICES: "services"}
        draw(
            RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-sites-{kinds[kind]}.svg",
            [(one.at, one.site) for one in rounds[-1].assigned],
            [Mark(rounds[-1].at, f"site {rounds[-1].lost} lost"), Mark(rounds[-1].back, "back, and level")],
            f"Assignments by site of the agent: {kind}",
        )
    for what, count in (
        ("contacts with two agents", len(found.with_two_agents)),
        ("slots with two contacts", len(found.slots_with_two)),
        ("contacts that were never served", len(forgotten)),
        ("contacts that were passed over", len(of.passed_over)),
        ("rules of the journals that were broken", len(chain.broken)),
    ):
        result.rows.append(Row(what, str(count), "0", count == 0))
    result.notes += chain.broken[:5]
    if given.ahead:
        result.notes.append(NOTE)
    result.data |= {
        "lag_ms": lag.as_json(),
        "contacts": len(of.queued),
        "decisions": len(chain.entries),
        "void": chain.void,
    }
    return result
