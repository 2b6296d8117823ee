"""Parts of a site die during traffic: nothing is lost, nothing comes twice, and calls keep their audio.

The tests of this file share one site and its agents; each ends its own calls and looks at its own contacts.
"""

import asyncio
import time

import pytest
from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_cli.demonstration.cast import TENANT
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7

from e2e.judge import judge
from e2e.stage import LiveCall, Stage, eventually, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENTS = 12


async def hang_up(live: LiveCall, by_customer: bool) -> None:
    """One side ends the call; the other is told by SIP."""
    assert live.agent is not None
    agents_call = live.agent.calls[live.contact_id]
    mine, other = (live.call, agents_call) if by_customer else (agents_call, live.call)
    assert await mine.hang_up() == 200
    await other.wait("ended", within=10)


def worst_gap(live: LiveCall, since: float) -> float:
    return live.call.rtp.worst_gap_ms(since=since)


async def test_cti_killed_during_ten_bridged_calls_drops_none(stage: Stage):
    await stage.staff(AGENTS)
    calls = await stage.bridge(10)
    killed_at = time.monotonic()
    await stage.site.kill("cti")
    await asyncio.gather(*(still_heard(live, 1.0) for live in calls))
    await stage.site.healthy("cti", limit=30)
    assert all(live.both_hear for live in calls)
    assert all(live.call.state == "answered" for live in calls)
    assert max(worst_gap(live, killed_at) for live in calls) < 1_000
    await asyncio.gather(*(hang_up(live, by_customer=index % 2 == 0) for index, live in enumerate(calls)))
    rows = await stage.rows_of(calls)
    assert rows == {live.contact_id: served(live.agent.part.agent_id) for live in calls}


async def test_a_call_set_up_while_cti_is_killed_is_served_all_the_same(stage: Stage):
    await stage.staff(AGENTS)
    waiting = await asyncio.gather(*(stage.queue() for _ in range(3)))
    await stage.site.kill("cti")
    calls = await asyncio.gather(*(stage.talking(live) for live in waiting))
    await asyncio.gather(*(hang_up(live, by_customer=True) for live in calls))
    rows = await stage.rows_of(calls)
    assert all(
        way[-1] == ("agent", live.agent.part.agent_id, "completed")
        for live, way in zip(calls, rows.values(), strict=True)
    )


async def test_router_killed_loses_no_contact_and_assigns_none_twice(stage: Stage):
    agents = await stage.staff(AGENTS)
    talking = await stage.bridge(3)
    waiting = [await stage.queue() for _ in range(4)]
    await stage.site.kill("router")
    more = [await stage.queue() for _ in range(2)]
    await stage.site.healthy("router", limit=30)
    calls = [*talking, *(await asyncio.gather(*(stage.talking(live) for live in (*waiting, *more))))]
    await asyncio.gather(*(hang_up(live, by_customer=index % 2 == 0) for index, live in enumerate(calls)))
    rows = await stage.rows_of(calls)
    for live in calls:
        assert rows[live.contact_id].count(("agent", live.agent.part.agent_id, "completed")) == 1
        assert len([segment for segment in rows[live.contact_id] if segment[0] == "agent"]) == 1
    await eventually(
        lambda: all(agent.state == router_pb2.AGENT_STATE_READY for agent in agents), 20, "every agent is ready again"
    )


async def test_clickhouse_killed_delays_rows_and_doubles_none(stage: Stage):
    await stage.staff(AGENTS)
    before = await stage.bridge(1)
    await stage.site.stop_component("clickhouse", kill=True)
    during = await stage.bridge(2)
    calls = [*before, *during]
    await asyncio.gather(*(hang_up(live, by_customer=True) for live in calls))
    await stage.site.start_component("clickhouse")
    rows = await stage.rows_of(calls, within=60)
    assert rows == {live.contact_id: served(live.agent.part.agent_id) for live in calls}
    for live in calls:
        ids = await asyncio.to_thread(stage.reports().event_ids, live.contact_id)
        assert len(ids) == len(set(ids))


async def test_kafka_killed_keeps_audio_and_completes_the_events_afterwards(stage: Stage):
    agents = await stage.staff(AGENTS)
    calls = await stage.bridge(4)
    killed_at = time.monotonic()
    await stage.site.stop_component("kafka", kill=True)
    await still_heard(calls[0], 2.0)
    assert max(worst_gap(live, killed_at) for live in calls) < 1_000
    router = stage.client(router_pb2_grpc.RouterServiceStub, "router")
    request = router_pb2.SetAgentStateRequest(
        request_id=uuid7(),
        tenant=TENANT,
        agent_id=agents[-1].part.agent_id,
        state=router_pb2.AGENT_STATE_NOT_READY,
        reason="break",
    )
    with pytest.raises(ServiceError) as refused:
        await rpc(router.SetAgentState(request, timeout=3))
    assert refused.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
    assert refused.value.retryable
    await hang_up(calls[0], by_customer=True)
    await hang_up(calls[1], by_customer=False)
    assert all(live.both_hear for live in calls[2:])
    await stage.site.start_component("kafka")
    for service in ("router", "cti", "ivr", "recording", "omnichannel"):
        await stage.site.healthy(service, limit=60)
    assert all(live.both_hear for live in calls[2:])
    await rpc(router.SetAgentState(request, timeout=10))
    request.request_id, request.state = uuid7(), router_pb2.AGENT_STATE_READY
    await rpc(router.SetAgentState(request, timeout=10))
    await asyncio.gather(*(hang_up(live, by_customer=True) for live in calls[2:]))
    rows = await stage.rows_of(calls, within=60)
    assert rows == {live.contact_id: served(live.agent.part.agent_id) for live in calls}
    after = await stage.bridge(1)
    await hang_up(after[0], by_customer=True)
    await stage.rows_of(after)


async def test_afterwards_no_contact_had_two_agents_and_none_was_left_open(stage: Stage):
    await stage.staff(AGENTS)
    calls = await stage.bridge(2)
    await asyncio.gather(*(hang_up(live, by_customer=True) for live in calls))
    await stage.rows_of(calls)
    finding = await judge(stage.site.address("kafka"))
    assert finding.contacts >= len(calls)
    assert finding.broken == {}
    cti = stage.client(cti_pb2_grpc.CtiServiceStub, "cti")
    assert not (await rpc(cti.ListCalls(cti_pb2.ListCallsRequest(tenant=TENANT), timeout=10))).calls


async def still_heard(live: LiveCall, seconds: float) -> None:
    """Both sides hear each other all the time; looks ten times a second."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        assert live.both_hear
        await asyncio.sleep(0.1)
