"""A site's word to a process of the other one that has just come up: what this site did so far, you have read.

In each partition of the journal, among the conversations: so it comes after all that was done there, through the mirror too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.site.v1 import site_pb2
from junctor_journal.errors import JournalError
from junctor_journal.events import Event
from junctor_journal.record import type_of
from junctor_service.tokens import EVERY_TENANT

log = logging.getLogger(__name__)

Fact = Callable[..., journal_pb2.Input]
STREAM = "greetings"
"""The stream of greetings; its tenant is EVERY_TENANT."""
RETRY_SECONDS = 0.5
_OF_A_PARTITION = {kind.DESCRIPTOR.full_name: kind for kind in (pb.EpochSeen, pb.ProcessCame, pb.GreetingRead)}


def journal_partition_of(input: journal_pb2.Input) -> int | None:
    """The partition of the journal that an input is for by its content; None for those that go by their stream."""
    kind = _OF_A_PARTITION.get(type_of(input.body))
    return None if kind is None else kind.FromString(input.body.value).journal_partition


def greeting_read(fact: Fact, event: Event, greeted: pb.ProcessGreeted) -> journal_pb2.Input:
    """The input that follows in the same partition here: contacts are in the same one at both sites."""
    partition = event.journal_partition
    return fact(
        pb.GreetingRead(process=greeted.process, journal_partition=partition),
        id=f"omnichannel/greeting-read/{greeted.process}/{partition}",
        tenant=EVERY_TENANT,
        stream=STREAM,
        causation_id=event.id,
    )


class Greeter:
    """Greets each process of `edge_site`'s omnichannel when its first heartbeat is heard. `partitions` is how many the journal
    has, 0 before that is known; `append` writes inputs and raises `JournalError` where it cannot: it is asked again."""

    def __init__(
        self,
        edge_site: str,
        fact: Fact,
        partitions: Callable[[], int],
        append: Callable[[Sequence[journal_pb2.Input]], Awaitable[None]],
    ) -> None:
        self._site = edge_site
        self._fact = fact
        self._partitions = partitions
        self._append = append
        self._greeted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, beat: site_pb2.Heartbeat) -> None:
        """A heartbeat of any process."""
        if (beat.service, beat.site) != ("omnichannel", self._site) or beat.process in self._greeted:
            return
        self._greeted.add(beat.process)
        task = asyncio.create_task(self._greet(beat.process), name=f"greet {beat.process}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, process: str) -> None:
        while True:
            try:
                if inputs := self._inputs(process):
                    await self._append(inputs)
                    return
            except JournalError as error:
                log.info("a greeting waits for the log", extra={"greeted": process, "reason": str(error)})
            await asyncio.sleep(RETRY_SECONDS)

    def _inputs(self, process: str) -> list[journal_pb2.Input]:
        return [
            self._fact(
                pb.ProcessCame(site=self._site, process=process, journal_partition=partition),
                id=f"omnichannel/greeting/{process}/{partition}",
                tenant=EVERY_TENANT,
                stream=STREAM,
            )
            for partition in range(self._partitions())
        ]
