"""How records are written to Kafka: idempotent producers that can be given up, which aiokafka itself does not offer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from junctor_journal.brokers import Brokers
from junctor_journal.errors import LogUnavailable, RecordTooLarge
from junctor_journal.log import Headers, NewRecord, TopicPartition

log = logging.getLogger(__name__)

# Kafka's default message.max.bytes is 1,048,588 for a whole batch; a batch stays below it with room for its header.
_BATCH_BYTES = 900_000
_REQUEST_BYTES = 1_048_000
_FAILED = (KafkaError, OSError, TimeoutError, AssertionError)


def new_producer(bootstrap: Brokers, client_id: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **bootstrap.options(),
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=_BATCH_BYTES,
        max_request_size=_REQUEST_BYTES,
        request_timeout_ms=5_000,
        retry_backoff_ms=20,
        metadata_max_age_ms=300_000,
    )


async def abandon(producer: AIOKafkaProducer) -> None:
    """Ends a producer with whatever it has not written. aiokafka's own `stop` would try to write it, for ever."""
    try:
        task = producer._sender.sender_task
        if task is not None:
            task.cancel()
        with contextlib.suppress(*_FAILED):
            await asyncio.wait_for(producer.client.close(), 3)
        if task is not None:
            await asyncio.wait([task], timeout=3)
            if task.done() and not task.cancelled():
                task.exception()
        _fail_unwritten(producer._message_accumulator)
    except Exception as error:
        log.warning("a producer was not closed cleanly", extra={"error": repr(error)})
    producer._closed = True


def _fail_unwritten(accumulator: Any) -> None:
    """Fails what is queued or on its way. A batch that is being tried again is in the queue only, and its callback
    would not find it among the pending ones; nobody may wait for a batch, and its errors are then nobody's."""
    batches = [batch for queue in accumulator._batches.values() for batch in queue]
    accumulator._pending_batches.update(batches)
    batches = list(accumulator._pending_batches)
    accumulator.fail_all(LogUnavailable("given up unwritten"))
    for batch in batches:
        for future in (batch.future, batch._drain_waiter):
            if future.done() and not future.cancelled():
                future.exception()


class KafkaAppender:
    def __init__(self, producer: AIOKafkaProducer, tp: TopicPartition, timeout: float) -> None:
        self._producer = producer
        self._tp = tp
        self._timeout = timeout
        self._failure: BaseException | None = None
        self._open: set[asyncio.Future[int]] = set()

    async def append(self, records: Sequence[NewRecord]) -> Awaitable[int]:
        first: asyncio.Future[int] | None = None
        last: asyncio.Future[int] | None = None
        for batch in _batches(self._producer, records):
            last = await self._append_batch(batch)
            first = first or last
        if first is None or last is None:
            raise ValueError("an append needs at least one record")
        return first if first is last else _both(first, last)

    async def close(self) -> None:
        if self._open:
            await asyncio.wait(self._open, timeout=self._timeout)
        await abandon(self._producer)

    async def abandon(self) -> None:
        self._failure = self._failure or LogUnavailable("given up")
        await abandon(self._producer)

    async def _append_batch(self, batch: Any) -> asyncio.Future[int]:
        if self._failure is not None:
            raise LogUnavailable("an earlier append of this producer failed") from self._failure
        loop = asyncio.get_running_loop()
        written: asyncio.Future[int] = loop.create_future()
        try:
            async with asyncio.timeout(self._timeout):
                sent = await self._producer.send_batch(batch, self._tp.topic, partition=self._tp.partition)
        except _FAILED as error:
            self._failure = error
            raise LogUnavailable("Kafka did not take the records in time") from error
        timer = loop.call_later(self._timeout, self._fail, written, TimeoutError("no acknowledgement in time"))

        def settle(done: asyncio.Future[Any]) -> None:
            timer.cancel()
            self._open.discard(written)
            if done.cancelled():
                self._fail(written, asyncio.CancelledError())
            elif (error := done.exception()) is not None:
                self._fail(written, error)
            elif not written.done():
                written.set_result(done.result().offset)

        self._open.add(written)
        sent.add_done_callback(settle)
        return written

    def _fail(self, written: asyncio.Future[int], error: BaseException) -> None:
        self._failure = self._failure or error
        if not written.done():
            failure = LogUnavailable("Kafka did not write the records")
            failure.__cause__ = error
            written.set_exception(failure)
            written.exception()


