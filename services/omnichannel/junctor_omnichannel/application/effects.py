"""What follows from the journal: lookers are told, and the steps that a conversation owes are asked of the router.

A step is owed in the state until it is done or has failed, so that a new owner finds it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, cast
from weakref import WeakValueDictionary

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_journal.aggregates import AggregateFold
from junctor_service.clock import Clock
from junctor_service.effect_tasks import EffectTasks
from junctor_service.errors import ServiceError
from junctor_service.telemetry import Telemetry
from junctor_service.trace_context import contact_traceparent

from junctor_omnichannel.application.feed import Feed
from junctor_omnichannel.domain.conversation import Conversation

Report = Callable[..., Awaitable[None]]
Look = Callable[[str, str], Conversation | None]
Settled = Callable[[Conversation], Awaitable[None]]


async def at_once(conversation: Conversation) -> None:
    """`Settled` where there is one site: nothing is ever out of date."""


class Kept(NamedTuple):
    """The agent who has a conversation still that came to this site, and the reservation."""

    agent_id: str
    reservation_id: str


class Routing(Protocol):
    """The router, as a conversation needs it. Every call may be made again: it is known by contact and step."""

    async def request(self, conversation: Conversation) -> Kept | None: ...

    async def cancel(self, conversation: Conversation) -> None: ...

    async def end(self, conversation: Conversation) -> None: ...


class GivenUp(Exception):
    """The router could not be asked within the patience; the last error says why."""

    retryable = False


class ConversationEffects:
    """`look` gives the followed state; `patience` is in seconds and holds for asking for an agent. `see` is given each entry of
    the journal, and whether its partition is owned here; `owned` is called when one is from here on. `settled` waits until a
    conversation is not out of date here (see `catching_up`)."""

    def __init__(
        self,
        tasks: EffectTasks,
        routing: Routing,
        report: Report,
        look: Look,
        feed: Feed,
        telemetry: Telemetry,
        clock: Clock,
        patience: float,
        see: Callable[[int, Any, bool], None] = lambda partition, entry, mine: None,
        owned: Callable[[int], None] = lambda partition: None,
        settled: Settled = at_once,
    ) -> None:
        self._tasks = tasks
        self._routing = routing
        self._report = report
        self._look = look
        self._feed = feed
        self._telemetry = telemetry
        self._clock = clock
        self._patience = patience
        self._see = see
        self._owned = owned
        self._settled = settled
        self._one_at_a_time: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def on_entry(self, partition: int, entry: Any, mine: bool) -> None:
        self._see(partition, entry, mine)
        self._feed.changed(entry.tenant, entry.stream)
        if not mine:
            return
        for event in entry.events:
            if isinstance(event.message, pb.StepOwed):
                self._start(partition, entry.tenant, entry.stream, event.message.step)

    def on_ready(self, partition: int, fold: Any) -> None:
        for (tenant, contact), conversation in cast(AggregateFold[Conversation], fold).streams().items():
            for step in conversation.owed:
                self._start(partition, tenant, contact, step)
        self._owned(partition)

    def on_lost(self, partition: int) -> None:
        self._tasks.end(partition)

    def _start(self, partition: int, tenant: str, contact: str, step: str) -> None:
        lock = self._one_at_a_time.setdefault((tenant, contact), asyncio.Lock())
        give_up_at = self._clock.monotonic() + self._patience

        async def work() -> None:
            async with lock:
                conversation = self._look(tenant, contact)
                if conversation is not None and step in conversation.owed:
                    await self._settled(conversation)
                    conversation = self._look(tenant, contact)
                if conversation is None or step not in conversation.owed:
                    return
                with self._telemetry.span(
                    "omnichannel.step", traceparent=trace_of(contact), attributes={"step": step.partition("/")[0]}
                ):
                    await self._make(step, conversation, give_up_at)
            await self._report(pb.StepDone(contact_id=contact, step=step), **origin(tenant, contact, f"{step}/done"))

        async def failed(error: Exception) -> None:
            await self._report(
                pb.StepFailed(contact_id=contact, step=step, reason=str(error)),
                **origin(tenant, contact, f"{step}/failed"),
            )

        self._tasks.start(partition, f"{tenant}/{contact}/{step}", work, failed)

    async def _make(self, step: str, conversation: Conversation, give_up_at: float) -> None:
        match step.partition("/")[0]:
            case "route":
                try:
                    kept = await self._routing.request(conversation)
                except ServiceError as error:
                    if error.retryable and self._clock.monotonic() > give_up_at:
                        raise GivenUp(error.message) from error
                    raise
                if kept is not None:
                    await self._still_with(conversation, step, kept)
            case "cancel_task":
                await self._routing.cancel(conversation)
            case "end_contact":
                await self._routing.end(conversation)

    async def _still_with(self, conversation: Conversation, step: str, kept: Kept) -> None:
        contact = conversation.contact_id
        await self._report(
            pb.ReservationReported(
                contact_id=contact, reservation_id=kept.reservation_id, agent_id=kept.agent_id, accepted=True
            ),
            **origin(conversation.tenant, contact, f"{step}/kept/{conversation.leg}"),
        )


def trace_of(contact_id: str) -> str:
    """The contact's trace; empty for a contact id that is no UUID."""
    try:
        return contact_traceparent(contact_id)
    except ValueError:
        return ""


def origin(tenant: str, contact: str, what: str) -> dict[str, str]:
    """Where a fact that this service makes of a conversation comes from; `what` names it for ever."""
    return {
        "id": f"{tenant}/omnichannel/{contact}/{what}",
        "tenant": tenant,
        "stream": contact,
        "correlation_id": contact,
        "traceparent": trace_of(contact),
    }
