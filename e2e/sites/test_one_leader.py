"""Two whole sites of processes: one leads, both are served; the leading one is killed, and the other goes on in order."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from junctor_local.two_sites import TwoSites

from e2e.judge.intervals import Overlaps, out_of_order, overlaps
from e2e.sites.desk import Desk, in_turn, intervals
from e2e.sites.timeline import Mark, draw
from e2e.stage import eventually

LIMIT = 240.0


async def test_a_site_is_killed_and_the_other_serves_who_waits(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sites = TwoSites(
        tmp_path / "site", processes=False, services=("directory", "router"), without=("clickhouse", "media")
    )
    async with sites:
        desk = Desk(sites)
        agents = [f"agent{number}" for number in range(4)]
        await desk.configure("b", agents)
        await desk.staff("a", agents[:2])
        await desk.staff("b", agents[2:])
        first = await asyncio.gather(*(desk.arrive(site) for site in ("a", "b") for _ in range(3)))
        await eventually(lambda: desk.served(first), LIMIT, "contacts of both sites are served")
        assert {talk.site for talk in desk.talks} == {"a", "b"}
        lost = await desk.leader()
        left = "b" if lost == "a" else "a"
        # Everybody is busy, and six wait, of both sites.
        desk.hang_up.clear()
        busy = await asyncio.gather(*(desk.arrive(left) for _ in agents))
        await eventually(lambda: len(desk.talking()) == len(agents), LIMIT, "all agents talk")
        waiting = [await desk.arrive(site) for site in ("a", "b", "a", "b", "a", "b")]
        await eventually(lambda: desk.line_at(left, waiting), LIMIT, "the other knows who waits")
        killed = time.monotonic()
        await sites.kill(lost)
        desk.leave(lost, to=left)
        desk.hang_up.set()
        await eventually(lambda: desk.served([*busy, *waiting]), LIMIT, "the survivor serves who waits")
        assert overlaps(intervals(desk)) == Overlaps()
        assert out_of_order([contact.id for contact in waiting], in_turn(desk)) == []
        rto = min(talk.since for talk in desk.talks if talk.since > killed) - killed
        record_property("first assignment by the survivor, seconds after the kill", round(rto, 1))
        print(
            f"First assignment by the survivor {rto:.1f} s after the kill; {len(waiting)} waited, none lost, in order."
        )
        status, said = await junctor(tmp_path, "site", "status", "--site", left)
        assert status == 3, said
        assert f"Silent: {lost}." in said
        await sites.restart(lost)
        restarted = time.monotonic()
        desk.leave(lost, to=lost)
        back = await desk.arrive(lost, within=LIMIT)
        await eventually(lambda: desk.served([back]), LIMIT, "who arrives at the site that came back is served")
        status, said = await junctor(tmp_path, "site", "tail", "--site", lost)
        assert status == 0, said
        print(said.splitlines()[-1])
        status, said = await junctor(tmp_path, "site", "status", "--site", lost)
        assert status == 0, said
        await desk.close()
        marks = [Mark(killed, f"site {lost} killed"), Mark(restarted, f"site {lost} is back")]
        assigned = [(talk.since, talk.site) for talk in desk.talks]
        draw(tmp_path / "site-killed.svg", assigned, marks, "Assignments by site of the agent")
        print(f"Timeline: {tmp_path / 'site-killed.svg'}")
        print({name: size // 1_000_000 for name, size in sites.pss_bytes().items()})


async def junctor(cache: Path, *arguments: str) -> tuple[int, str]:
    """The command line, on the sites below `cache`: its exit status and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "junctor_cli",
        *arguments,
        env={**os.environ, "JUNCTOR_CACHE": str(cache), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    written, _ = await process.communicate()
    return process.returncode or 0, written.decode()
