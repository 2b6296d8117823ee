"""The log that spans and audit records go to."""

from __future__ import annotations

from junctor_journal.kafka import KafkaLog


class RecordLog:
    """A component that is ready without Kafka: queries and streams go on, records wait, changes are told UNAVAILABLE."""

    name = "record log"
    ready = True

    def __init__(self, log: KafkaLog) -> None:
        self._log = log

    async def start(self) -> None:
        """Connects, in the background where Kafka is away."""
        await self._log.start()

    async def stop(self, deadline: float) -> None:
        """Closes."""
        await self._log.stop()
