"""Routers are killed (SIGKILL) under load, and their broker once: what the journal says afterwards is judged.

JUNCTOR_ROUTER_KILLS says how often each set of workers loses one: a few times here, 50 in `make router-faults`.
"""

import asyncio
import os
import time

import pytest
from assignment_judge import judge
from fault_load import FaultLoad
from junctor.router.v1 import router_pb2 as pb
from junctor_local.ports import free_port

KILLS = int(os.environ.get("JUNCTOR_ROUTER_KILLS", "0"))
AGENTS = tuple(f"agent{n}" for n in range(12))
RATE = 30
"""Contacts a second."""
UNDER_LOAD = 10
"""Contacts that are served between two faults, so that each one hits a worker at work."""


class Workers:
    """Router processes by port; each may be killed and started again as the same member."""

    def __init__(self, place, load, ports):
        self._place, self._load, self._ports = place, load, ports
        self._processes = {}
        self.outages = []

    async def start(self, port):
        self._processes[port] = await self._place.spawn(port)

    async def start_all(self):
        for port in self._ports:
            await self.start(port)

    async def kill_owner(self, again_at_once):
        """Kills the process whose claim is the newest; where there are others, they may have to take over."""
        owner = int(self._load.owner.rpartition(":")[2])
        began, reigns = time.monotonic(), self._load.reader.claims
        await self._kill(owner)
        if again_at_once:
            await self.start(owner)
        await until(lambda: self._load.reader.claims > reigns, 60)
        await self.served(1)
        self.outages.append(time.monotonic() - began)
        if not again_at_once:
            await self.start(owner)

    async def served(self, more):
        enough = len(self._load.completed) + more
        await until(lambda: len(self._load.completed) >= enough, 90)

    async def end(self):
        for port in list(self._processes):
            await self._kill(port)

    async def _kill(self, port):
        process = self._processes.pop(port)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(condition, seconds):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.05)


async def journal_of(log, tp):
    tail = await log.tail({tp: 0}, wait_ms=50)
    end = (await log.end_offsets([tp]))[tp]
    values = []
    while await tail.position(tp) < end:
        for records in (await tail.getmany(200)).values():
            values += [record.value for record in records]
    await tail.close()
    return values


@pytest.mark.parametrize("count", [1, 2], ids=["one worker", "two workers"])
async def test_no_contact_is_lost_or_assigned_twice_and_no_stale_offer_is_accepted(place_with_own_broker, count):
    place = place_with_own_broker
    await place.small_centre(agents=AGENTS, wrap_up_ms=0, offer_timeout_ms=600_000)
    load = FaultLoad(place.log, place.tenant, RATE)
    workers = Workers(place, load, [place.port, free_port()][:count])
    try:
        await workers.start_all()
        load.start()
        await until(lambda: {*AGENTS, "sales"} <= load.configured, 60)
        for agent in AGENTS:
            body = pb.LogInRequest(
                tenant=place.tenant, request_id=f"in-{agent}", agent_id=agent, state=pb.AGENT_STATE_READY
            )
            load.do(body, f"in/{agent}")
        load.ask()
        await workers.served(1)
        kills = KILLS or 2
        for number in range(kills):
            await workers.served(UNDER_LOAD)
            await workers.kill_owner(again_at_once=count == 1 or number % 2 == 0)
            if count == 1 and number % 20 == 1:
                await place.broker.kill_now()
                await place.broker.start_again()
                await workers.served(1)
        load.stop_asking()
        await until(lambda: len(load.completed) >= load.requested, 120)
        findings = judge({f"c{n}" for n in range(load.requested)}, await journal_of(place.log, load.journal))
    finally:
        await load.stop()
        await workers.end()
    longest = max(workers.outages)
    print(
        f"\n{kills} kills, {load.requested} contacts, {findings.reigns} reigns, {findings.void} void records, "
        f"{load.baits} offers of stale owners; longest from a kill to the next contact served {longest:.1f} s"
    )
    assert findings.broken == (set(), set(), [], [])
    assert findings.reigns > kills
