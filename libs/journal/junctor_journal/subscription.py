"""A durable place in other services' topics: read, act, commit. At least once; the reader's inputs carry derived ids.

The one use of Kafka's committed group offsets: inputs and journals are read from the places that the journal says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaTopicPartition
from aiokafka.errors import KafkaError

from junctor_journal.brokers import Brokers, brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.log import Record

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5


class Subscription:
    """A member of the consumer group `group`, which shares the topics' partitions among the processes of a service.

    A group that is new begins at the earliest record. After a crash or a rebalance the records since the last `commit`
    come again.
    """

    def __init__(
        self, bootstrap: str | Brokers, group: str, topics: Sequence[str], *, instance_id: str | None = None
    ) -> None:
        self._bootstrap = brokers(bootstrap)
        self._group = group
        self._topics = tuple(topics)
        self._instance_id = instance_id
        self._consumer: AIOKafkaConsumer | None = None
        self._generation = 0

    async def start(self) -> None:
        """Joins the group. Raises `LogUnavailable` where Kafka cannot be reached; may be tried again."""
        consumer = AIOKafkaConsumer(
            **self._bootstrap.options(),
            group_id=self._group,
            group_instance_id=self._instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            fetch_max_wait_ms=500,
            metadata_max_age_ms=60_000,
        )
        consumer.subscribe(list(self._topics), listener=_Generation(self))
        try:
            await consumer.start()
        except BaseException as error:
            await consumer.stop()
            if isinstance(error, KafkaError):
                raise LogUnavailable(f"Kafka at {self._bootstrap} cannot be reached") from error
            raise
        self._consumer = consumer

    async def getmany(self, timeout_ms: int = 500, max_records: int = 500) -> list[Record]:
        """Records as soon as there are any, each partition's in order; empty after the time or while Kafka is away."""
        assert self._consumer is not None, "start() first"
        try:
            batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            log.warning("subscription cannot read", extra={"group": self._group, "error": repr(error)})
            await asyncio.sleep(RETRY_SECONDS)
            return []
        return [
            Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
            for records in batches.values()
            for r in records
        ]

    @property
    def generation(self) -> int:
        """Changes with each rebalance: what was read before one may not be committed after it."""
        return self._generation

    def rewind(self, records: Sequence[Record]) -> None:
        """Reads these records again: the work on them did not succeed."""
        assert self._consumer is not None
        first: dict[KafkaTopicPartition, int] = {}
        for record in records:
            tp = KafkaTopicPartition(record.topic, record.partition)
            first[tp] = min(first.get(tp, record.offset), record.offset)
        for tp, offset in first.items():
            if tp in self._consumer.assignment():
                self._consumer.seek(tp, offset)

    async def commit(self, records: Sequence[Record]) -> None:
        """The work on these records is done. Where the commit fails they come again: no error reaches the caller."""
        assert self._consumer is not None
        done: dict[KafkaTopicPartition, int] = {}
        for record in records:
            tp = KafkaTopicPartition(record.topic, record.partition)
            done[tp] = max(done.get(tp, 0), record.offset + 1)
        done = {tp: offset for tp, offset in done.items() if tp in self._consumer.assignment()}
        if not done:
            return
        try:
            await self._consumer.commit(done)
        except KafkaError as error:
            log.warning("subscription cannot commit", extra={"group": self._group, "error": repr(error)})

    async def stop(self) -> None:
        """Leaves the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                await asyncio.wait_for(consumer.stop(), 3)
            except (TimeoutError, KafkaError):
                log.warning("subscription did not leave its group in time", extra={"group": self._group})


class _Generation(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def on_partitions_revoked(self, revoked: object) -> None:
        self._subscription._generation += 1

    def on_partitions_assigned(self, assigned: object) -> None:
        self._subscription._generation += 1
