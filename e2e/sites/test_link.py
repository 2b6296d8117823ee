"""The link between two sites is cut and the witness is on one side: that side leads all, and when it mends nothing is lost."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from junctor_local.two_sites import WITNESS, TwoSites

from e2e.judge.intervals import Overlaps, overlaps
from e2e.sites.desk import Desk, intervals
from e2e.sites.link import Link
from e2e.sites.timeline import Mark, draw
from e2e.stage import eventually

LIMIT = 240.0
pytestmark = pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites")


async def test_a_cut_link_leaves_one_leader_and_loses_nobody(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    link = Link()
    sites = TwoSites(
        tmp_path, network=link, processes=False, services=("directory", "router"), without=("clickhouse", "media")
    )
    await link.start()
    async with sites:
        desk = Desk(sites)
        agents = [f"agent{number}" for number in range(4)]
        await desk.configure("a", agents)
        await desk.staff("a", agents[:2])
        await desk.staff("b", agents[2:])
        first = await asyncio.gather(*(desk.arrive(site) for site in ("a", "b") for _ in range(3)))
        await eventually(lambda: desk.served(first), LIMIT, "contacts of both sites are served")
        alone = await desk.leader()
        other = "b" if alone == "a" else "a"
        cut = time.monotonic()
        link.cut("a", "b")
        link.cut(alone, WITNESS)
        there = [await desk.arrive(other) for _ in range(3)]
        decided = time.monotonic()
        record_property("first decision of the side with the witness, seconds after the cut", round(decided - cut, 1))
        assert await desk.leader() == other
        # Their arrival is in the log of the side that is cut off, where nobody may decide.
        stranded = [asyncio.create_task(desk.arrive(alone)) for _ in range(3)]
        await eventually(lambda: desk.served(there), LIMIT, "the side with the witness serves")
        assert not any(task.done() for task in stranded)
        mended = time.monotonic()
        link.mend("a", "b")
        link.mend(alone, WITNESS)
        found = await asyncio.gather(*stranded)
        await eventually(lambda: desk.served(found), LIMIT, "who arrived at the side that was cut off is served")
        again = [await desk.arrive(site) for site in ("a", "b")]
        await eventually(lambda: desk.served(again), LIMIT, "both sites are served again")
        assert overlaps(intervals(desk)) == Overlaps()
        marks = [Mark(cut, f"link cut, witness with {other}"), Mark(mended, "mended")]
        draw(tmp_path / "link-cut.svg", [(talk.since, talk.site) for talk in desk.talks], marks, "A cut link")
        await desk.close()
    await link.stop()
