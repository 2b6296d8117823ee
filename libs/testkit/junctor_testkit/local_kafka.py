"""Real Apache Kafka for tests. A conftest.py imports the fixtures it wants: kafka, kafka_log, own_kafka, service_name.

One broker per test process, shared by its tests; they keep apart by topic names (`service_name`). A test that kills or
stops its broker takes `own_kafka`.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from junctor_journal.kafka import KafkaLog
from junctor_local.kafka import KafkaServer

Result = TypeVar("Result")


class LocalKafka:
    """A broker driven from a thread of its own, so that tests on any event loop can use it.

    The broker dies with that thread, and so with the test process.
    """

    def __init__(self, directory: Path) -> None:
        self._server = KafkaServer(directory)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kafka", daemon=True)
        self._thread.start()

    @property
    def bootstrap(self) -> str:
        """host:port for clients; the same after a restart."""
        return self._server.bootstrap

    def start(self) -> None:
        """Returns when the broker answers."""
        self._do(self._server.start())

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._do(self._server.kill())

    def close(self) -> None:
        """Ends the broker and its thread."""
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def start_again(self) -> None:
        """`start`, without blocking the test's event loop."""
        await asyncio.to_thread(self.start)

    async def kill_now(self) -> None:
        """`kill`, without blocking the test's event loop."""
        await asyncio.to_thread(self.kill)

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """The broker of this test process. Never killed by a test."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker for one test, which may kill and start it."""
    broker = LocalKafka(tmp_path / "kafka")
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture
async def kafka_log(kafka: LocalKafka) -> AsyncIterator[KafkaLog]:
    """A started log on the shared broker."""
    log = KafkaLog(kafka.bootstrap, client_id="test")
    await log.start()
    yield log
    await log.stop()


@pytest.fixture
def service_name() -> str:
    """A service name of this test's own: its topics are nobody else's."""
    return f"t{uuid.uuid4().hex[:10]}"
