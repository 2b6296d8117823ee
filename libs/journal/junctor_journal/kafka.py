"""The log on Apache Kafka. The only module of the product that imports aiokafka."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from junctor_journal.brokers import Brokers, brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka_writing import KafkaAppender, KafkaProducer, new_producer
from junctor_journal.log import Batches, GroupListener, Record, TopicDeclaration, TopicPartition

log = logging.getLogger(__name__)

_FETCH_BYTES = 4 << 20
_SESSION_MS = 6_000
_HEARTBEAT_MS = 1_500
_TOPIC_EXISTS = 36
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9._-]")
_UNREACHABLE = (KafkaError, OSError, TimeoutError, AssertionError)


class KafkaLog:
    """`write_timeout` (seconds) is how long a write may take before it counts as failed; aiokafka itself retries for ever."""

    def __init__(
        self,
        bootstrap: str | Brokers,
        client_id: str = "junctor",
        replication_factor: int = 1,
        write_timeout: float = 4.0,
    ) -> None:
        self._bootstrap = brokers(bootstrap)
        self._client_id = client_id
        self._replication_factor = replication_factor
        self._write_timeout = write_timeout
        self._listeners: list[Callable[[bool], None]] = []
        self._producer = KafkaProducer(self._bootstrap, client_id, write_timeout, self._changed)
        self._looker: AIOKafkaConsumer | None = None
        self._looking = asyncio.Lock()

    @property
    def available(self) -> bool:
        return self._producer.available

    def watch(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def start(self) -> None:
        """Connects; where Kafka is away, goes on trying in the background."""
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()
        looker, self._looker = self._looker, None
        if looker is not None:
            await KafkaTail(looker).close()

    async def appender(self, topic: str, partition: int) -> KafkaAppender:
        producer = new_producer(self._bootstrap, f"{self._client_id}-{topic}-{partition}")
        appender = KafkaAppender(producer, TopicPartition(topic, partition), self._write_timeout)
        try:
            async with asyncio.timeout(self._write_timeout):
                await producer.start()
        except _UNREACHABLE as error:
            await appender.abandon()
            raise LogUnavailable(f"Kafka at {self._bootstrap} cannot be reached") from error
        except asyncio.CancelledError:
            await asyncio.shield(appender.abandon())
            raise
        return appender

    def producer(self) -> KafkaProducer:
        return self._producer

    async def tail(self, positions: Mapping[TopicPartition, int], wait_ms: int = 500) -> KafkaTail:
        consumer = self._consumer(wait_ms)
        await _started(consumer, self._bootstrap)
        consumer.assign([KafkaPartition(*tp) for tp in positions])
        for tp, offset in positions.items():
            consumer.seek(KafkaPartition(*tp), offset)
        return KafkaTail(consumer)

    async def begin_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = [KafkaPartition(*tp) for tp in partitions]
        return await self._look(lambda consumer: consumer.beginning_offsets(wanted))

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = [KafkaPartition(*tp) for tp in partitions]
        return await self._look(lambda consumer: consumer.end_offsets(wanted))

    async def offsets_at(self, partitions: Iterable[TopicPartition], timestamp: int) -> dict[TopicPartition, int]:
        asked = list(partitions)
        ends = await self.end_offsets(asked)
        wanted = {KafkaPartition(*tp): timestamp for tp in asked}
        looker = await self._started_looker()
        try:
            async with asyncio.timeout(self._write_timeout):
                found = await looker.offsets_for_times(wanted)
        except _UNREACHABLE as error:
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not tell its offsets") from error
        return {tp: at.offset if (at := found.get(KafkaPartition(*tp))) else ends[tp] for tp in asked}

    async def partitions(self, topic: str) -> int:
        return len((await self._metadata()).partitions_for_topic(topic) or ())

    async def identity(self) -> str:
        admin = AIOKafkaAdminClient(client_id=f"{self._client_id}-admin", **self._bootstrap.options())
        try:
            async with asyncio.timeout(self._write_timeout):
                await admin.start()
                return str((await admin.describe_cluster())["cluster_id"])
        except _UNREACHABLE as error:
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not tell its id") from error
        finally:
            await admin.close()

    async def topics(self) -> frozenset[str]:
        return frozenset((await self._metadata()).topics())

    async def group(
        self,
        group_id: str,
        topics: Sequence[str],
        instance_id: str | None,
        on_assigned: GroupListener,
        on_revoked: GroupListener,
    ) -> KafkaGroup:
        consumer = self._consumer(
            500,
            group_id=group_id,
            group_instance_id=_NOT_IN_NAMES.sub("_", instance_id) if instance_id else None,
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            rebalance_timeout_ms=10_000,
        )
        consumer.subscribe(list(topics), listener=_Listener(consumer, on_assigned, on_revoked))
        await _started(consumer, self._bootstrap)
        return KafkaGroup(consumer)

    async def ensure_topics(self, declarations: Iterable[TopicDeclaration]) -> None:
        wanted = list(declarations)
        admin = AIOKafkaAdminClient(client_id=f"{self._client_id}-admin", **self._bootstrap.options())
        try:
            async with asyncio.timeout(30):
                await admin.start()
                known = set(await admin.list_topics())
                missing = [d for d in wanted if d.name not in known]
                if not missing:
                    return
                answer = await admin.create_topics(
                    [
                        NewTopic(d.name, d.partitions, self._replication_factor, topic_configs=dict(d.config))
                        for d in missing
                    ],
                    timeout_ms=20_000,
                )
                for name, code, *rest in answer.topic_errors:
                    if code not in {0, _TOPIC_EXISTS}:
                        raise LogUnavailable(f"topic {name} was not created: error {code} {rest}")
                # Brokers hear of a new topic a moment after the controller has it.
                names = {declaration.name for declaration in missing}
                while not names <= set(await admin.list_topics()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except _UNREACHABLE as error:
            raise LogUnavailable(f"Kafka at {self._bootstrap} did not create the topics") from error
        finally:
            await admin.close()

    def _consumer(self, wait_ms: int, **settings: object) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **self._bootstrap.options(),
            client_id=self._client_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=_FETCH_BYTES,
            retry_backoff_ms=50,
            **settings,
        )

    async def _started_looker(self) -> AIOKafkaConsumer:
        async with self._looking:
            if self._looker is None:
                consumer = self._consumer(500)
                await _started(consumer, self._bootstrap)
                self._looker = consumer
            return self._looker

    async def _look(self, ask: Callable[[AIOKafkaConsumer], object]) -> dict[TopicPartition, int]:
        looker = await self._started_looker()
        try:
            async with asyncio.timeout(self._write_timeout):
                answer = await ask(looker)  # type: ignore[misc]
        except _UNREACHABLE as error:
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not tell its offsets") from error
        return {TopicPartition(*tp): offset for tp, offset in answer.items()}

    async def _metadata(self) -> Any:
        looker = await self._started_looker()
        try:
            async with asyncio.timeout(self._write_timeout):
                return await looker._client.fetch_all_metadata()
        except _UNREACHABLE as error:
            raise LogUnavailable(f"Kafka at {self._bootstrap} does not tell its topics") from error

    def _changed(self, available: bool) -> None:
        for listener in list(self._listeners):
            listener(available)


class KafkaTail:
    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def getmany(self, timeout_ms: int = 500, max_records: int | None = None) -> Batches:
        try:
            found = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            log.warning("reading from Kafka failed", extra={"error": repr(error)})
            await asyncio.sleep(0.2)
            return {}
        return {
            TopicPartition(*tp): [
                Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in records
            ]
            for tp, records in found.items()
        }

    async def position(self, tp: TopicPartition) -> int:
        offset: int = await self._consumer.position(KafkaPartition(*tp))
        return offset

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._consumer.seek(KafkaPartition(*tp), offset)

    def pause(self, *partitions: TopicPartition) -> None:
        self._consumer.pause(*[KafkaPartition(*tp) for tp in partitions])

    def resume(self, *partitions: TopicPartition) -> None:
        self._consumer.resume(*[KafkaPartition(*tp) for tp in partitions])

    async def close(self) -> None:
        """In a task of its own: with the broker away, the client lets its own fetches' cancellation out of `stop`."""
        stopping = asyncio.ensure_future(self._consumer.stop())
        await asyncio.wait({stopping}, timeout=3)
        if not stopping.done():
            stopping.cancel()
            log.warning("a consumer was not closed in time")
        elif stopping.cancelled() or stopping.exception() is not None:
            why = "cancelled" if stopping.cancelled() else repr(stopping.exception())
            log.warning("a consumer was not closed cleanly", extra={"error": why})


class KafkaGroup(KafkaTail):
    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(*tp) for tp in self._consumer.assignment())


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer, on_assigned: GroupListener, on_revoked: GroupListener) -> None:
        self._consumer = consumer
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        gone = [TopicPartition(*tp) for tp in revoked]
        if gone:
            self._on_revoked(gone)

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        self._consumer.pause(*assigned)
        self._on_assigned([TopicPartition(*tp) for tp in assigned])


async def _started(consumer: AIOKafkaConsumer, bootstrap: Brokers) -> None:
    try:
        async with asyncio.timeout(10):
            await consumer.start()
    except _UNREACHABLE as error:
        try:
            async with asyncio.timeout(2):
                await consumer.stop()
        except _UNREACHABLE:
            log.debug("a consumer that did not start was not closed either")
        raise LogUnavailable(f"Kafka at {bootstrap} cannot be reached") from error
