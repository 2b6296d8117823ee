"""Chats that an agent was given under a site epoch that has ended: the router of the new one is asked whether it knows.

An acceptance beyond the cut is void. Its agent would be free for the router and have the chat here, one more than the agent's
capacity, and nobody would be offered the chat. So where the router has it in line still, it goes back in line here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_service.effect_tasks import EffectTasks

from junctor_omnichannel.application.effects import Look, Report, Settled, at_once, origin
from junctor_omnichannel.domain.conversation import Conversation
from junctor_omnichannel.domain.fence import EVERY_TENANT, in_doubt, partition_of

Streams = Mapping[tuple[str, str], Conversation]


class Router(Protocol):
    """The router, as a doubt needs it."""

    async def waits(self, conversation: Conversation, asked: str) -> bool:
        """Whether it has the contact in line, or only offered; `asked` names the question. Raises `ServiceError`."""


class Doubts:
    """`streams(partition)` gives what is in a partition of the own journal; `settled` as for `ConversationEffects`."""

    def __init__(
        self,
        tasks: EffectTasks,
        router: Router,
        report: Report,
        look: Look,
        streams: Callable[[int], Streams],
        settled: Settled = at_once,
    ) -> None:
        self._tasks = tasks
        self._router = router
        self._report = report
        self._look = look
        self._streams = streams
        self._settled = settled

    def see(self, partition: int, entry: Any, mine: bool) -> None:
        """Each entry of the own journal."""
        if not mine or entry.tenant != EVERY_TENANT:
            return
        for event in entry.events:
            if isinstance(event.message, pb.FenceRaised):
                self._ask(partition, event.message.partition, event.message.site_epoch)

    def all(self, partition: int) -> None:
        """This process owns the partition from here on: who was to be asked may not have been."""
        for (tenant, stream), state in list(self._streams(partition).items()):
            if tenant == EVERY_TENANT and (router_partition := partition_of(stream)) is not None:
                self._ask(partition, router_partition, state.fence)

    def _ask(self, partition: int, router_partition: int, site_epoch: int) -> None:
        asked = f"epoch/{router_partition}/{site_epoch}"
        for (tenant, contact), state in list(self._streams(partition).items()):
            if in_doubt(state, site_epoch):
                self._start(partition, tenant, contact, asked, state.reservation_id)

    def _start(self, partition: int, tenant: str, contact: str, asked: str, reservation_id: str) -> None:
        async def work() -> None:
            conversation = self._look(tenant, contact)
            if conversation is not None:
                await self._settled(conversation)
                conversation = self._look(tenant, contact)
            if conversation is None or conversation.reservation_id != reservation_id:
                return
            if await self._router.waits(conversation, asked):
                body = pb.TaskReported(
                    contact_id=contact, state="requeued", queue=conversation.queue, reservation_id=reservation_id
                )
                await self._report(body, **origin(tenant, contact, f"{asked}/waits"))

        self._tasks.start(partition, f"{tenant}/{contact}/{asked}", work)
