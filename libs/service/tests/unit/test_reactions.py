"""Reactions whose Kafka is away when the service starts."""

from __future__ import annotations

import asyncio

from junctor_journal.errors import LogUnavailable, Restoring
from junctor_journal.log import Record
from junctor_service import reactions
from junctor_service.reactions import Reactions


class LateKafka:
    """A subscription that can be started at the third try."""

    generation = 0

    def __init__(self) -> None:
        self.tries = 0
        self.asked = asyncio.Event()

    async def start(self) -> None:
        self.tries += 1
        if self.tries < 3:
            raise LogUnavailable("Kafka at nowhere cannot be reached")

    async def getmany(self) -> list[object]:
        self.asked.set()
        await asyncio.sleep(3600)
        return []

    async def stop(self) -> None:
        pass


async def test_a_start_without_kafka_waits_for_it_and_is_not_ready_until_then(monkeypatch) -> None:
    monkeypatch.setattr(reactions, "RETRY_SECONDS", 0)
    kafka = LateKafka()
    component = Reactions("router", kafka, None, lambda event: [])  # type: ignore[arg-type]
    await component.start()
    assert not component.ready
    await asyncio.wait_for(kafka.asked.wait(), 5)
    assert (component.ready, kafka.tries) == (True, 3)
    await component.stop(0.0)
    assert not component.ready


class OneRecord(LateKafka):
    """A subscription with one event."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 2
        self.given, self.committed = False, asyncio.Event()

    async def getmany(self) -> list[object]:
        if self.given:
            return await super().getmany()
        self.given = True
        headers = [("ce_id", b"e"), ("ce_type", b"junctor.journal.v1.EpochStarted")]
        return [Record("events", 0, 0, 0, b"", b"", headers)]

    async def commit(self, records: object) -> None:
        self.committed.set()


async def test_a_reaction_that_needs_a_state_waits_until_it_is_read(monkeypatch) -> None:
    monkeypatch.setattr(reactions, "RETRY_SECONDS", 0)
    asked = []

    def react(event):
        asked.append(event.id)
        if len(asked) < 3:
            raise Restoring("not read yet")
        return []

    kafka = OneRecord()
    component = Reactions("router", kafka, None, react)  # type: ignore[arg-type]
    await component.start()
    await asyncio.wait_for(kafka.committed.wait(), 5)
    assert (asked, component.failures) == (["e"] * 3, 0)
    await component.stop(0.0)
