"""Offers reach only who can be reached (docs/two-sites.md, L4 to L6): across a cut link, and after a site was lost in a talk."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import TENANT as VOICE_TENANT
from junctor_cli.demonstration.tenant import apply
from junctor_local.two_sites import NAMES, TwoSites
from junctor_service.client import rpc
from junctor_service.errors import ServiceError
from junctor_service.ids import uuid7

from e2e.sites.desk import TENANT, Desk
from e2e.sites.link import Link
from e2e.stage import TENANT_FILE, Stage, eventually

LEADS, STAYS = "a", "b"
LIMIT = 240.0
OFFER_STANDS = 20.0
pytestmark = pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites")


async def test_offers_across_a_cut_link_stop_long_before_they_time_out(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    link = Link()
    sites = TwoSites(
        tmp_path,
        network=link,
        processes=False,
        services=("directory", "router"),
        without=("clickhouse", "media"),
        preferred={LEADS: range(12), STAYS: ()},
    )
    await link.start()
    async with sites:
        desk = Desk(sites)
        await desk.configure(LEADS, ["far", "near"])
        await log_in(desk, STAYS, "far")
        watched = asyncio.create_task(watch(desk, STAYS, "far"))
        contact = asyncio.create_task(desk.arrive(LEADS))
        await eventually(lambda: has(desk, LEADS, "far", 1), LIMIT, "the far agent is offered the contact")
        await contact
        await desk.staff(LEADS, ["near"])
        cut = time.monotonic()
        link.cut(*NAMES)
        await eventually(lambda: desk.talks, LIMIT, "the near agent has it")
        seconds = desk.talks[0].since - cut
        record_property("an offer across a cut link is another agent's, seconds after the cut", round(seconds, 1))
        assert desk.talks[0].agent == "near"
        assert seconds < OFFER_STANDS / 2
        # The far one has been idle for longest; nobody is offered anything there any more.
        more = [await desk.arrive(LEADS) for _ in range(3)]
        await eventually(lambda: desk.served(more), LIMIT, "the near agent serves on")
        assert {talk.agent for talk in desk.talks} == {"near"}
        link.mend(*NAMES)
        desk.hang_up.clear()
        first = await desk.arrive(LEADS)
        second = await desk.arrive(LEADS)
        await eventually(
            lambda: has(desk, LEADS, "far", 1), LIMIT, "it is offered contacts again once the link is mended"
        )
        del first, second
        watched.cancel()
        await asyncio.gather(watched, return_exceptions=True)
        desk.hang_up.set()
        await desk.close()
    await link.stop()


@pytest.mark.parametrize("leads", [LEADS, STAYS])
async def test_an_agent_whose_customer_was_lost_with_a_site_is_free_once_the_phone_is(
    tmp_path: Path, record_property: Callable[[str, object], None], leads: str
) -> None:
    """Whether that site led or not."""
    sites = TwoSites(
        tmp_path,
        services=("directory", "router", "ivr", "recording", "cti"),
        without=("clickhouse",),
        processes=False,
        preferred={LEADS: (), STAYS: (), leads: range(12)},
    )
    async with sites:
        agents: dict[str, Agent] = {}
        there, here = Stage(sites[LEADS], agents), Stage(sites[STAYS], agents)
        await apply(sites[LEADS], TENANT_FILE)
        for stage in (there, here):
            await eventually(stage.number_known, LIMIT, "the edges know the tenant's number")
        (agent,) = await here.staff(3, first=3)
        lost = await there.talking(await there.queue(), LIMIT)
        killed = time.monotonic()
        await sites.kill(LEADS)
        waiting = await here.queue()
        router = here.client(router_pb2_grpc.RouterServiceStub, "router")
        await eventually(
            lambda: state_of(router, waiting.contact_id), LIMIT, "the survivor leads and has the caller in line"
        )
        assert await state_of(router, waiting.contact_id) == router_pb2.TASK_STATE_QUEUED
        assert waiting.contact_id not in agent.calls
        await agent.calls[lost.contact_id].hang_up()
        await here.talking(waiting, LIMIT)
        record_property("the agent's next talk, seconds after the kill", round(time.monotonic() - killed, 1))
        task = (await rpc(router.GetTask(request(lost.contact_id), timeout=10))).task
        assert (task.state, task.agent_id) == (router_pb2.TASK_STATE_QUEUED, "")
        explained = await rpc(
            router.Explain(router_pb2.ExplainRequest(tenant=VOICE_TENANT, contact_id=lost.contact_id), timeout=10)
        )
        assert "a word from its edge cti/a" in str(explained)
        assert await waiting.call.hang_up() == 200
        await there.leave()
        await here.leave()


async def log_in(desk: Desk, site: str, agent: str) -> None:
    request = router_pb2.LogInRequest(
        request_id=uuid7(), tenant=TENANT, agent_id=agent, state=router_pb2.AGENT_STATE_READY
    )
    await desk._until_known(site, agent, "LogIn", request, LIMIT)


async def watch(desk: Desk, site: str, agent: str) -> None:
    """The agent's workspace is there, and takes nothing."""
    async for _ in desk.router(site, agent).WatchAgent(router_pb2.WatchAgentRequest(tenant=TENANT, agent_id=agent)):
        continue


async def has(desk: Desk, site: str, agent: str, count: int) -> bool:
    asked = router_pb2.GetAgentRequest(tenant=TENANT, agent_id=agent)
    found = (await rpc(desk.router(site).GetAgent(asked, timeout=10))).agent
    return len(found.tasks) == count


def request(contact_id: str) -> router_pb2.GetTaskRequest:
    return router_pb2.GetTaskRequest(tenant=VOICE_TENANT, contact_id=contact_id)


async def state_of(router: Any, contact_id: str) -> int:
    """0 while it is not known."""
    try:
        return int((await rpc(router.GetTask(request(contact_id), timeout=10))).task.state)
    except ServiceError:
        return 0
