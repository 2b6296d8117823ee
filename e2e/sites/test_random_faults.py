"""Faults drawn by a seed befall two sites under traffic, and the judge finds nothing.

JUNCTOR_FAULTS says how many (100 in `make e2e-sites`), JUNCTOR_SEED repeats those of a run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from junctor.journal.v1 import journal_pb2
from junctor_local.two_sites import NAMES, TwoSites

from e2e.judge.intervals import Overlaps, overlaps
from e2e.judge.journals import decisions, values_of
from e2e.judge.line import line
from e2e.sites.desk import PARTITION, Contact, Desk, intervals
from e2e.sites.faults import Faults, shiftable_clock
from e2e.sites.link import Link
from e2e.sites.timeline import Mark, draw
from e2e.stage import eventually

COUNT = int(os.environ.get("JUNCTOR_FAULTS", "0"))
SEED = int(os.environ.get("JUNCTOR_SEED") or random.randrange(1_000_000))
LIMIT = 420.0
AGENTS = 8
PAUSE = 0.5
"""Seconds between two arrivals."""
TOGETHER = 5
"""Faults between two looks at whether everybody has been served."""
pytestmark = pytest.mark.skipif(not COUNT, reason="make e2e-sites")


class Traffic:
    """Contacts that arrive at both sites, one after the other, until they are told to stop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._on = asyncio.Event()
        self._on.set()
        self.arriving: list[asyncio.Task[Contact]] = []
        self._task = asyncio.create_task(self._arrive())

    async def _arrive(self) -> None:
        for site in itertools.cycle(NAMES):
            await self._on.wait()
            self.arriving.append(asyncio.create_task(self._desk.arrive(site, within=LIMIT)))
            await asyncio.sleep(PAUSE)

    async def all_served(self) -> None:
        """Nobody new comes meanwhile. Fails with those who wait."""
        self._on.clear()
        contacts = await asyncio.gather(*self.arriving)
        try:
            await eventually(lambda: self._desk.served(contacts), LIMIT, "everybody is served")
        except AssertionError:
            done = {talk.contact for talk in self._desk.talks if talk.until}
            left = [contact for contact in contacts if contact.id not in done]
            raise AssertionError(f"not served: {left[:5]} of {len(left)}") from None
        finally:
            self._on.set()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_the_judge_finds_nothing_after_random_faults(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    print(f"JUNCTOR_SEED={SEED} JUNCTOR_FAULTS={COUNT}")
    record_property("seed", SEED)
    link = Link(SEED)
    sites = TwoSites(
        tmp_path,
        network=link,
        services=("directory", "router"),
        without=("clickhouse", "media"),
        settings=shiftable_clock(),
    )
    desk = Desk(sites)
    faults = Faults(sites, link, desk.leave, SEED)
    await link.start()
    began = time.monotonic()
    async with sites:
        agents = [f"agent{number}" for number in range(AGENTS)]
        await desk.configure("a", agents)
        await desk.staff("a", agents[::2])
        await desk.staff("b", agents[1::2])
        traffic = Traffic(desk)
        for number in range(1, COUNT + 1):
            fault = await faults.one()
            print(f"{number:4} {fault.at - began:7.1f} s  {fault.kind} ({fault.where}), {fault.until - fault.at:.1f} s")
            await asyncio.sleep(faults.seconds(0.5, 3.0))
            if number % TOGETHER == 0:
                await traffic.all_served()
                assert overlaps(intervals(desk)) == Overlaps()
        await traffic.all_served()
        await traffic.stop()
        await eventually(lambda: _judged(sites, desk), LIMIT, "both sites' inputs are applied")
        await desk.close()
    await link.stop()
    print(dict(Counter(fault.kind for fault in faults.done)))
    marks = [Mark(fault.at, "") for fault in faults.done]
    draw(tmp_path / "random-faults.svg", [(talk.since, talk.site) for talk in desk.talks], marks, f"{COUNT} faults")


async def _judged(sites: TwoSites, desk: Desk) -> bool:
    """False while an input of either site is on its way; fails where a promise is broken."""
    kafkas = {name: sites[name].address("kafka") for name in NAMES}
    asked = {
        journal_pb2.Input.FromString(value).id
        for values in (await values_of(kafkas, "junctor.router.inputs.v1", PARTITION)).values()
        for value in values
    }
    found = decisions(await values_of(kafkas, "junctor.router.journal.v1", PARTITION))
    assert found.broken == []
    if asked - set(found.applied()):
        return False
    of = line(found.entries)
    assert of.passed_over == []
    assert desk.contacts.keys() <= of.queued.keys()
    assert overlaps(intervals(desk)) == Overlaps()
    if of.queued.keys() - of.ended:
        return False
    print(
        f"{len(of.queued)} contacts, {of.offers} offers, {len(found.entries)} decisions in {len(found.epochs)} site epochs, "
        f"{found.void} void. Contacts with two agents 0, agents with two contacts 0, lost 0, passed over 0."
    )
    return True
