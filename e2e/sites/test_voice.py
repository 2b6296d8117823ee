"""Phone calls at two sites: agents of either serve callers of either, and the site that leads is killed in the middle of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import TENANT
from junctor_cli.demonstration.tenant import apply
from junctor_local.two_sites import NAMES, TwoSites
from junctor_service.client import rpc
from junctor_service.errors import ServiceError
from junctor_testkit.sip_phone import Behavior

from e2e.judge.edges import facts_of, talks
from e2e.judge.intervals import Overlaps, out_of_order, overlaps
from e2e.stage import TENANT_FILE, LiveCall, Stage, eventually

SERVICES = ("directory", "router", "ivr", "recording", "cti")
LEADS, STAYS = "a", "b"
LIMIT = 240.0
pytestmark = pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites")


async def test_calls_of_the_survivor_go_on_and_who_waits_keeps_the_order(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sites = TwoSites(
        tmp_path,
        services=SERVICES,
        without=("clickhouse",),
        processes=False,
        preferred={LEADS: range(12), STAYS: ()},
    )
    async with sites:
        agents: dict[str, Agent] = {}
        there, here = Stage(sites[LEADS], agents), Stage(sites[STAYS], agents)
        await apply(sites[LEADS], TENANT_FILE)
        for stage in (there, here):
            await eventually(stage.number_known, LIMIT, "the edges know the tenant's number")
        # Only agents of the one site are there, so that callers of the other one are served across; and the other way round.
        await here.staff(4, first=3)
        lost_call = await there.talking(await there.queue(), LIMIT)
        near = await here.talking(await here.queue(), LIMIT)
        await there.staff(2)
        across = await here.talking(await here.queue(), LIMIT)
        gone = await there.talking(await there.queue(), LIMIT)
        assert [_at(call) for call in (lost_call, near, across, gone)] == [STAYS, STAYS, LEADS, LEADS]
        assert all(call.both_hear for call in (lost_call, near, across, gone))
        # One more agent, whose phone only rings; then everybody is taken, and three wait.
        (late,) = (agent for agent in await here.staff(5, first=5) if agent.part.agent_id == "agent05")
        late.phone.behavior = Behavior(answer_after_ms=None)
        ringing = await here.queue()
        phone = await eventually(lambda: late.calls.get(ringing.contact_id), LIMIT, "the late agent's phone rings")
        waiting = [await here.queue(), await there.queue(), await here.queue()]
        router = here.client(router_pb2_grpc.RouterServiceStub, "router")
        for call in waiting:
            await eventually(lambda call=call: _in_line(router, call), LIMIT, "they wait, and the survivor knows")

        killed, wall = time.monotonic(), time.time()
        await sites.kill(LEADS)
        await _heard([near, across], 10.0)
        assert phone.state == "ringing"
        phone.answer()
        await eventually(lambda: _joined(ringing, late), LIMIT, "who rang is joined under the new leader")
        record_property(
            "a ring of the survivor's is taken, seconds after the kill", round(time.monotonic() - killed, 1)
        )
        assert all(call.both_hear and _fresh(call) for call in (near, across))
        late.phone.behavior = Behavior(answer_after_ms=300)
        for ended, next_in_line in ((near, waiting[0]), (ringing, waiting[2])):
            assert await ended.call.hang_up() == 200
            await here.talking(next_in_line, LIMIT)
            assert await next_in_line.call.hang_up() == 200
        assert across.both_hear and _fresh(across)

        await sites.restart(LEADS)
        again = await eventually(lambda: _answered(there), LIMIT, "the site that came back answers")
        await here.talking(again, LIMIT)
        assert await again.call.hang_up() == 200
        assert await across.call.hang_up() == 200
        order = [waiting[0].contact_id, waiting[2].contact_id]
        kafkas = {name: sites[name].address("kafka") for name in NAMES}
        expected = {call.contact_id for call in (lost_call, near, across, gone, ringing, waiting[0], waiting[2], again)}

        async def all_told() -> bool:
            facts = await facts_of(kafkas)
            return expected <= {fact.contact for fact in facts if fact.kind == "bound"}

        await eventually(all_told, LIMIT, "the edges' events are there")
        judged = talks(await facts_of(kafkas), losses=[(LEADS, wall)])
        assert judged.bound_twice == []
        assert overlaps(judged.intervals) == Overlaps()
        assert out_of_order(order, judged.intervals) == []
        await there.leave()
        await here.leave()


def _at(call: LiveCall) -> str:
    """The site of the agent who serves it: 1 and 2 are the leading one's."""
    assert call.agent is not None
    return LEADS if call.agent.part.agent_id in {"agent01", "agent02"} else STAYS


def _joined(call: LiveCall, agent: Agent) -> bool:
    call.agent = agent
    return call.both_hear


async def _in_line(router: Any, call: LiveCall) -> bool:
    request = router_pb2.GetTaskRequest(tenant=TENANT, contact_id=call.contact_id)
    try:
        found = await rpc(router.GetTask(request, timeout=10))
    except ServiceError:
        return False
    return bool(found.task.state == router_pb2.TASK_STATE_QUEUED)


async def _answered(stage: Stage) -> LiveCall | None:
    try:
        return await stage.queue()
    except (AssertionError, TimeoutError):
        return None


async def _heard(calls: Iterable[LiveCall], seconds: float) -> None:
    """All the time; looks five times a second."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        assert all(call.both_hear and _fresh(call) for call in calls)
        await asyncio.sleep(0.2)


def _fresh(call: LiveCall) -> bool:
    """What both hear came in the last second."""
    assert call.agent is not None
    ends = (call.call.rtp, call.agent.calls[call.contact_id].rtp)
    return all(time.monotonic() - end.received[-1].arrival < 1.0 for end in ends)
