"""A planned shift of two whole sites: all partitions go over and back under traffic, with rings going on and nothing lost."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from junctor.contact.v1 import contact_pb2
from junctor.router.v1 import router_pb2
from junctor_local.site import Site
from junctor_local.site_of_two import MIRROR
from junctor_local.site_parts import ALL_SERVICES
from junctor_local.two_sites import NAMES, TwoSites
from junctor_service.client import rpc
from junctor_service.ids import uuid7

from e2e.judge.intervals import Overlaps, overlaps
from e2e.sites.command import junctor
from e2e.sites.desk import QUEUE, TENANT, Contact, Desk, intervals
from e2e.stage import eventually

LIMIT = 240.0
MOST_SECONDS = 60.0
pytestmark = [
    pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoSites]:
    directory = tmp_path_factory.mktemp("shift") / "site"
    both = TwoSites(
        directory,
        processes=False,
        services=("directory", "router"),
        without=("clickhouse", "media"),
        preferred={"a": range(12), "b": ()},
    )
    async with both:
        yield both


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(sites: TwoSites) -> AsyncIterator[Desk]:
    opened = Desk(sites)
    agents = ["ringing", *(f"agent{number}" for number in range(4))]
    await opened.configure("a", agents)
    yield opened
    await opened.close()


async def test_all_partitions_go_over_under_traffic_and_back(
    sites: TwoSites, desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    ring = await ringing(desk)
    await desk.staff("a", ["agent0", "agent1"])
    await desk.staff("b", ["agent2", "agent3"])
    arrived: list[Contact] = []
    traffic = asyncio.create_task(arrive_until_stopped(desk, arrived))
    for source, target in (("a", "b"), ("b", "a")):
        began = time.monotonic()
        status, said = await junctor(sites, "site", "shift", "--to", target, "--site", source)
        seconds = time.monotonic() - began
        print(said)
        assert status == 0, said
        assert seconds <= MOST_SECONDS
        pauses = [int(found) for found in re.findall(r"shifted after (\d+) ms", said)]
        assert len(pauses) == 24
        record_property(f"shift to {target}: seconds for all, longest pause in ms", (round(seconds, 1), max(pauses)))
        assert await desk.leader() == target
        ring = await goes_on_ringing(desk, ring)
    traffic.cancel()
    await asyncio.gather(traffic, return_exceptions=True)
    await rpc(desk.router("a", "ringing").AcceptReservation(accept(ring), timeout=10))
    await eventually(lambda: desk.served(arrived), LIMIT, "who arrived meanwhile is served")
    assert len(arrived) > 5
    assert overlaps(intervals(desk)) == Overlaps()
    await eventually(lambda: agreed(sites), LIMIT, "voters and journals agree")


async def test_what_the_other_site_does_not_come_to_is_taken_back(sites: TwoSites, desk: Desk) -> None:
    """Its services stand still from a moment on at which they were heard and all was equal."""
    began = time.monotonic()
    with standing_still(sites["b"]):
        status, said = await junctor(sites, "site", "shift", "--to", "b", "--partition", "7", "--service", "router")
    print(said)
    assert status == 3, said
    assert "taken back" in said
    assert "Site b did not come to what was sealed in time." in said
    assert 6 <= time.monotonic() - began <= 45
    await eventually(lambda: shifted(sites, "--partition", "7"), LIMIT, "it goes over once they go on")
    status, said = await junctor(
        sites, "site", "shift", "--to", "a", "--partition", "7", "--service", "router", "--site", "b"
    )
    assert status == 0, said


async def test_what_is_in_the_way_is_told(sites: TwoSites) -> None:
    status, said = await junctor(sites, "site", "shift", "--to", "a")
    assert (status, "Site a leads partitions 0, 1, 2" in said) == (1, True), said
    status, said = await junctor(sites, "site", "shift", "--to", "a", "--site", "b")
    assert (status, "already" in said) == (1, True), said
    status, said = await junctor(sites, "site", "shift", "--to", "c")
    assert (status, "There is no site 'c'" in said) == (1, True), said
    partitions = [11, 10, 9, 8, 6, 5, 4, 3]
    await sites.witness.down()
    try:
        sentence = "Voter witness does not answer"
        await eventually(lambda: tells(sites, sentence, partitions), LIMIT, "a silent voter is in the way")
    finally:
        await sites.witness.up()
    await asyncio.gather(*(sites[name].stop_component(MIRROR) for name in NAMES))
    try:
        sentence = "No process of site b was heard"
        await eventually(lambda: tells(sites, sentence, partitions), LIMIT, "so is a site that is not heard")
    finally:
        await asyncio.gather(*(sites[name].start_component(MIRROR) for name in NAMES))


async def agreed(sites: TwoSites) -> bool:
    return (await junctor(sites, "site", "status", "--site", "a"))[0] == 0


async def tells(sites: TwoSites, sentence: str, partitions: list[int]) -> bool:
    """Of the first of `partitions`; one that is passed on before what is in the way is noticed is not asked for again."""
    one = str(partitions[0])
    status, said = await junctor(sites, "site", "shift", "--to", "b", "--partition", one, "--service", "router")
    if status == 0:
        del partitions[0]
    return status == 1 and sentence in said


@contextmanager
def standing_still(site: Site) -> Iterator[None]:
    pid = site.pid(ALL_SERVICES)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def shifted(sites: TwoSites, *arguments: str) -> bool:
    status, _ = await junctor(sites, "site", "shift", "--to", "b", "--service", "router", *arguments)
    return status == 0


async def arrive_until_stopped(desk: Desk, arrived: list[Contact]) -> None:
    """Each as soon as the one before is acknowledged, however long nobody decides."""
    while True:
        for site in ("a", "b"):
            arrived.append(await desk.arrive(site))
            await asyncio.sleep(0.3)


async def ringing(desk: Desk) -> Any:
    """A contact that is offered to an agent who lets it ring."""
    login = router_pb2.LogInRequest(
        request_id=uuid7(), tenant=TENANT, agent_id="ringing", state=router_pb2.AGENT_STATE_READY
    )
    await desk._until_known("a", "ringing", "LogIn", login, LIMIT)
    request = router_pb2.RequestTaskRequest(
        request_id=uuid7(), tenant=TENANT, contact_id=uuid7(), channel=contact_pb2.CHANNEL_CHAT, queue=QUEUE
    )
    await desk._until_known("a", "", "RequestTask", request, LIMIT)
    return (await rings(desk))[0]


async def rings(desk: Desk) -> list[Any]:
    get = router_pb2.GetAgentRequest(tenant=TENANT, agent_id="ringing")
    return list((await rpc(desk.router("a", "ringing").GetAgent(get, timeout=10))).agent.tasks)


async def goes_on_ringing(desk: Desk, before: Any) -> Any:
    """At the same agent, under a new id of the new site epoch."""
    (now,) = await rings(desk)
    assert (now.contact_id, now.state) == (before.contact_id, router_pb2.TASK_STATE_RESERVED)
    assert now.reservation_id != before.reservation_id
    return now


def accept(task: Any) -> router_pb2.AcceptReservationRequest:
    return router_pb2.AcceptReservationRequest(
        request_id=uuid7(),
        tenant=TENANT,
        agent_id="ringing",
        reservation_id=task.reservation_id,
        contact_id=task.contact_id,
    )
