"""Witness and link fail in the ways that docs/two-sites.md, section 8, names: who leads, who is served, how it mends.

The tests share two sites; each heals what it did. The witness on one side of a cut link: test_link.py.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from junctor_local.two_sites import NAMES, WITNESS, TwoSites
from junctor_local.two_sites_plan import other

from e2e.judge.intervals import Overlaps, overlaps
from e2e.judge.journals import decisions, values_of
from e2e.judge.line import line
from e2e.sites.desk import PARTITION, Contact, Desk, intervals
from e2e.sites.link import Link
from e2e.stage import eventually

LIMIT = 240.0
ROUND_TRIP, LOSS = 0.25, 0.01
BEYOND = 9.0
"""Seconds after which a lease that was not renewed has gone to somebody else, if to anybody."""
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites"),
]
Property = Callable[[str, object], None]


@dataclass
class Table:
    """Two sites with people at both, and what lies between."""

    sites: TwoSites
    link: Link
    desk: Desk

    async def site_epochs(self) -> list[int]:
        """Those that count, of the tenant's partition."""
        found = decisions(await self._journals())
        assert found.broken == []
        return [started.epoch.site_epoch for started in found.epochs]

    async def served_at(self, *names: str) -> list[float]:
        """Seconds from arrival to talk, of a few contacts at each of these sites."""
        contacts = [await self.desk.arrive(name, within=LIMIT) for name in names for _ in range(3)]
        await self.all_served(contacts)
        return [
            min(talk.since for talk in self.desk.talks if talk.contact == contact.id) - contact.asked
            for contact in contacts
        ]

    async def all_served(self, contacts: list[Contact]) -> None:
        await eventually(lambda: self.desk.served(contacts), LIMIT, "they are served")

    async def sound(self) -> None:
        """Nobody had two, and nobody was passed over."""
        assert overlaps(intervals(self.desk)) == Overlaps()
        assert line(decisions(await self._journals()).entries).passed_over == []

    async def _journals(self) -> dict[str, list[bytes]]:
        kafkas = {name: self.sites[name].address("kafka") for name in NAMES}
        return await values_of(kafkas, "junctor.router.journal.v1", PARTITION)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def table(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Table]:
    link = Link()
    sites = TwoSites(
        tmp_path_factory.mktemp("sites"),
        network=link,
        processes=False,
        services=("directory", "router"),
        without=("clickhouse", "media"),
    )
    await link.start()
    async with sites:
        desk = Desk(sites)
        agents = [f"agent{number}" for number in range(6)]
        await desk.configure("a", agents)
        await desk.staff("a", agents[::2])
        await desk.staff("b", agents[1::2])
        made = Table(sites, link, desk)
        await made.served_at(*NAMES)
        yield made
        await desk.close()
    await link.stop()


async def test_the_witness_is_lost_and_nothing_changes(table: Table) -> None:
    before = await table.site_epochs()
    for name in NAMES:
        table.link.cut(name, WITNESS)
    await asyncio.sleep(BEYOND)
    await table.served_at(*NAMES)
    for name in NAMES:
        table.link.mend(name, WITNESS)
    assert await table.site_epochs() == before
    await table.sound()


async def test_a_slow_witness_changes_nothing(table: Table) -> None:
    before = await table.site_epochs()
    for name in NAMES:
        table.link.slow(name, WITNESS, round_trip=ROUND_TRIP, loss=LOSS)
    await asyncio.sleep(BEYOND)
    await table.served_at(*NAMES)
    for name in NAMES:
        table.link.slow(name, WITNESS, round_trip=0.0)
    assert await table.site_epochs() == before
    await table.sound()


async def test_a_slow_link_makes_offers_late_and_changes_nobody_who_leads(
    table: Table, record_property: Property
) -> None:
    before = await table.site_epochs()
    table.link.slow(*NAMES, round_trip=ROUND_TRIP, loss=LOSS)
    leads = await table.desk.leader()
    near, far = await table.served_at(leads), await table.served_at(other(leads))
    await asyncio.sleep(BEYOND)
    await table.served_at(*NAMES)
    table.link.slow(*NAMES, round_trip=0.0)
    assert await table.site_epochs() == before
    record_property("arrival to talk at the site that leads, seconds", [round(one, 2) for one in near])
    record_property("the same at the other one, over the slow link", [round(one, 2) for one in far])
    print(f"Arrival to talk over {ROUND_TRIP * 1_000:.0f} ms with {LOSS:.0%} lost: {sorted(far)}; near: {sorted(near)}")
    await table.sound()


async def test_a_cut_link_with_the_witness_at_both_sides_leaves_each_what_it_led(table: Table) -> None:
    before = await table.site_epochs()
    leads = await table.desk.leader()
    with table.link.cut_off(*NAMES):
        across = asyncio.create_task(table.desk.arrive(other(leads), within=2 * LIMIT))
        await asyncio.sleep(BEYOND)
        assert await table.desk.leader() == leads
        near = [await table.desk.arrive(leads, within=LIMIT) for _ in range(3)]
        # Agents whom the cut keeps from answering may be offered somebody first; then it is another's turn.
        await table.all_served(near)
        assert not across.done()
    await table.all_served([await across])
    assert await table.site_epochs() == before
    await table.sound()


async def test_a_cut_link_without_the_witness_leaves_nobody_to_lead_and_talks_go_on(table: Table) -> None:
    desk = table.desk
    desk.hang_up.clear()
    busy = [await desk.arrive(name, within=LIMIT) for name in NAMES for _ in range(3)]
    await eventually(lambda: len(desk.talking()) == len(busy), LIMIT, "all agents talk")
    pairs = [NAMES, *((name, WITNESS) for name in NAMES)]
    for pair in pairs:
        table.link.cut(*pair)
    await asyncio.sleep(BEYOND)
    cut, talking = time.monotonic(), desk.talking()
    waiting = [asyncio.create_task(desk.arrive(name, within=2 * LIMIT)) for name in NAMES for _ in range(2)]
    await asyncio.sleep(BEYOND)
    assert desk.talking() == talking
    assert not any(task.done() for task in waiting)
    for pair in pairs:
        table.link.mend(*pair)
    desk.hang_up.set()
    await table.all_served(await asyncio.gather(*waiting))
    assert not any(talk.since < cut for talk in desk.talks if talk.contact in {task.result().id for task in waiting})
    await table.sound()
