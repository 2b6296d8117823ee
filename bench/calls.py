"""Calls through a whole site: how soon a call is answered, how soon the last digit rings a phone, how soon events are rows."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import TENANT, AgentPart
from junctor_cli.demonstration.tenant import apply
from junctor_local import places
from junctor_local.site import Site
from junctor_local.tokens import mint
from junctor_service.ids import sip_contact_id
from junctor_testkit.audio import rms
from junctor_testkit.sip_phone import PhoneError, SipPhone

from bench import call_hops
from bench.results_file import Result, Row
from bench.row_watch import RowWatch
from bench.samples import summary
from bench.stolen import StolenTime

AGENTS, NUMBER, DIGIT = 12, "4100", "1"
ANSWER_LIMIT_MS, RING_LIMIT_MS, ROW_LIMIT_MS = 100, 300, 2_000
TALK, WARM_UP_CALLS = 1.0, 10
PAUSE = (0.3, 1.7)
"""Seconds between a caller's end and the next one, so that no INVITE comes at the very moment of another's hang-up."""
AHEAD = "-15"
"""Niceness of the site's autogroups (sched(7)) where it is to go ahead of what else runs on the machine."""
SPEECH = 200.0
HOW = (
    "A whole site, one process per service, twelve agents with SIP phones; callers, agents and this bench in one more "
    "process on the same machine. Each caller dials, hears the menu, presses a digit, talks for a second and hangs up; a "
    f"random pause lies before the next. Times are taken at the phones. The first {WARM_UP_CALLS} calls are not counted."
)


@dataclass(slots=True)
class Measured:
    """One call; `time.monotonic()` seconds at the phones. `problem` is empty for a call that went through."""

    contact_id: str = ""
    invited: float = 0.0
    answered: float = 0.0
    last_digit: float = 0.0
    rung: float = 0.0
    problem: str = ""


@dataclass(slots=True)
class LoopLag:
    """How late this process's own loop was, in milliseconds: that much may be the bench's and not the site's."""

    samples: list[float] = field(default_factory=list)

    async def run(self, every: float = 0.02) -> None:
        while True:
            due = time.monotonic() + every
            await asyncio.sleep(every)
            self.samples.append((time.monotonic() - due) * 1000)


async def measure(given: argparse.Namespace) -> list[Result]:
    with tempfile.TemporaryDirectory() as directory:
        async with Site(Path(directory), free_ports=True) as site:
            await apply(site, places.repository() / "e2e" / "tenant.yaml")
            if given.ahead:
                await _go_ahead(site)
            results = await _on(site, given.calls, given.together)
            for result in results if given.ahead else ():
                result.notes.append(
                    f"The site and the phones went ahead of other programs (autogroup niceness {AHEAD})."
                )
            return results


async def _go_ahead(site: Site) -> None:
    """For a machine that others use too: the site's processes have sessions, and so autogroups, of their own."""
    for pid in (os.getpid(), *filter(None, map(site.pid, site.components))):
        Path(f"/proc/{pid}/autogroup").write_text(AHEAD)
        await asyncio.sleep(0.15)  # the kernel takes ten of these a second


async def _on(site: Site, calls: int, together: int) -> list[Result]:
    agents = [await _agent(site, number) for number in range(1, AGENTS + 1)]
    lag, watch, stolen = LoopLag(), RowWatch(site.clickhouse.analyst), StolenTime()
    beside = [asyncio.create_task(each.run()) for each in (lag, watch, stolen)]
    try:
        await _place(site, agents, WARM_UP_CALLS, together, first=0)
        lag.samples.clear()
        watch.begin()
        began, cpu = time.monotonic(), _cpu_seconds(site)
        done = await _place(site, agents, calls, together, first=WARM_UP_CALLS)
        seconds = time.monotonic() - began
        cpu = {name: used - cpu.get(name, 0.0) for name, used in _cpu_seconds(site).items()}
        await watch.settle()
        hops = await call_hops.read(site.address("kafka"))
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await asyncio.gather(*(agent.close() for agent in agents), return_exceptions=True)
    result = _calls_result(done, together, seconds, hops, lag)
    _spared(result, done, stolen)
    result.rows.append(Row("CPU of a call, all of the site", f"{sum(cpu.values()) / calls * 1000:.0f} ms"))
    by_size = sorted(cpu.items(), key=lambda item: -item[1])
    result.rows += [Row(f"- {name}", f"{used / calls * 1000:.0f} ms") for name, used in by_size]
    result.data["cpu_ms_per_call"] = {name: round(used / calls * 1000, 1) for name, used in by_size}
    return [result, _rows_result(watch, calls)]


def _cpu_seconds(site: Site) -> dict[str, float]:
    """By component, of its process and those that it started."""
    found: dict[str, float] = {}
    for name in site.components:
        pid = site.pid(name)
        if pid is not None:
            process = psutil.Process(pid)
            times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
            found[name] = sum(each.user + each.system for each in times)
    return found


async def _agent(site: Site, number: int) -> Agent:
    agent_id, device = f"agent{number:02d}", f"20{number:02d}"
    part = AgentPart(agent_id, device, f"e2e-{device}", tone_hz=1_300 + 110 * number)
    token = mint(site.key, agent_id, TENANT, ["agent"], agent_id, 3_600.0)
    agent = await Agent.open(part, _sip(site), site.address, token)
    await agent.log_in()
    return agent


def _sip(site: Site) -> tuple[str, int]:
    host, _, port = site.address("sip").rpartition(":")
    return host, int(port)


