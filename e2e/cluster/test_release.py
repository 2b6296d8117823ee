"""Junctor installed by its chart: calls and chats through it, its own test, an upgrade and a way back under traffic.

The tests run in this order on one release; what each of them leaves is what the next one finds.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from junctor_cli.demonstration.show import show
from junctor_cli.demonstration.tenant import apply
from junctor_local import places
from rich.console import Console

from e2e.cluster.figures import Figures
from e2e.cluster.kubernetes import CommandFailed
from e2e.cluster.release import NAMESPACE, InstalledSite, next_version, version
from e2e.cluster.traffic import Traffic
from e2e.stage import LiveCall, Stage, eventually, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEMONSTRATION = places.repository() / "demo" / "tenant.yaml"
AGENTS, HELD = 12, 6


async def test_every_pod_of_an_installation_is_ready_and_none_was_started_twice(installed: InstalledSite):
    images = await installed.images()
    expected = {"router", "cti", "ivr", "recording", "omnichannel", "analytics", "directory", "gateway", "media"}
    assert {image.rpartition("/")[2].split(":")[0].removeprefix("junctor-") for image in images.values()} >= expected
    assert {image.rpartition(":")[2] for image in images.values()} == {version()}
    assert await installed.restarts() == {}


async def test_the_release_tests_itself(installed: InstalledSite):
    assert "Phase:          Succeeded" in await installed.test()


async def test_calls_and_chats_go_through_the_release(installed: InstalledSite, figures: Figures):
    await apply(installed, DEMONSTRATION)  # type: ignore[arg-type]
    shown = await show(installed, DEMONSTRATION, Console(width=120))  # type: ignore[arg-type]
    done = sum(bool(call.agent_id) for call in shown.calls)
    figures.demonstrated(len(shown.calls), done, len(shown.chats), len(shown.problems))
    assert shown.problems == []


async def test_an_upgrade_under_traffic_loses_no_contact_and_drops_no_call(
    installed: InstalledSite, stage: Stage, figures: Figures
):
    await _through(installed, stage, figures, "upgrade", next_version())


async def test_a_rollback_under_traffic_loses_no_contact_and_drops_no_call(
    installed: InstalledSite, stage: Stage, figures: Figures
):
    await _through(installed, stage, figures, "rollback", version())


async def test_the_judge_finds_no_broken_promise(installed: InstalledSite, stage: Stage, figures: Figures):
    async def all_closed() -> bool:
        return "never_closed" not in (await installed.judged())["broken"]

    await eventually(all_closed, 60, "every contact is closed in the events")
    found = await installed.judged()
    figures.judged(found["contacts"], found["broken"])
    assert found["broken"] == {}


async def test_policies_refused_nothing_of_all_this_and_refuse_what_they_do_not_name(installed: InstalledSite):
    cluster = installed.cluster
    assert await cluster.refused() == set()
    (router, *_) = [name for name in await installed.images() if "-router-" in name]
    call = f"import socket; socket.create_connection(({installed.clickhouse.analyst['host']!r}, 8123), 3)"
    with pytest.raises(CommandFailed, match="timed out"):
        await cluster.kubectl("exec", "-n", NAMESPACE, router, "--", "python", "-c", call)
    assert await cluster.refused() == {("router", "clickhouse", "tcp", 8123)}


async def _through(installed: InstalledSite, stage: Stage, figures: Figures, what: str, tag: str) -> None:
    """Calls are held, and others come and go, while every service's pods are replaced."""
    await stage.staff(AGENTS)
    held = await stage.bridge(HELD)
    try:
        await _changed(installed, stage, figures, what, tag, held)
    finally:
        # Whatever was found, the next test finds these agents free.
        await asyncio.gather(
            *(live.call.hang_up() for live in held if live.call.state == "answered"), return_exceptions=True
        )


async def _changed(
    installed: InstalledSite, stage: Stage, figures: Figures, what: str, tag: str, held: list[LiveCall]
) -> None:
    traffic = Traffic(stage)
    since = time.monotonic()
    async with traffic:
        seconds = await (installed.upgrade(tag) if what == "upgrade" else installed.rollback())
    dropped = [live.contact_id for live in held if live.call.state != "answered"]
    gaps = [live.call.rtp.worst_gap_ms(since=since) for live in held]
    figures.changed(what, seconds, len(held), len(dropped), gaps, len(traffic.served))
    assert dropped == []
    assert all(live.both_hear for live in held)
    assert traffic.problems == []
    await asyncio.gather(*(_hang_up(live) for live in held))
    rows = await stage.rows_of([*held, *traffic.served], within=60)
    assert {live.contact_id: rows[live.contact_id] for live in held} == {
        live.contact_id: served(live.agent.part.agent_id) for live in held if live.agent
    }
    assert len(rows) == len(held) + len(traffic.served)
    assert {image.rpartition(":")[2] for name, image in (await installed.images()).items() if "media" not in name} == {
        tag
    }


async def _hang_up(live: LiveCall) -> None:
    assert await live.call.hang_up() == 200
