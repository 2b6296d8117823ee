"""Agents and contacts of two sites by gRPC: each agent's workspace and each contact's edge talk to the router of their own site.

A contact's edge is here what `omnichannel` is for a chat: it joins the contact to one reservation, once, and writes that down;
an agent's edge fills its one slot. Each refuses what does not fit, as docs/two-sites.md (E2, E3) has it. Whatever happens to
sites and links, they go on: who is thought lost logs in again, who did not respond is ready again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2, directory_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_cli.register_view import holder
from junctor_local.tokens import mint
from junctor_local.two_sites import TwoSites
from junctor_register.appointment import read_all
from junctor_register.places import voters_at
from junctor_register.voter import Voter
from junctor_service.client import Channels, rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7
from junctor_service.token_source import StaticToken

from e2e.judge.intervals import Interval

TENANT, QUEUE, PARTITION = "demo", "desk", 2
_PAUSE, _KNOWN_WITHIN = 0.2, 120.0


@dataclass(frozen=True, slots=True)
class Talk:
    """A contact's edge joined it to an agent's reservation; monotonic seconds. `until` is None while it lasts."""

    contact: str
    agent: str
    reservation: str
    site: str
    since: float
    until: float | None = None


@dataclass(eq=False)
class Contact:
    """A contact at its edge. `arrived_at`: Unix milliseconds, its place in line."""

    id: str
    site: str
    arrived_at: int
    asked: float
    acknowledged: float | None = None
    bound: str = ""
    unbound: set[str] = field(default_factory=set)
    ended: bool = False


class Desk:
    """People of a tenant at both sites. Open it when the sites are up."""

    def __init__(self, sites: TwoSites) -> None:
        self.sites = sites
        self.contacts: dict[str, Contact] = {}
        self.talks: list[Talk] = []
        self.offered: list[tuple[float, str, str, str]] = []
        self.talk_seconds = 0.3
        self.hang_up = asyncio.Event()
        """While it is not set, who talks goes on talking."""
        self.hang_up.set()
        self._key = sites["a"].key
        self._channels: list[Channels] = []
        self._stubs: dict[tuple[str, str], Any] = {}
        self._gone: dict[str, str] = {}
        self._slots: dict[str, str] = {}
        self._voters: Mapping[str, Voter] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def token(
        self, subject: str, role: str, agent: str | None = None, tenant: str = TENANT, lifetime: float = 6 * 3_600.0
    ) -> str:
        """Of the issuer that both sites have."""
        return mint(self._key, subject, tenant, [role], agent, lifetime)

    def stub(self, site: str, service: str, stub: Any, token: str) -> Any:
        """A client of a site's service, with its own connection."""
        channels = Channels(StaticToken(token))
        self._channels.append(channels)
        return stub(channels.channel(self.sites[site].address(service)))

    def router(self, site: str, agent: str = "") -> Any:
        """The router of a site, or of the one that people go to instead, as an agent's workspace or its edges call it."""
        site = self._gone.get(site, site)
        if (site, agent) not in self._stubs:
            token = (
                self.token(agent, "agent", agent) if agent else self.token("service:omnichannel", "service", tenant="*")
            )
            self._stubs[site, agent] = self.stub(site, "router", router_pb2_grpc.RouterServiceStub, token)
        return self._stubs[site, agent]

    async def leader(self) -> str:
        """The site that leads the tenant's pool, as a majority of the voters has it; "" for none."""
        if self._voters is None:
            token = mint(self._key, "service:e2e", "*", ["service", "register"], None, 3_600.0)
            channels = Channels(StaticToken(token))
            self._channels.append(channels)
            places = [f"{name}={address}" for name, address in self.sites.voters("").items()]
            self._voters = voters_at(places, "router", channels.channel, timeout=5.0)
        return holder(await read_all(self._voters, limit=5.0), len(self._voters), PARTITION)[0]

    def leave(self, site: str, to: str) -> None:
        """Workspaces and customers of a site connect to that one; to their own again where it is the same."""
        self._gone[site] = to

    async def configure(self, site: str, agents: Sequence[str], within: float = 240.0) -> None:
        """The tenant, by the directory of that site; returns when the change is in force there."""
        stub = self.stub(
            site, "directory", directory_pb2_grpc.DirectoryServiceStub, self.token("administrator", "administrator")
        )
        request = directory_pb2.ApplyConfigurationRequest(
            request_id=uuid7(), tenant=TENANT, values=_values(agents), comment="two sites"
        )
        await rpc(stub.ApplyConfiguration(request, timeout=min(within, 60.0)))

    async def staff(self, site: str, agents: Iterable[str]) -> None:
        """Logs agents in at a site and lets them work there until the desk is closed."""
        await asyncio.gather(*(self._log_in(site, agent) for agent in agents))

    async def arrive(self, site: str, arrived_at: int | None = None, within: float = 240.0) -> Contact:
        """A new contact at a site's edge, whose request is acknowledged when this returns. Raises `ServiceError`."""
        contact = Contact(uuid7(), site, arrived_at or time.time_ns() // 1_000_000, time.monotonic())
        self.contacts[contact.id] = contact
        request = router_pb2.RequestTaskRequest(
            request_id=f"{contact.id}/route/1",
            tenant=TENANT,
            contact_id=contact.id,
            channel=contact_pb2.CHANNEL_CHAT,
            queue=QUEUE,
            arrived_at=contact.arrived_at,
            edge=f"desk/{site}",
        )
        await self._until_known(site, "", "RequestTask", request, within)
        contact.acknowledged = time.monotonic()
        return contact

    def talking(self) -> list[Talk]:
        """Who talks now."""
        return [talk for talk in self.talks if talk.until is None]

    def served(self, contacts: Iterable[Contact]) -> bool:
        """Whether each of them has had their talk."""
        return {contact.id for contact in contacts} <= {talk.contact for talk in self.talks if talk.until}

    async def line_at(self, site: str, contacts: Iterable[Contact]) -> bool:
        """Whether a site's router knows that these wait."""
        for contact in contacts:
            try:
                found = await rpc(
                    self.router(site).GetTask(
                        router_pb2.GetTaskRequest(tenant=TENANT, contact_id=contact.id), timeout=10
                    )
                )
            except ServiceError:
                return False
            if found.task.state != router_pb2.TASK_STATE_QUEUED:
                return False
        return True

    async def close(self) -> None:
        """Ends all work and all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(channels.close() for channels in self._channels))

    async def _log_in(self, site: str, agent: str) -> None:
        await self._until_known(site, agent, "LogIn", _log_in(agent), 240.0)
        self._spawn(self._work(site, agent))

    async def _work(self, site: str, agent: str) -> None:
        """Follows the own stream of offers, through whatever happens to it."""
        seen: set[str] = set()
        while True:
            with contextlib.suppress(ServiceError, grpc.RpcError):
                request = router_pb2.WatchAgentRequest(tenant=TENANT, agent_id=agent)
                async for update in self.router(site, agent).WatchAgent(request):
                    await self._stays(site, agent, update.agent.state)
                    for task in update.agent.tasks:
                        if task.state == router_pb2.TASK_STATE_RESERVED and task.reservation_id not in seen:
                            seen.add(task.reservation_id)
                            self.offered.append((time.monotonic(), site, agent, task.contact_id))
                            self._spawn(self._take(site, agent, task.contact_id, task.reservation_id))
            await asyncio.sleep(_PAUSE)

    async def _stays(self, site: str, agent: str, state: int) -> None:
        """At work, whatever the router made of them meanwhile."""
        if state == router_pb2.AGENT_STATE_LOGGED_OUT:
            await self._said(site, agent, "LogIn", _log_in(agent))
        elif state in {router_pb2.AGENT_STATE_NOT_RESPONDING, router_pb2.AGENT_STATE_NOT_READY}:
            ready = router_pb2.SetAgentStateRequest(
                request_id=uuid7(), tenant=TENANT, agent_id=agent, state=router_pb2.AGENT_STATE_READY
            )
            await self._said(site, agent, "SetAgentState", ready)

    async def _take(self, site: str, agent: str, contact_id: str, reservation: str) -> None:
        contact = self.contacts.get(contact_id)
        if contact is None or reservation in contact.unbound:
            return
        if contact.ended:
            await self._end(contact, f"{contact_id}/end/{reservation}")
            return
        if contact.bound or self._slots.get(agent):
            refusal = router_pb2.RejectReservationRequest(
                request_id=f"reject/{reservation}",
                tenant=TENANT,
                agent_id=agent,
                reservation_id=reservation,
                contact_id=contact_id,
                cause="bound" if contact.bound else "busy",
            )
            await self._said(site, agent, "RejectReservation", refusal)
            return
        contact.bound = self._slots[agent] = reservation
        talk = Talk(contact_id, agent, reservation, self._gone.get(site, site), time.monotonic())
        self.talks.append(talk)
        request = router_pb2.AcceptReservationRequest(
            request_id=f"accept/{reservation}",
            tenant=TENANT,
            agent_id=agent,
            reservation_id=reservation,
            contact_id=contact_id,
        )
        if not await self._said(site, agent, "AcceptReservation", request):
            contact.bound = self._slots[agent] = ""
            contact.unbound.add(reservation)
            self._ended(talk)
            return
        await asyncio.sleep(self.talk_seconds)
        await self.hang_up.wait()
        contact.ended = True
        self._slots[agent] = ""
        self._ended(talk)
        await self._end(contact, f"{contact_id}/end")
        complete = router_pb2.CompleteTaskRequest(
            request_id=f"complete/{contact_id}", tenant=TENANT, agent_id=agent, contact_id=contact_id
        )
        await self._said(site, agent, "CompleteTask", complete)

    async def _end(self, contact: Contact, request_id: str) -> None:
        end = router_pb2.EndContactRequest(
            request_id=request_id, tenant=TENANT, contact_id=contact.id, cause="customer"
        )
        # A site that has just come back may not have read yet what its people did at the other one.
        await self._said(contact.site, "", "EndContact", end, known_within=_KNOWN_WITHIN)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_known(self, site: str, agent: str, method: str, request: Any, within: float) -> None:
        """Also where the directory's values are still on their way to that site. Nobody there: the same id once more."""
        limit, first, tries = time.monotonic() + within, request.request_id, 0
        while True:
            try:
                await rpc(getattr(self.router(site, agent), method)(request, timeout=10))
                return
            except ServiceError as error:
                if time.monotonic() > limit or not (error.code is Code.NOT_FOUND or _may_be_retried(error)):
                    raise
                if error.code is Code.NOT_FOUND:
                    tries += 1
                    request.request_id = f"{first}#{tries}"
            await asyncio.sleep(_PAUSE)

    async def _said(self, site: str, agent: str, method: str, request: Any, known_within: float = 0.0) -> bool:
        """Until it is taken or refused; retried with the same id while nobody answers, or what it is about is unknown."""
        limit = time.monotonic() + known_within
        while True:
            try:
                await rpc(getattr(self.router(site, agent), method)(request, timeout=5))
                return True
            except ServiceError as error:
                unknown = error.code is Code.NOT_FOUND and time.monotonic() < limit
                if not (unknown or _may_be_retried(error)):
                    return False
            await asyncio.sleep(_PAUSE)

    def _ended(self, talk: Talk) -> None:
        where = self.talks.index(talk)
        self.talks[where] = replace(talk, until=time.monotonic())


def intervals(desk: Desk) -> list[Interval]:
    """What the contacts' edges wrote down."""
    return [Interval(talk.contact, talk.agent, talk.since, talk.until or math.inf) for talk in desk.talks]


def in_turn(desk: Desk) -> list[Interval]:
    """The same in the order of the decisions: a reservation's id names site epoch and counter, as its proto says."""
    turns = {talk: tuple(map(int, talk.reservation.split(".")[2:4])) for talk in desk.talks}
    places = {turn: place for place, turn in enumerate(sorted(turns.values()))}
    return [Interval(talk.contact, talk.agent, places[turn]) for talk, turn in turns.items()]


def _log_in(agent: str) -> router_pb2.LogInRequest:
    return router_pb2.LogInRequest(
        request_id=uuid7(), tenant=TENANT, agent_id=agent, state=router_pb2.AGENT_STATE_READY
    )


def _may_be_retried(error: ServiceError) -> bool:
    return error.retryable or error.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}


def _values(agents: Sequence[str]) -> list[directory_pb2.Value]:
    d = directory_pb2
    found = [
        d.Value(
            id="self", tenant=d.Tenant(name="Two sites", time_zone="UTC", language="en", connection_grace_ms=120_000)
        ),
        d.Value(id="default", pool=d.Pool(partition=PARTITION)),
        d.Value(id="product.desk", attribute=d.Attribute(type=d.ATTRIBUTE_TYPE_PROFICIENCY, description="Everyone")),
        d.Value(id="desk", plan=d.Plan(steps=[d.PlanStep(expression="product.desk >= 1")])),
        d.Value(
            id=QUEUE,
            queue=d.Queue(
                name="Desk", plan="desk", service_level_percent=80, service_level_ms=20_000, wrap_up_ms=1_000
            ),
        ),
    ]
    return found + [
        d.Value(id=agent, agent=d.Agent(name=agent, attributes={"product.desk": "5"}, capacity={"chat": 1}))
        for agent in agents
    ]