async def _place(site: Site, agents: list[Agent], count: int, together: int, first: int) -> list[Measured]:
    numbers, pauses = itertools.count(first), random.Random(first)
    done: list[Measured] = []

    async def one_after_the_other() -> None:
        while (number := next(numbers)) < first + count:
            measured = Measured()
            done.append(measured)
            await asyncio.sleep(pauses.uniform(*PAUSE))
            try:
                await _call(site, agents, number, measured)
            except (TimeoutError, PhoneError) as error:
                measured.problem = str(error)

    await asyncio.gather(*(one_after_the_other() for _ in range(together)))
    return done


async def _call(site: Site, agents: list[Agent], number: int, measured: Measured) -> None:
    sip = _sip(site)
    phone = await SipPhone.open(f"+8613700{number:06d}", sip, tone_hz=310 + 41 * (number % 20))
    try:
        call = await phone.call(f"sip:{NUMBER}@{sip[0]}:{sip[1]}")
        measured.contact_id = sip_contact_id("default", call.call_id, call.local.rpartition("tag=")[2])
        await call.wait("answered", within=15)
        measured.invited, measured.answered = call.times["invite_sent"], call.times["answered"]
        await _until(lambda: rms(call.rtp.samples(last_ms=200)) > SPEECH, 10, "the menu is heard")
        measured.last_digit = await call.send_digits(DIGIT, gap_ms=0)
        rung = await _until(lambda: _rung(agents, measured.contact_id), 30, "an agent's phone rings")
        measured.rung = rung.calls[measured.contact_id].times["invite_received"]
        await rung.calls[measured.contact_id].wait("answered", within=10)
        await _until(lambda: call.rtp.level(rung.part.tone_hz) > 2_000, 10, "the agent is heard")
        await asyncio.sleep(TALK)
        await call.hang_up()
    finally:
        await phone.close()


def _rung(agents: list[Agent], contact_id: str) -> Agent | None:
    return next((agent for agent in agents if contact_id in agent.calls), None)


async def _until(condition, within: float, what: str):  # type: ignore[no-untyped-def]
    limit = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > limit:
            raise TimeoutError(f"not within {within:.0f} s: {what}")
        await asyncio.sleep(0.05)
    return found


def _calls_result(done: list[Measured], together: int, seconds: float, hops: call_hops.Hops, lag: LoopLag) -> Result:
    result = Result("calls", HOW)
    through = [measured for measured in done if not measured.problem]
    answered = [(measured.answered - measured.invited) * 1000 for measured in done if measured.answered]
    rung = [(measured.rung - measured.last_digit) * 1000 for measured in done if measured.rung]
    result.latency("INVITE to 200 OK", summary(answered), ANSWER_LIMIT_MS)
    result.latency("last DTMF packet to INVITE at an idle agent's phone", summary(rung), RING_LIMIT_MS)
    result.rows.append(
        Row(
            "calls that went through",
            f"{len(through)} of {len(done)}, {together} at a time",
            "all",
            len(through) == len(done),
        )
    )
    result.rows.append(Row("calls a second", f"{len(done) / seconds:.2f}"))
    wall = time.time() - time.monotonic()
    stages = hops.stages(
        call_hops.TO_ANSWER,
        {m.contact_id: ((m.invited + wall) * 1000, (m.answered + wall) * 1000) for m in done if m.answered},
        "INVITE",
        "200 OK at the phone",
    ) | hops.stages(
        call_hops.TO_PHONE,
        {m.contact_id: ((m.last_digit + wall) * 1000, (m.rung + wall) * 1000) for m in done if m.rung},
        "last DTMF packet",
        "INVITE at the phone",
    )
    for name, samples in stages.items():
        result.latency(f"- {name}", summary(samples))
    result.latency("how late the bench's own loop was", summary(lag.samples))
    result.notes += [f"not through: {measured.contact_id}: {measured.problem}" for measured in done if measured.problem]
    result.data = {
        "answered_ms": [round(value, 2) for value in answered],
        "rung_ms": [round(value, 2) for value in rung],
        "hops": {name: summary(samples).as_json() for name, samples in stages.items()},
    }
    return result


def _spared(result: Result, done: list[Measured], stolen: StolenTime) -> None:
    """How the two figures look where the host left the cores alone: what is the site's own, and what the machine's."""
    ways = {
        "INVITE to 200 OK": [(m.invited, m.answered) for m in done if m.answered],
        "last DTMF packet to INVITE": [(m.last_digit, m.rung) for m in done if m.rung],
    }
    for name, windows in ways.items():
        spared = [(ended - began) * 1000 for began, ended in windows if stolen.between(began, ended) == 0.0]
        if spared:
            result.latency(f"{name}, where the host took no core meanwhile", summary(spared))
        result.data[f"{name}, spared"] = {"calls": len(spared), "of": len(windows)}


def _rows_result(watch: RowWatch, calls: int) -> Result:
    how = (
        f"Events of all services during {calls} calls (figure `calls`): from the event's time, the moment at which its input "
        f"was applied, to its row in ClickHouse: `inserted_at`, and seen by a query repeated every {watch.every * 1000:.0f} ms."
    )
    result = Result("rows", how)
    result.latency("event to row seen by a query", summary(watch.seen_ms), ROW_LIMIT_MS)
    result.latency("event to `inserted_at`", summary(watch.inserted_ms))
    result.data = {"seen": summary(watch.seen_ms).as_json(), "inserted": summary(watch.inserted_ms).as_json()}
    return result
