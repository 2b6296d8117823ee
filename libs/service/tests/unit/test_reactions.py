"""Reactions whose Kafka is away when the service starts."""

from __future__ import annotations

import asyncio

from junctor_journal.errors import LogUnavailable
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
