"""The pump as a Faust app: Faust has the group membership, the assignor, the consumer thread and the life of it; whole
record batches go from its consumer to the partitions' owners, past its per-event path, and the journal says where to
read on, never the group's offsets (docs/adr/0004-router-pump.md has why, and the figures).

Private methods of faust-streaming's consumer are overridden here and nowhere else: `_drain_messages` (batches instead of
events), `_getmany` (its thread is asked without the queue of methods, which makes several tasks for each call),
`perform_seek` (the owners' places instead of committed offsets) and `_create_worker_consumer` (reads committed, answers
fetches sooner); of its app `_create_directories` (none are needed). They are those of VERSION; another one is refused at
the start, and tests/contract/test_pumps.py runs the same suite on this pump and on the plain one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from junctor_journal.brokers import Brokers, brokers
from junctor_journal.log import Log, Record
from junctor_journal.owners import Owners
from junctor_journal.pump import until_made
from junctor_service.run import loop_factory

logger = logging.getLogger(__name__)

VERSION = "0.15.3"
FETCH_WAIT_MS = 500
POLL_SECONDS = 0.5
POLL_UNSETTLED_SECONDS = 0.05
RETRY_SECONDS = 0.5
STOP_SECONDS = 3.0
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9._-]")


class WrongFaust(Exception):
    """Another version of faust-streaming than the one whose private methods are known here. Install VERSION."""


class FaustPump:
    """Meets `junctor_journal.pump.Pump`."""

    def __init__(self, at: str | Brokers) -> None:
        found = version("faust-streaming")
        if found != VERSION:
            raise WrongFaust(f"faust-streaming {found} is installed; the Faust pump knows {VERSION} only.")
        self._brokers = brokers(at)
        self._task: asyncio.Task[None] | None = None
        self._joined = False

    @property
    def ready(self) -> bool:
        """True once this process is a member of the group. It may own nothing."""
        return self._joined

    async def start(self, log: Log, sources: Sequence[str], group_id: str, instance_id: str, owners: Owners) -> None:
        """Goes on in the background; where Kafka is away it tries until it is there."""
        self._task = asyncio.create_task(
            self._run(log, list(sources), f"{group_id}.faust", instance_id, owners), name="pump"
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, log: Log, sources: list[str], group_id: str, instance_id: str, owners: Owners) -> None:
        """One app after the other: a Faust app that crashed is not started again."""
        while True:
            app: Any = None
            try:
                await until_made(log, sources)
                app = self._app(sources, group_id, instance_id, owners)
                app.loop = asyncio.get_running_loop()
                app.finalize()
                await app.start()
                await app.wait_until_stopped()
                logger.warning("the Faust app ended", extra={"group": group_id, "reason": repr(app.crash_reason)})
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger.warning("the inputs cannot be read now", extra={"group": group_id, "error": repr(error)})
            finally:
                owners.doubt([owner.partition for owner in owners.all()])
                if app is not None:
                    await asyncio.shield(_ended(app))
            await asyncio.sleep(RETRY_SECONDS)

    def _app(self, sources: list[str], group_id: str, instance_id: str, owners: Owners) -> Any:
        app = _App(
            group_id,
            broker=[f"kafka://{broker}" for broker in self._brokers.addresses.split(",")],
            broker_credentials=_credentials(self._brokers),
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            autodiscover=False,
            stream_wait_empty=False,
            stream_recovery_delay=0,
            worker_redirect_stdouts=False,
            key_serializer="raw",
            value_serializer="raw",
            broker_session_timeout=6,
            broker_heartbeat_interval=1.5,
            broker_request_timeout=15,
            broker_rebalance_timeout=10,
            broker_max_poll_records=2_000,
            consumer_max_fetch_size=4 << 20,
            consumer_auto_offset_reset="earliest",
            **({"consumer_group_instance_id": _NOT_IN_NAMES.sub("_", instance_id)} if instance_id else {}),
        )
        app.owners, app.sources = owners, frozenset(sources)
        topic = app.topic(*sources, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        @app.agent(topic, concurrency=1)  # type: ignore[untyped-decorator]
        async def subscribed(stream: Any) -> None:
            """Makes Faust subscribe; the batches pass it by."""
            async for _ in stream.noack().events():
                pass

        @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
        async def assigned(app: Any, assigned: Any, **more: Any) -> None:
            self._joined = True
            owners.assign({tp.partition for tp in assigned if tp.topic in sources})

        @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
        async def revoked(app: Any, revoked: Any, **more: Any) -> None:
            owners.doubt({tp.partition for tp in revoked if tp.topic in sources})

        return app


async def _ended(app: Any) -> None:
    """Within STOP_SECONDS: with the broker away Faust's own stop waits for it."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
    except TimeoutError:
        logger.warning("the Faust app did not stop in time and is left behind")
    except Exception as error:
        logger.warning("the Faust app did not stop cleanly", extra={"error": repr(error)})


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """On an event loop of the same kind as the process's."""

    def __init__(self, consumer: Any, loop: Any, beacon: Any) -> None:
        super().__init__(consumer, loop=loop, beacon=beacon, thread_loop=(loop_factory() or asyncio.new_event_loop)())
        self._close_thread_loop_on_stop = True

    async def on_thread_stop(self) -> None:
        """With the broker away aiokafka's close lets the cancellation of its own fetches out."""
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class _Consumer(driver.Consumer):  # type: ignore[misc]
    """Whole batches to the owners."""

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, self.loop, self.beacon)

    async def perform_seek(self) -> None:
        """Nothing: each owner's partitions are sought when it is ready."""

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)
                continue
            generation = self.app.consumer_generation_id
            await self._seek_for_owners()
            wanted = {tp for tp in self.assignment() if tp.topic in self.app.sources and self._wanted(tp)}
            settled = self.app.owners.settled and len(wanted) > 0
            if not wanted:
                await self.sleep(POLL_UNSETTLED_SECONDS)
                continue
            timeout = POLL_SECONDS if settled else POLL_UNSETTLED_SECONDS
            records = await self._getmany(active_partitions=wanted, timeout=timeout)
            if not self.flow_active or generation != self.app.consumer_generation_id:
                continue
            for tp, found in (records or {}).items():
                self.app.owners.put(tp.partition, [_record(record) for record in found])

    async def _getmany(self, active_partitions: set[TP], timeout: float) -> Any:
        thread = self._thread
        consumer = thread._ensure_consumer()
        asked = thread._fetch_records(consumer, active_partitions, timeout, consumer._max_poll_records)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, thread.thread_loop))

    async def _seek_for_owners(self) -> None:
        assigned = self.assignment()
        for owner in self.app.owners.wanting_seek():
            tps = [TP(topic, owner.partition) for topic in self.app.sources]
            if not all(tp in assigned for tp in tps):
                continue
            for tp in tps:
                await self._seek(tp, owner.resume_at(*tp))
            owner.sought()

    def _wanted(self, tp: Any) -> bool:
        owner = self.app.owners.get(tp.partition)
        return owner is not None and not owner.wants_seek() and not self.app.owners.full(tp.partition)


class _App(faust.App):  # type: ignore[misc]
    """An app whose consumer is ours; other Faust apps of the process stay as they are."""

    owners: Owners
    sources: frozenset[str]

    def _create_directories(self) -> None:
        """Nothing: they are for Faust's tables, and would lie where the process was started."""

    def _new_consumer(self) -> Any:
        return _Consumer(
            self.transport,
            callback=self.topics.on_message,
            on_partitions_revoked=self._on_partitions_revoked,
            on_partitions_assigned=self._on_partitions_assigned,
            loop=self.transport.loop,
            beacon=self.beacon,
        )


def _record(found: Any) -> Record:
    return Record(
        found.topic, found.partition, found.offset, found.timestamp, found.key, found.value, tuple(found.headers)
    )


def _credentials(at: Brokers) -> Any:
    if at.user:
        return faust.SASLCredentials(username=at.user, password=at.password, ssl_context=at.tls, mechanism=at.mechanism)
    return faust.SSLCredentials(at.tls) if at.tls is not None else None
