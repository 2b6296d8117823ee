"""Contacts of two sites at their edges, and the agents who serve them: who waits, who talks, and what was decided when.

A contact's edge joins it to one reservation; an agent has one slot. The agents' workspaces are processes of their own
(`bench.site_agents`); what they are offered is taken here, where the contacts' edges are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import sys
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from junctor.contact.v1 import contact_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor.router.v1 import router_pb2_grpc
from junctor_local import places
from junctor_service.client import Channels, rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7
from junctor_service.token_source import StaticToken

from e2e.judge.intervals import Interval
from e2e.sites.desk import QUEUE, TENANT, Desk

AT_ONCE = 60
"""Calls of the edges to the routers at the same time."""
_PAUSE, _KNOWN_WITHIN = 0.2, 120.0
_DAY = 86_400.0


@dataclass(eq=False, slots=True)
class Contact:
    """`asked` and `acknowledged`: monotonic seconds."""

    id: str
    site: str
    asked: float
    acknowledged: float | None = None
    bound: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Assigned:
    """The router has taken the agent's answer, `at` monotonic seconds. `epoch`: the reservation's site epoch."""

    at: float
    site: str
    agent: str
    contact: str
    epoch: int


class Line:
    """Of a tenant at two sites, which `desk` knows."""

    def __init__(self, desk: Desk, agents: Mapping[str, Sequence[str]]) -> None:
        self.contacts: dict[str, Contact] = {}
        self.assigned: list[Assigned] = []
        self.waiting: dict[str, Contact] = {}
        self.talking: deque[tuple[Contact, str, float]] = deque()
        self.talks: list[Interval] = []
        self._desk = desk
        self._home = {name: name for name in agents}
        self._of = {agent: site for site, found in agents.items() for agent in found}
        self._slots: dict[str, str] = {}
        self._agents = agents
        token = desk.token("service:omnichannel", "service", tenant="*", lifetime=_DAY)
        self._channels = Channels(StaticToken(token))
        self._stubs = {
            name: router_pb2_grpc.RouterServiceStub(self._channels.channel(desk.sites[name].address("router")))
            for name in agents
        }
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._workspaces: dict[str, asyncio.subprocess.Process] = {}
        self._there = {name: asyncio.Event() for name in agents}
        self._number = 0

    async def open(self, logs: Path) -> None:
        """All agents log in at their own sites, and follow their streams; TimeoutError after ten minutes."""
        for site, agents in self._agents.items():
            with (logs / f"agents-{site}.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bench.site_agents"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=places.repository(),
                )
            self._workspaces[site] = process
            tokens = {agent: self._desk.token(agent, "agent", agent, lifetime=_DAY) for agent in agents}
            routers = {name: self._desk.sites[name].address("router") for name in self._agents}
            await self._tell(site, {"agents": tokens, "routers": routers})
            self._spawn(self._listen(site))
            await self.go(site, site)
        for site in self._agents:
            await self.arrived(site)

    async def go(self, site: str, to: str) -> None:
        """The people of a site, customers and agents, connect to that one."""
        self._home[site] = to
        self._there[site].clear()
        await self._tell(site, {"to": to})

    async def arrived(self, site: str, within: float = 600.0) -> None:
        """Returns when all agents of a site have their streams again."""
        await asyncio.wait_for(self._there[site].wait(), within)

    def arrive(self, site: str) -> Contact:
        """A new contact at a site's edge; `acknowledged` once the router there has it."""
        contact = Contact(uuid7(), site, time.monotonic())
        self.contacts[contact.id] = self.waiting[contact.id] = contact
        self._spawn(self._request(contact, time.time_ns() // 1_000_000))
        return contact

    def hang_up(self, count: int) -> None:
        """Who has talked longest, so many of them."""
        for _ in range(min(count, len(self.talking))):
            contact, agent, since = self.talking.popleft()
            contact.ended, self._slots[agent] = True, ""
            self.talks.append(Interval(contact.id, agent, since, time.monotonic()))
            self._spawn(self._end(contact, f"{contact.id}/end"))

    def intervals(self) -> list[Interval]:
        """All talks, as the edges have them."""
        return [*self.talks, *(Interval(contact.id, agent, since, math.inf) for contact, agent, since in self.talking)]

    async def knows(self, site: str, contact: Contact) -> bool:
        """Whether that site's router knows the contact."""
        request = pb.GetTaskRequest(tenant=TENANT, contact_id=contact.id)
        with contextlib.suppress(ServiceError):
            await rpc(self._stubs[site].GetTask(request, timeout=5))
            return True
        return False

    async def told(self, site: str, contact: Contact) -> str:
        """What that site's router says of the contact, for people."""
        try:
            request = pb.GetTaskRequest(tenant=TENANT, contact_id=contact.id)
            return str((await rpc(self._stubs[site].GetTask(request, timeout=10))).task)
        except ServiceError as error:
            return error.message

    async def settled(self) -> None:
        """Returns when nothing that was begun here is under way but the listening."""
        while len(self._tasks) > len(self._workspaces):
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Ends the workspaces and all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._workspaces.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        await self._channels.close()

    async def _listen(self, site: str) -> None:
        output = self._workspaces[site].stdout
        assert output is not None
        while written := await output.readline():
            what, *about = json.loads(written)
            if what == "offer":
                agent, contact, reservation, _ = about
                self._spawn(self._take(site, agent, self.contacts[contact], reservation))
            elif about == [self._home[site]]:
                self._there[site].set()
        raise RuntimeError(f"the workspaces of {site} ended")

    async def _take(self, site: str, agent: str, contact: Contact, reservation: str) -> None:
        about = {"tenant": TENANT, "agent_id": agent, "reservation_id": reservation, "contact_id": contact.id}
        if contact.ended:
            await self._end(contact, f"{contact.id}/end/{reservation}")
            return
        if contact.bound or self._slots.get(agent):
            cause = "bound" if contact.bound else "busy"
            refusal = pb.RejectReservationRequest(request_id=f"reject/{reservation}", cause=cause, **about)
            await self._said(site, "RejectReservation", refusal)
            return
        contact.bound = self._slots[agent] = reservation
        since = time.monotonic()
        accept = pb.AcceptReservationRequest(request_id=f"accept/{reservation}", **about)
        if not await self._said(site, "AcceptReservation", accept):
            contact.bound = self._slots[agent] = ""
            self.talks.append(Interval(contact.id, agent, since, time.monotonic()))
            return
        # A reservation's id names site epoch and counter, as its proto says.
        epoch = int(reservation.split(".")[2])
        self.assigned.append(Assigned(time.monotonic(), self._home[site], agent, contact.id, epoch))
        self.waiting.pop(contact.id, None)
        self.talking.append((contact, agent, since))

    async def _request(self, contact: Contact, arrived_at: int) -> None:
        request = pb.RequestTaskRequest(
            request_id=f"{contact.id}/route/1",
            tenant=TENANT,
            contact_id=contact.id,
            channel=contact_pb2.CHANNEL_CHAT,
            queue=QUEUE,
            arrived_at=arrived_at,
            edge=f"desk/{contact.site}",
        )
        if not await self._said(contact.site, "RequestTask", request):
            raise RuntimeError(f"the router refused {contact.id}")
        contact.acknowledged = time.monotonic()

    async def _end(self, contact: Contact, request_id: str) -> None:
        end = pb.EndContactRequest(request_id=request_id, tenant=TENANT, contact_id=contact.id, cause="customer")
        # A site that has just come back may not have read yet what its people did at the other one.
        await self._said(contact.site, "EndContact", end, known_within=_KNOWN_WITHIN)

    async def _said(self, site: str, method: str, request: Message, known_within: float = 0.0) -> bool:
        """Until it is taken or refused; again with the same id while nobody answers, or what it is about is unknown."""
        limit = time.monotonic() + known_within
        while True:
            try:
                async with self._gate:
                    await rpc(getattr(self._stubs[self._home[site]], method)(request, timeout=4))
                return True
            except ServiceError as error:
                unknown = error.code is Code.NOT_FOUND and time.monotonic() < limit
                if not (unknown or error.retryable or error.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}):
                    return False
            await asyncio.sleep(_PAUSE)

    async def _tell(self, site: str, what: object) -> None:
        pipe = self._workspaces[site].stdin
        assert pipe is not None
        pipe.write(json.dumps(what).encode() + b"\n")
        await pipe.drain()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
