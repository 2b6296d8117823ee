"""After a start: whether what this site has of a conversation can be out of date, since the other site took it over meanwhile.

Nobody may write into such a copy, no timer of it rings, and nothing is asked of the router for it. It is current, partition
by partition, once the other site's greeting to this process has gone through the own journal (see `greetings`). A site that
is not reached greets nobody: then the own conversations go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_journal.record import type_of
from junctor_service.errors import Code, ServiceError

from junctor_omnichannel.domain.conversation import Conversation

log = logging.getLogger(__name__)

PROBE_SECONDS = 1.0
LOOK_SECONDS = 0.5
UNREACHED_SECONDS = 5.0
"""The other site is taken for away when it was not reached for so long."""
LONGEST_SECONDS = 120.0
"""A mirror that brings no greeting from a site that is reached is broken: conversations go on then."""
_GREETING_READ = pb.GreetingRead.DESCRIPTOR.full_name


class CatchingUp:
    """A component. `process`: this one, as its heartbeats name it. `reached` asks whether the other site is there.
    `partition_of` gives a contact's partition, `partitions` how many there are (0: not known yet)."""

    name = "catching up"

    def __init__(
        self,
        process: str,
        reached: Callable[[], Awaitable[bool]],
        partition_of: Callable[[str, str], int],
        partitions: Callable[[], int],
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._process = process
        self._reached = reached
        self._partition_of = partition_of
        self._partitions = partitions
        self._monotonic = monotonic
        self._began_ms = now_ms()
        self._began = self._last_reached = monotonic()
        self._current: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Always: new conversations are served meanwhile."""
        return True

    async def start(self) -> None:
        """Looks for the other site in the background."""
        self._task = asyncio.create_task(self._probe(), name=self.name)

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def see(self, partition: int, entry: Any) -> None:
        """Each entry of the own journal as it is followed."""
        body = entry.input.body
        if type_of(body) == _GREETING_READ and pb.GreetingRead.FromString(body.value).process == self._process:
            self._current.add(partition)

    def check(self, conversation: Conversation | None) -> None:
        """Before anything is written into the conversation. Raises UNAVAILABLE (retry) while it can be out of date."""
        if conversation is not None and self._may_be_old(conversation):
            raise ServiceError(
                Code.UNAVAILABLE,
                "This site has just come up and does not know yet whether the other one has the conversation. Try again.",
                reason="CATCHING_UP",
            )

    def behind(self, partition: int) -> bool:
        """Whether something in a partition of the journal may be out of date."""
        return partition not in self._current and not self._over()

    async def settled(self, conversation: Conversation) -> None:
        """Returns when the copy is current, or nothing more is to be waited for: look at it again then."""
        while self._may_be_old(conversation):  # noqa: ASYNC110 time passes too
            await asyncio.sleep(LOOK_SECONDS)

    def _may_be_old(self, conversation: Conversation) -> bool:
        if not conversation.state or conversation.moved_to or conversation.arrived_at >= self._began_ms:
            return False
        return self.behind(self._partition_of(conversation.tenant, conversation.contact_id))

    def _over(self) -> bool:
        """Nothing more is to be waited for, though not every partition is current."""
        now = self._monotonic()
        return now - self._last_reached >= UNREACHED_SECONDS or now - self._began >= LONGEST_SECONDS

    async def _probe(self) -> None:
        while not 0 < self._partitions() <= len(self._current):
            if self._monotonic() - self._began >= LONGEST_SECONDS:
                log.warning("the other site's greeting did not come: conversations go on without it")
                return
            if await self._reached():
                self._last_reached = self._monotonic()
            await asyncio.sleep(PROBE_SECONDS)
