"""Whose workspace has a stream of offers at this process, told to the pools as inputs.

What is told follows from what is open here and what the followed state says: after an outage, a take-over or a lost
input the two are compared again, so nothing has to be remembered. A process that dies tells nothing: it is missed
(`connection_commands.HOLDER_MS`).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.errors import JournalError
from junctor_service.drain import remaining
from junctor_service.errors import ServiceError

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
"""A third of the time after which a process is missed."""
RETRY_SECONDS = 1.0

AgentName = tuple[str, str]
"""Tenant and agent."""


class Seen(Protocol):
    """The part of `Queries` that is needed here."""

    def pool_of_agent(self, tenant: str, agent_id: str) -> str: ...

    def holders(self, tenant: str, agent_id: str) -> tuple[str, ...]: ...


class Facts(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def fact(self, message: Any, *, id: str, tenant: str, stream: str) -> journal_pb2.Input: ...

    async def tell(self, input: journal_pb2.Input, deadline: float | None = None) -> Any: ...


class AgentStreams:
    """A component. `holder` names this process from its start to its end, and begins with the `edge` that it is of."""

    name = "agent streams"

    def __init__(self, seen: Seen, facts: Facts, edge: str, beat_seconds: float = BEAT_SECONDS) -> None:
        self.holder = f"{edge}/{uuid.uuid4().hex}"
        self._seen = seen
        self._facts = facts
        self._beat_seconds = beat_seconds
        self._open: Counter[AgentName] = Counter()
        self._told: set[AgentName] = set()
        self._count = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Streams may be opened at once; what is not told yet is told later."""
        return self._task is not None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, deadline: float) -> None:
        """The server has ended the streams by then: they are told to be closed, as far as the time allows."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._open.clear()
        try:
            async with asyncio.timeout(remaining(deadline) / 2):
                await self._compare()
        except (TimeoutError, JournalError, ServiceError) as error:
            log.info("streams of agents are left to be missed", extra={"reason": repr(error)})

    @contextmanager
    def open(self, tenant: str, agent_id: str) -> Iterator[None]:
        """While the block runs, the agent's workspace is there."""
        name = (tenant, agent_id)
        self._open[name] += 1
        self._changed.set()
        try:
            yield
        finally:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]
            self._changed.set()

    def entry(self, entry: Any) -> None:
        """An entry that was read back: an agent may be taken for gone who is here."""
        for message in entry.messages:
            lost = isinstance(message, pb.AgentConnectionChanged) and message.state == pb.CONNECTION_STATE_LOST
            if lost and self._open[entry.tenant, message.agent_id]:
                self._changed.set()

    async def _run(self) -> None:
        next_beat = 0.0
        while True:
            self._changed.clear()
            try:
                await self._compare()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + self._beat_seconds
                    await self._beat()
                pause = next_beat - time.monotonic()
            except (JournalError, ServiceError) as error:
                log.info("streams of agents wait for the log", extra={"reason": str(error)})
                pause = RETRY_SECONDS
            except Exception:
                log.exception("telling of agents' streams failed")
                pause = RETRY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.0)):
                    await self._changed.wait()

    async def _compare(self) -> None:
        """Tells each difference once; what did not come through is one again."""
        told = []
        for name in sorted({*self._open, *self._told}):
            try:
                pool, held = self._seen.pool_of_agent(*name), self.holder in self._seen.holders(*name)
            except ServiceError:
                self._told.discard(name)
                continue
            if held != (name in self._open):
                kind = pb.AgentStreamClosed if held else pb.AgentStreamOpened
                self._told.add(name)
                told.append(self._tell(kind(agent_id=name[1], holder=self.holder), name[0], pool))
            elif not held:
                self._told.discard(name)
        await asyncio.gather(*told)

    async def _beat(self) -> None:
        pools = {(tenant, self._seen.pool_of_agent(tenant, agent_id)) for tenant, agent_id in self._told}
        message = pb.StreamHolderAlive(holder=self.holder)
        await asyncio.gather(*(self._tell(message, tenant, pool) for tenant, pool in sorted(pools)))

    async def _tell(self, message: Message, tenant: str, pool: str) -> None:
        self._count += 1
        id = f"{tenant}/agent-streams/{self.holder}/{self._count}"
        await self._facts.tell(self._facts.fact(message, id=id, tenant=tenant, stream=pool))
