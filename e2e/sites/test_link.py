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
        cut = time.monotonic()
        link.cut("a", "b")
        link.cut("a", WITNESS)
        # At a their arrival is in its own log, but nobody there may decide.
        stranded = [asyncio.create_task(desk.arrive("a")) for _ in range(3)]
        there = [await desk.arrive("b") for _ in range(3)]
        await eventually(lambda: desk.served(there), LIMIT, "the side with the witness serves")
        record_property("first assignment of the side with the witness, seconds after the cut", _first(desk, cut))
        assert not any(task.done() for task in stranded)
        mended = time.monotonic()
        link.mend("a", "b")
        link.mend("a", WITNESS)
        found = await asyncio.gather(*stranded)
        await eventually(lambda: desk.served(found), LIMIT, "who arrived at the side that was cut off is served")
        again = [await desk.arrive(site) for site in ("a", "b")]
        await eventually(lambda: desk.served(again), LIMIT, "both sites are served again")
        assert overlaps(intervals(desk)) == Overlaps()
        marks = [Mark(cut, "link cut, witness with b"), Mark(mended, "mended")]
        draw(tmp_path / "link-cut.svg", [(talk.since, talk.site) for talk in desk.talks], marks, "A cut link")
        await desk.close()
    await link.stop()


def _first(desk: Desk, after: float) -> float:
    return round(min(talk.since for talk in desk.talks if talk.since > after) - after, 1)
