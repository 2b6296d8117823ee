"""The demonstration itself: agents log in, twenty people call, five write; then the report and the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from junctor.recording.v1 import recording_pb2_grpc
from junctor.router.v1 import router_pb2_grpc
from junctor_local.site import Site
from junctor_local.tokens import mint
from junctor_service.client import Channels
from junctor_service.token_source import StaticToken
from rich.console import Console

from junctor_cli.contact import show_timeline
from junctor_cli.demonstration import cast, report, verdict
from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.board import Board
from junctor_cli.demonstration.callers import CallResult, place
from junctor_cli.demonstration.cast import TENANT
from junctor_cli.demonstration.chats import ChatResult, write

TOKEN_SECONDS = 3_600.0


@dataclass(frozen=True)
class Shown:
    """What was shown. `problems` has one sentence for everything that is missing."""

    calls: Sequence[CallResult]
    chats: Sequence[ChatResult]
    problems: list[str]

    @property
    def example(self) -> str:
        """A contact that an agent served."""
        return next((call.contact_id for call in self.calls if call.agent_id), "")


async def show(site: Site, tenant_file: Path, console: Console) -> Shown:
    """Runs the whole demonstration on a site whose tenant is applied."""
    host, _, port = site.address("sip").rpartition(":")
    sip = (host, int(port))
    calls = [CallResult(caller) for caller in cast.callers()]
    chats = [ChatResult(chatter) for chatter in cast.chatters()]
    since = time.time_ns() // 1_000_000
    agents: dict[str, Agent] = {}
    playing: list[asyncio.Task[None]] = []
    supervisor = Channels(StaticToken(mint(site.key, "demo-supervisor", TENANT, ["supervisor"], None, TOKEN_SECONDS)))
    await supervisor.start()
    try:
        for part in cast.agents(tenant_file):
            token = mint(site.key, part.agent_id, TENANT, ["agent"], part.agent_id, TOKEN_SECONDS)
            agents[part.agent_id] = await Agent.open(part, sip, site.address, token)
        router = router_pb2_grpc.RouterServiceStub(supervisor.channel(site.address("router")))
        recording = recording_pb2_grpc.RecordingServiceStub(supervisor.channel(site.address("recording")))
        board = asyncio.create_task(Board(router, calls, console).run())
        joining = [asyncio.create_task(_join(agent)) for agent in agents.values()]
        playing += [board, *joining]
        await asyncio.gather(
            *(task for task, agent in zip(joining, agents.values(), strict=True) if not agent.part.joins_after)
        )
        calling = [asyncio.create_task(place(call.caller, sip, agents, call)) for call in calls]
        writing = [asyncio.create_task(write(chat, site.address("web_chat"), agents)) for chat in chats]
        playing += [*calling, *writing]
        await asyncio.gather(*calling, *writing, *joining)
        reports = report.Reports(site.clickhouse.analyst)
        contacts = [contact for contact in (*(c.contact_id for c in calls), *(c.contact_id for c in chats)) if contact]
        recorded = [call.contact_id for call in calls if call.agent_id]
        await verdict.rows_there(reports, contacts, recorded)
        board.cancel()
        problems = [*await verdict.judge(calls, agents, reports, recording), *verdict.chat_problems(chats, reports)]
        if not sum(agent.not_responding for agent in agents.values()):
            problems.append("no agent was found not responding")
        _tell(console, reports, since, calls, recorded)
        return Shown(calls, chats, problems)
    finally:
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        await asyncio.gather(*(agent.close() for agent in agents.values()), return_exceptions=True)
        await supervisor.close()


async def _join(agent: Agent) -> None:
    await asyncio.sleep(agent.part.joins_after)
    await agent.log_in()


def _tell(
    console: Console, reports: report.Reports, since: int, calls: Sequence[CallResult], recorded: Sequence[str]
) -> None:
    report.show_queues(console, reports.queues(since, time.time_ns() // 1_000_000 + 1_000))
    example = next((call.contact_id for call in calls if call.agent_id), "")
    if example:
        console.print(f"\nOne contact's way through the services: {example}", style="bold")
        show_timeline(console, reports.timeline(example))
    for _, path, duration_ms in reports.recordings(list(recorded))[:1]:
        console.print(f"A recording ({duration_ms / 1000:.1f} s, sealed): {path}", soft_wrap=True)
