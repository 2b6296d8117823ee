"""What a person does where the voters cannot decide, on two whole sites: `junctor site takeover` and `junctor site lead`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable

import pytest
import pytest_asyncio
from junctor_local.two_sites import NAMES, WITNESS, TwoSites

from e2e.judge.intervals import Overlaps, overlaps
from e2e.sites.command import junctor
from e2e.sites.desk import Desk, intervals
from e2e.sites.link import Link
from e2e.stage import eventually

LIMIT = 240.0
BEYOND = 9.0
"""Seconds after which a lease that was not renewed has ended."""
pytestmark = [
    pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[TwoSites, Link, Desk]]:
    """Site a leads; all people are at site b."""
    link = Link()
    sites = TwoSites(
        tmp_path_factory.mktemp("by-hand") / "site",
        network=link,
        processes=False,
        services=("directory", "router"),
        without=("clickhouse", "media"),
        preferred={"a": range(12), "b": ()},
    )
    await link.start()
    async with sites:
        desk = Desk(sites)
        await desk.configure("a", ["agent0", "agent1"])
        await desk.staff("b", ["agent0", "agent1"])
        yield sites, link, desk
        await desk.close()
    await link.stop()


async def test_without_the_witness_a_person_says_that_a_site_is_dead(place: tuple[TwoSites, Link, Desk]) -> None:
    sites, _, desk = place
    status, said = await junctor(sites, "site", "takeover", "--dead", "c", "--site", "b", "--yes")
    assert (status, "Site c is not the other site of this one: that is a." in said) == (1, True), said
    status, said = await junctor(sites, "site", "takeover", "--dead", "a", "--site", "b", "--yes")
    assert (status, "The voter of site a answers: that site lives." in said) == (1, True), said
    await sites.witness.down()
    await sites.kill("a")
    waiting = [asyncio.create_task(desk.arrive("b", within=2 * LIMIT)) for _ in range(3)]
    await asyncio.sleep(BEYOND)
    assert not any(task.done() for task in waiting), "nobody may decide"
    status, said = await junctor(sites, "site", "takeover", "--dead", "a", "--site", "b", answer="n\n")
    assert (status, "Is site a stopped, all of it?" in said) == (1, True), said
    status, said = await junctor(sites, "site", "takeover", "--dead", "a", "--site", "b", answer="y\n")
    print(said)
    assert (status, "router: site b leads 12 partitions under site epochs" in said) == (0, True), said
    found = await asyncio.gather(*waiting)
    await eventually(lambda: desk.served(found), LIMIT, "who waited is served")
    await eventually(lambda: appointed(sites), LIMIT, "the status tells who was appointed, and who is silent")
    await heals(sites, desk, sites.witness.up())


async def test_without_anybody_a_person_lets_a_site_lead(place: tuple[TwoSites, Link, Desk]) -> None:
    sites, link, desk = place
    status, said = await junctor(sites, "site", "lead", "--site", "b")
    assert (status, "--force" in said) == (2, True), said
    await shifted(sites, "a")
    await sites.kill("a")
    link.cut("b", WITNESS)
    waiting = [asyncio.create_task(desk.arrive("b", within=2 * LIMIT)) for _ in range(3)]
    await asyncio.sleep(BEYOND)
    assert not any(task.done() for task in waiting), "nobody may decide"
    status, said = await junctor(sites, "site", "lead", "--force", "--site", "b")
    print(said)
    assert (status, "told to b." in said) == (0, True), said
    found = await asyncio.gather(*waiting)
    await eventually(lambda: desk.served(found), LIMIT, "who waited is served")
    link.mend("b", WITNESS)
    await heals(sites, desk, asyncio.sleep(0))
    assert overlaps(intervals(desk)) == Overlaps()


async def heals(sites: TwoSites, desk: Desk, mended: Awaitable[object]) -> None:
    """The site that came back follows, and the one that a person appointed leads on."""
    await mended
    await sites.restart("a")
    await eventually(lambda: agreed(sites, "a"), LIMIT, "voters and journals agree")
    assert await desk.leader() == "b"
    again = [await desk.arrive(name) for name in NAMES]
    await eventually(lambda: desk.served(again), LIMIT, "both sites are served")


async def appointed(sites: TwoSites) -> bool:
    status, said = await junctor(sites, "site", "status", "--site", "b")
    return status == 3 and "appointed" in said and "Silent: a, witness." in said


async def agreed(sites: TwoSites, site: str) -> bool:
    return (await junctor(sites, "site", "status", "--site", site))[0] == 0


async def shifted(sites: TwoSites, to: str) -> None:
    source = "b" if to == "a" else "a"

    async def done() -> bool:
        return (await junctor(sites, "site", "shift", "--to", to, "--site", source))[0] == 0

    await eventually(done, LIMIT, f"all is led by {to} again")
