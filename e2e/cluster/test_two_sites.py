"""Two releases in two clusters, the witness's vote in a third: both serve, one is lost with all in it, the other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from junctor_local import places
from junctor_service.errors import ServiceError

from e2e.cluster.figures import Figures
from e2e.cluster.release import version
from e2e.cluster.two_sites import TwoInstalledSites
from e2e.judge.intervals import Overlaps, out_of_order, overlaps
from e2e.sites.desk import Desk, in_turn, intervals
from e2e.sites.timeline import Mark, draw
from e2e.stage import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = 300.0
AGENTS = ("agent1", "agent2", "agent3", "agent4")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sites(figures: Figures) -> AsyncIterator[TwoInstalledSites]:
    """Both installed, ready, and mirroring each other."""
    two = TwoInstalledSites()
    try:
        await two.up()
        figures.two_installed(await two.install(version()))
        yield two
    finally:
        await two.down()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(sites: TwoInstalledSites) -> AsyncIterator[Desk]:
    """Two agents at each site, at work."""
    opened = Desk(sites)  # type: ignore[arg-type]

    async def configured() -> bool:
        try:
            await opened.configure("a", AGENTS)
        except ServiceError as error:
            if not error.retryable:
                raise
            return False
        return True

    try:
        await eventually(configured, LIMIT, "a site leads the directory and takes the tenant")
        await asyncio.gather(opened.staff("a", AGENTS[:2]), opened.staff("b", AGENTS[2:]))
        yield opened
    finally:
        await opened.close()


async def test_contacts_of_both_sites_are_served_by_agents_of_both(desk: Desk):
    first = await asyncio.gather(*(desk.arrive(site, within=LIMIT) for site in ("a", "b") for _ in range(3)))
    await eventually(lambda: desk.served(first), LIMIT, "contacts of both sites are served")
    assert {talk.site for talk in desk.talks} == {"a", "b"}
    assert await desk.leader() == "a", "profile site-a prefers the partition of this tenant's pool"


async def test_a_site_that_leads_is_lost_and_the_other_serves_who_waits_in_order(
    sites: TwoInstalledSites, desk: Desk, figures: Figures
):
    lost = await desk.leader()
    left = "b" if lost == "a" else "a"
    # Everybody is busy, and six wait, of both sites.
    desk.hang_up.clear()
    busy = await asyncio.gather(*(desk.arrive(left, within=LIMIT) for _ in AGENTS))
    await eventually(lambda: len(desk.talking()) == len(AGENTS), LIMIT, "all agents talk")
    waiting = [await desk.arrive(site, within=LIMIT) for site in ("a", "b", "a", "b", "a", "b")]
    await eventually(lambda: desk.line_at(left, waiting), LIMIT, "the other knows who waits")
    killed = await sites.kill(lost)
    desk.leave(lost, to=left)
    desk.hang_up.set()
    await eventually(lambda: desk.served([*busy, *waiting]), LIMIT, "the survivor serves who waits")
    rto = min(talk.since for talk in desk.talks if talk.since > killed) - killed
    found, unordered = overlaps(intervals(desk)), out_of_order([one.id for one in waiting], in_turn(desk))
    figures.lost(lost, rto, len(waiting), len(unordered), found)
    assigned = [(talk.since, talk.site) for talk in desk.talks]
    picture = places.cache() / "kubernetes" / "site-lost.svg"
    draw(picture, assigned, [Mark(killed, f"site {lost} killed")], "Assignments by site of the agent, on Kubernetes")
    print(f"Timeline: {picture}")
    assert found == Overlaps()
    assert unordered == []


async def test_the_site_that_comes_back_is_served_by_the_one_that_leads(sites: TwoInstalledSites, desk: Desk):
    leads = await desk.leader()
    back = "b" if leads == "a" else "a"
    await sites.restart(back)
    desk.leave(back, to=back)
    arrived = await desk.arrive(back, within=LIMIT)
    await eventually(lambda: desk.served([arrived]), LIMIT, "who arrives at the site that came back is served")
    assert await desk.leader() == leads
    assert overlaps(intervals(desk)) == Overlaps()


async def test_policies_refused_nothing_between_the_sites(sites: TwoInstalledSites):
    assert {name: await sites[name].cluster.refused() for name in ("a", "b")} == {"a": set(), "b": set()}