class KafkaProducer:
    """One idempotent producer that is replaced by a new one after a failed write, when Kafka is back."""

    def __init__(self, bootstrap: Brokers, client_id: str, timeout: float, on_change: Callable[[bool], None]) -> None:
        self._bootstrap = bootstrap
        self._client_id = f"{client_id}-writer"
        self._timeout = timeout
        self._on_change = on_change
        self._producer: AIOKafkaProducer | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def available(self) -> bool:
        return self._producer is not None

    async def start(self) -> None:
        if not await self._connect():
            self._recover()

    async def stop(self) -> None:
        self._stopped = True
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(*_FAILED):
                await asyncio.wait_for(producer.flush(), self._timeout)
            await abandon(producer)
        if self._closing:
            await asyncio.wait(self._closing)

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> int:
        producer = self._current()
        try:
            async with asyncio.timeout(self._timeout):
                sent = await producer.send(
                    topic, value, key, partition=partition, timestamp_ms=timestamp, headers=list(headers)
                )
                return int((await sent).offset)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"a record for {topic} is too large") from error
        except _FAILED as error:
            self._lost(producer, error)
            raise LogUnavailable(f"Kafka did not write a record to {topic} in time") from error

    async def send_many(self, topic: str, partition: int, records: Sequence[NewRecord]) -> int:
        producer = self._current()
        first: int | None = None
        try:
            for batch in _batches(producer, records):
                async with asyncio.timeout(self._timeout):
                    written = await (await producer.send_batch(batch, topic, partition=partition))
                first = written.offset if first is None else first
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"a record for {topic} is too large") from error
        except _FAILED as error:
            self._lost(producer, error)
            raise LogUnavailable(f"Kafka did not write records to {topic} in time") from error
        if first is None:
            raise ValueError("send_many needs at least one record")
        return first

    def _current(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise LogUnavailable(f"Kafka at {self._bootstrap} is away")
        return self._producer

    def _lost(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        if producer is not self._producer:
            return
        log.warning("Kafka does not take records", extra={"error": repr(error)})
        self._producer = None
        closing = asyncio.create_task(abandon(producer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._recover()
        self._on_change(False)

    def _recover(self) -> None:
        if not self._stopped and (self._recovery is None or self._recovery.done()):
            self._recovery = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        while not self._stopped:
            await asyncio.sleep(0.3)
            if await self._connect():
                log.info("Kafka takes records again")
                self._on_change(True)
                return

    async def _connect(self) -> bool:
        producer = new_producer(self._bootstrap, self._client_id)
        try:
            async with asyncio.timeout(self._timeout):
                await producer.start()
        except _FAILED:
            await abandon(producer)
            return False
        except asyncio.CancelledError:
            await asyncio.shield(abandon(producer))
            raise
        self._producer = producer
        return True


def _batches(producer: AIOKafkaProducer, records: Sequence[NewRecord]) -> list[Any]:
    batches = []
    batch = None
    for key, value, headers, timestamp in records:
        if batch is None or batch.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is None:
            batch = producer.create_batch()
            batches.append(batch)
            if batch.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is None:
                raise RecordTooLarge(f"a record of {len(value or b'')} bytes is too large")
    for batch in batches:
        batch.close()
    return batches


async def _both(first: asyncio.Future[int], last: asyncio.Future[int]) -> int:
    await last
    return await first
