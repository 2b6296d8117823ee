"""Two whole sites of processes: one leads, both are served; the leading one is killed, and the other goes on in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from junctor_local.two_sites import TwoSites

from e2e.sites.desk import Desk
from e2e.stage import eventually

LIMIT = 240.0


async def test_a_site_is_killed_and_the_other_serves_who_waits(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sites = TwoSites(tmp_path, processes=False, services=("directory", "router"), without=("clickhouse", "media"))
    async with sites:
        desk = Desk(sites)
        agents = [f"agent{number}" for number in range(4)]
        await desk.configure("b", agents)
        await desk.staff("a", agents[:2])
        await desk.staff("b", agents[2:])
        first = await asyncio.gather(*(desk.arrive(site) for site in ("a", "b") for _ in range(3)))
        await eventually(lambda: _served(desk, first), LIMIT, "contacts of both sites are served")
        assert {talk.site for talk in desk.talks} == {"a", "b"}
        # Everybody is busy, and six wait, of both sites.
        desk.hang_up.clear()
        busy = await asyncio.gather(*(desk.arrive("b") for _ in agents))
        await eventually(lambda: len(desk.talking()) == len(agents), LIMIT, "all agents talk")
        waiting = [await desk.arrive(site) for site in ("a", "b", "a", "b", "a", "b")]
        await eventually(lambda: desk.line_at("b", waiting), LIMIT, "b knows who waits")
        killed = time.monotonic()
        await sites.kill("a")
        desk.hang_up.set()
        await eventually(lambda: _served(desk, [*busy, *waiting]), LIMIT, "the survivor serves who waits")
        order = [talk.contact for talk in desk.talks if talk.contact in {contact.id for contact in waiting}]
        rto = min(talk.since for talk in desk.talks if talk.since > killed) - killed
        print("rto", rto, order == [contact.id for contact in waiting])
        record_property("first assignment by the survivor, s", rto)
        assert order == [contact.id for contact in waiting]
        await sites.restart("a")
        back = await desk.arrive("a", within=LIMIT)
        await eventually(lambda: _served(desk, [back]), LIMIT, "who arrives at the site that came back is served")
        await desk.close()
        print({name: size // 1_000_000 for name, size in sites.pss_bytes().items()})


def _served(desk: Desk, contacts: list) -> bool:
    return {contact.id for contact in contacts} <= {talk.contact for talk in desk.talks if talk.until}
