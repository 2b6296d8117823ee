"""From an RPC to the pool that it concerns: a queue or agent by the directory, a contact by the followed state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from junctor.router.v1 import router_pb2 as pb
from junctor_service.errors import invalid, not_found

from junctor_router.application.configuration import Configuration
from junctor_router.application.configuration_feed import ConfigurationFeed
from junctor_router.application.queries import Queries

R = TypeVar("R", bound=Message)

LOOK_AGAIN_SECONDS = 0.05
LOOKS = 4
NAMED_QUEUES = 20


class Commands(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def apply(
        self, request: Message, *, stream: str, correlation_id: str = "", answer: type[R] | None = None
    ) -> Awaitable[R]: ...


class Requests:
    def __init__(
        self, configuration: Configuration, feed: ConfigurationFeed, queries: Queries, commands: Commands
    ) -> None:
        self._configuration = configuration
        self._feed = feed
        self._queries = queries
        self._commands = commands

    async def for_queue(self, request: pb.RequestTaskRequest, answer: type[R]) -> R:
        """Raises INVALID_ARGUMENT for a queue that the directory does not have, naming those that it has: not recorded,
        so the same request may succeed once the queue is there."""
        pool = await self._known_queue(request.tenant, request.queue)
        return await self._commands.apply(request, stream=pool, correlation_id=request.contact_id, answer=answer)

    async def for_agent(self, request: Any, answer: type[R]) -> R:
        """Raises NOT_FOUND for an agent that the directory does not have."""
        pool = self._queries.pool_of_agent(request.tenant, request.agent_id)
        await self._feed.applied(request.tenant, pool, ("agent", request.agent_id))
        contact_id = getattr(request, "contact_id", "")
        return await self._commands.apply(request, stream=pool, correlation_id=contact_id, answer=answer)

    async def for_contact(self, request: Any, answer: type[R]) -> R:
        """Raises NOT_FOUND for a contact that no pool of the tenant has."""
        if not request.contact_id:
            raise invalid("contact_id is empty.", reason="CONTACT_MISSING")
        pool = await self._where(request.tenant, request.contact_id)
        queue = getattr(request, "queue", "")
        if queue:
            wanted = await self._known_queue(request.tenant, queue)
            if wanted != pool:
                raise invalid(
                    f"The queue {queue!r} is in the pool {wanted}, the contact in {pool}; a contact stays in its pool.",
                    reason="QUEUE_OF_ANOTHER_POOL",
                )
        return await self._commands.apply(request, stream=pool, correlation_id=request.contact_id, answer=answer)

    async def _known_queue(self, tenant: str, queue: str) -> str:
        pool = self._queries.pool_of_queue(tenant, queue)
        if pool is None:
            known = ", ".join(self._configuration.ids(tenant, "queue")[:NAMED_QUEUES]) or "none"
            raise invalid(f"The queue {queue!r} is not known; known are: {known}.", reason="QUEUE_UNKNOWN")
        found = self._configuration.get(tenant, "queue", queue)
        plan = found.value.queue.plan if found is not None else ""
        names = [("queue", queue), *([("plan", plan)] if plan else [])]
        await self._feed.applied(tenant, pool, *names)
        return pool

    async def _where(self, tenant: str, contact_id: str) -> str:
        """Another process may have been told of the contact a moment before this one reads it: looks a few times."""
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            pool = self._queries.pool_of_contact(tenant, contact_id)
            if pool is not None:
                return pool
        raise not_found(f"The contact {contact_id!r} is not known, or was done some time ago.", reason="TASK_UNKNOWN")
