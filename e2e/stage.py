"""A site with a small tenant, its agents at work, and calls that can be held, heard and ended one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import TENANT, AgentPart
from junctor_cli.demonstration.report import Reports
from junctor_cli.demonstration.tenant import apply
from junctor_local.site import Site
from junctor_local.tokens import mint
from junctor_service.client import Channels
from junctor_service.ids import sip_contact_id
from junctor_service.token_source import StaticToken
from junctor_testkit.audio import rms
from junctor_testkit.sip_phone import PhoneCall, SipPhone

NUMBER = "4100"
TENANT_FILE = Path(__file__).parent / "tenant.yaml"
HEARD, SPEECH = 2_000.0, 200.0


async def eventually(condition: Callable[[], Any], within: float, what: str) -> Any:
    """The condition's first true value; it may be a coroutine function. Fails with `what` after `within` seconds."""
    limit = time.monotonic() + within
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > limit:
            raise AssertionError(f"not within {within} s: {what}")
        await asyncio.sleep(0.1)


@dataclass(eq=False)
class LiveCall:
    """A customer's call; `agent` once somebody talks with them."""

    phone: SipPhone
    call: PhoneCall
    tone_hz: int
    contact_id: str
    agent: Agent | None = None

    def customer_hears(self) -> float:
        assert self.agent is not None
        return self.call.rtp.level(self.agent.part.tone_hz, last_ms=300)

    def agent_hears(self) -> float:
        assert self.agent is not None
        return self.agent.calls[self.contact_id].rtp.level(self.tone_hz, last_ms=300)

    @property
    def both_hear(self) -> bool:
        return self.customer_hears() > HEARD and self.agent_hears() > HEARD


class Stage:
    """Opened by the fixture of conftest.py."""

    def __init__(self, site: Site, agents: dict[str, Agent] | None = None) -> None:
        """`agents`: also those of another stage, whom this one's callers may talk to."""
        self.site = site
        self.agents: dict[str, Agent] = {} if agents is None else agents
        self._phones: list[SipPhone] = []
        self._channels: list[Channels] = []
        self._next = 0

    @property
    def sip(self) -> tuple[str, int]:
        host, _, port = self.site.address("sip").rpartition(":")
        return host, int(port)

    async def open(self) -> Stage:
        await self.site.start()
        await apply(self.site, TENANT_FILE)
        await eventually(self.number_known, 30, "the edge knows the tenant's number")
        return self

    async def number_known(self) -> bool:
        """The directory's values reach the edge a moment after they are applied."""
        phone = await SipPhone.open("+8613700999999", self.sip, tone_hz=None)
        try:
            call = await phone.call(f"sip:{NUMBER}@{self.sip[0]}:{self.sip[1]}")
            await call.wait("answered", "rejected", within=10)
            if call.state == "answered":
                await call.hang_up()
                return True
            return False
        finally:
            await phone.close()

    async def close(self) -> None:
        await self.leave()
        await self.site.stop()

    async def leave(self) -> None:
        """All people are gone; the site stays."""
        agents = list(self.agents.values())
        self.agents.clear()
        await asyncio.gather(*(agent.close() for agent in agents), return_exceptions=True)
        for phone in self._phones:
            await phone.close()
        for channels in self._channels:
            await channels.close()

    async def staff(self, count: int, first: int = 1) -> list[Agent]:
        """Agents from number `first` to `count` logged in and ready; they stay for the tests that follow."""
        for number in range(first, count + 1):
            agent_id, device = f"agent{number:02d}", f"20{number:02d}"
            if agent_id in self.agents:
                continue
            part = AgentPart(agent_id, device, f"e2e-{device}", tone_hz=1_300 + 110 * number)
            token = mint(self.site.key, agent_id, TENANT, ["agent"], agent_id, 3_600.0)
            agent = await Agent.open(part, self.sip, self.site.address, token)
            await agent.log_in()
            self.agents[agent_id] = agent
        return list(self.agents.values())

    def client(self, stub: Callable[[Any], Any], service: str, role: str = "supervisor") -> Any:
        """A stub of a service with a person's token."""
        channels = Channels(StaticToken(mint(self.site.key, f"e2e-{role}", TENANT, [role], None, 3_600.0)))
        self._channels.append(channels)
        return stub(channels.channel(self.site.address(service)))

    def reports(self) -> Reports:
        return Reports(self.site.clickhouse.analyst)

    async def dial(self, called: str = NUMBER, answered_within: float = 15.0) -> LiveCall:
        """A new customer whose call is answered."""
        self._next += 1
        tone = 310 + 41 * (self._next % 20)
        phone = await SipPhone.open(f"+8613700{self._next:06d}", self.sip, tone_hz=tone)
        self._phones.append(phone)
        call = await phone.call(f"sip:{called}@{self.sip[0]}:{self.sip[1]}")
        await call.wait("answered", within=answered_within)
        return LiveCall(phone, call, tone, sip_contact_id("default", call.call_id, call.local.rpartition("tag=")[2]))

    async def queue(self, digit: str = "1", answered_within: float = 15.0) -> LiveCall:
        """A customer who has heard the menu and pressed a digit."""
        live = await self.dial(answered_within=answered_within)
        await eventually(lambda: rms(live.call.rtp.samples(last_ms=200)) > SPEECH, 10, "the menu is heard")
        await live.call.send_digits(digit)
        return live

    async def talking(self, live: LiveCall, within: float = 45.0) -> LiveCall:
        """Waits until an agent and the customer hear each other."""

        def joined() -> bool:
            for agent in self.agents.values():
                if live.contact_id in agent.calls and live.call.rtp.level(agent.part.tone_hz) > HEARD:
                    live.agent = agent
                    return live.both_hear
            return False

        await eventually(joined, within, f"{live.contact_id} talks to an agent (call is {live.call.state})")
        return live

    async def bridge(self, count: int) -> list[LiveCall]:
        """This many customers in talk, each with an agent of their own."""
        waiting = await asyncio.gather(*(self.queue() for _ in range(count)))
        return list(await asyncio.gather(*(self.talking(live) for live in waiting)))

    async def rows_of(self, calls: Sequence[LiveCall], within: float = 30.0) -> dict[str, list[tuple[str, str, str]]]:
        """Segments (kind, agent, result) of the calls, once ClickHouse has all of them closed to the last segment."""
        reports, contacts = self.reports(), [live.contact_id for live in calls]

        async def complete() -> dict[str, list[tuple[str, str, str]]] | None:
            rows = await asyncio.to_thread(reports.contacts, contacts)
            if len([row for row in rows if row[2] is not None]) < len(contacts):
                return None
            found: dict[str, list[tuple[str, str, str]]] = {contact: [] for contact in contacts}
            for contact, kind, _, agent_id, result in await asyncio.to_thread(reports.segments, contacts):
                found[contact].append((kind, agent_id, result))
            ended = all(segment[2] for way in found.values() for segment in way)
            return found if ended and all(way[-1:] and way[-1][0] == "agent" for way in found.values()) else None

        rows: dict[str, list[tuple[str, str, str]]] = await eventually(
            complete, within, "every contact is closed, to its talk, in ClickHouse"
        )
        return rows


def served(agent_id: str) -> list[tuple[str, str, str]]:
    """The segments of a contact that went the straight way."""
    return [("flow", "", "completed"), ("queue", "", "completed"), ("agent", agent_id, "completed")]
