"""Workspaces of many agents in a process: each logs in and follows its own stream of offers, with its own token.

`python -m bench.site_agents`: reads lines of JSON, `{"agents": {id: token}, "routers": {site: address}}` first, then
`{"to": site}`, upon which all connect to the router there. Writes `["at", site]` when all have their streams, and
`["offer", agent, contact, reservation, monotonic seconds]` for each offer. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import grpc
from junctor.router.v1 import router_pb2 as pb
from junctor.router.v1 import router_pb2_grpc
from junctor_service.client import Channels, rpc
from junctor_service.errors import ServiceError
from junctor_service.ids import uuid7
from junctor_service.run import loop_factory
from junctor_service.token_source import StaticToken

TENANT = "demo"
CONNECTIONS = 10
"""To each router; the streams are spread over them."""
TOGETHER = 100
"""Agents who connect at the same time."""
_IDLE = (pb.AGENT_STATE_NOT_READY, pb.AGENT_STATE_NOT_RESPONDING)


class Workspaces:
    """All agents of the process."""

    def __init__(self, agents: Mapping[str, str], routers: Mapping[str, str]) -> None:
        self._tokens = agents
        self._channels = [Channels(StaticToken("")) for _ in range(CONNECTIONS)]
        self._stubs = {
            site: [router_pb2_grpc.RouterServiceStub(channels.channel(address)) for channels in self._channels]
            for site, address in routers.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._there: set[str] = set()
        self._gate = asyncio.Semaphore(TOGETHER)

    async def go(self, site: str) -> None:
        """Everybody to that site's router."""
        await self.leave()
        self._there.clear()
        self._tasks = {
            asyncio.create_task(self._work(agent, self._stubs[site][number % CONNECTIONS], site))
            for number, agent in enumerate(self._tokens)
        }

    async def leave(self) -> None:
        """Nobody is connected."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, agent: str, stub: Any, site: str) -> None:
        metadata = (("authorization", f"Bearer {self._tokens[agent]}"),)
        seen: set[str] = set()
        while True:
            try:
                async with self._gate:
                    request = pb.WatchAgentRequest(tenant=TENANT, agent_id=agent)
                    updates = aiter(stub.WatchAgent(request, metadata=metadata))
                    first = await anext(updates, None)
                if first is not None:
                    await self._see(agent, stub, metadata, first, seen)
                    self._is_there(agent, site)
                    async for update in updates:
                        await self._see(agent, stub, metadata, update, seen)
            except (ServiceError, grpc.RpcError):
                pass
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _see(self, agent: str, stub: Any, metadata: Any, update: pb.WatchAgentResponse, seen: set[str]) -> None:
        """A stream that breaks off in an answer of ours is opened again, and the snapshot asks for the same."""
        state = update.agent.state
        if state == pb.AGENT_STATE_LOGGED_OUT:
            log_in = pb.LogInRequest(request_id=uuid7(), tenant=TENANT, agent_id=agent, state=pb.AGENT_STATE_READY)
            await rpc(stub.LogIn(log_in, metadata=metadata))
        elif state in _IDLE and not update.agent.pending:
            ready = pb.SetAgentStateRequest(
                request_id=uuid7(), tenant=TENANT, agent_id=agent, state=pb.AGENT_STATE_READY
            )
            await rpc(stub.SetAgentState(ready, metadata=metadata))
        for task in update.agent.tasks:
            if task.state == pb.TASK_STATE_RESERVED and task.reservation_id not in seen:
                seen.add(task.reservation_id)
                _say("offer", agent, task.contact_id, task.reservation_id, time.monotonic())

    def _is_there(self, agent: str, site: str) -> None:
        if agent not in self._there:
            self._there.add(agent)
            if len(self._there) == len(self._tokens):
                _say("at", site)


def _say(*what: object) -> None:
    print(json.dumps(what), flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    given = json.loads(await lines.readline())
    workspaces = Workspaces(given["agents"], given["routers"])
    while line := await lines.readline():
        await workspaces.go(json.loads(line)["to"])
    await workspaces.leave()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
