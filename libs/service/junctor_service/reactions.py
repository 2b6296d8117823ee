"""Other services' events as inputs of this one: read, appended to its inputs topic, then committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from junctor.journal.v1 import journal_pb2
from junctor_journal.errors import JournalError
from junctor_journal.events import Event, decode_event
from junctor_journal.subscription import Subscription

log = logging.getLogger(__name__)

React = Callable[[Event], Iterable[journal_pb2.Input]]
RETRY_SECONDS = 0.5


class InputLog(Protocol):
    """Appends inputs; the part of the ledger that is needed here."""

    async def append_inputs(self, inputs: Sequence[journal_pb2.Input]) -> None:
        """Returns when all are written. Raises `LogUnavailable` (retry all: their ids make repeats harmless)."""


class Reactions:
    """A component: `react` gives the inputs that an event causes. At least once, in order per partition.

    `react` is pure and may not fail: an event that it fails on is logged, counted and passed over, so that one bad
    event stops nothing; the inputs' ids derive from `event.id`, so that a repeat is recognised. It may raise a retryable
    `JournalError` where it needs a state that is not read yet: then it is asked again.
    """

    def __init__(self, name: str, subscription: Subscription, inputs: InputLog, react: React) -> None:
        self.name = f"reactions {name}"
        self.failures = 0
        self._subscription = subscription
        self._inputs = inputs
        self._react = react
        self._subscribed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        return self._subscribed and self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Returns at once; not ready until Kafka is there."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._subscription.stop()

    async def _subscribe(self) -> None:
        while not self._subscribed:
            try:
                await self._subscription.start()
                self._subscribed = True
            except JournalError as error:
                log.warning("reactions wait for Kafka", extra={"error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)

    async def _run(self) -> None:
        await self._subscribe()
        while True:
            records = await self._subscription.getmany()
            if not records:
                continue
            generation = self._subscription.generation
            inputs: list[journal_pb2.Input] = []
            for record in records:
                event = decode_event(record)
                if event is None:
                    self._passed_over("not a CloudEvent", record.topic, record.offset)
                    continue
                try:
                    inputs += await self._caused_by(event)
                except Exception:
                    log.exception("reaction failed", extra={"event_type": event.type, "event_id": event.id})
                    self._passed_over(event.type, record.topic, record.offset)
            if await self._append(inputs, generation):
                await self._subscription.commit(records)

    async def _caused_by(self, event: Event) -> list[journal_pb2.Input]:
        while True:
            try:
                return list(self._react(event))
            except JournalError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _append(self, inputs: Sequence[journal_pb2.Input], generation: int) -> bool:
        while inputs:
            try:
                await self._inputs.append_inputs(inputs)
                break
            except JournalError as error:
                log.warning("reaction waits for the log", extra={"error": repr(error), "inputs": len(inputs)})
                await asyncio.sleep(RETRY_SECONDS)
                if generation != self._subscription.generation:
                    return False
        return generation == self._subscription.generation

    def _passed_over(self, what: str, topic: str, offset: int) -> None:
        self.failures += 1
        log.error("event passed over", extra={"what": what, "topic": topic, "offset": offset})
