"""`analytics` as a process of its own on real Kafka and real ClickHouse."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import defaultdict
from pathlib import Path

import pytest
from clickhouse_driver import Client
from grpc_health.v1 import health_pb2, health_pb2_grpc
from junctor.analytics.v1 import analytics_pb2_grpc
from junctor_journal import topics
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord
from junctor_local import tokens
from junctor_local.child import Child
from junctor_local.clickhouse import ClickHouseServer
from junctor_local.ports import free_port
from junctor_service.client import Channels, rpc
from junctor_service.errors import ServiceError
from junctor_service.token_source import StaticToken
from junctor_testkit.local_kafka import kafka, own_kafka  # noqa: F401

TOPICS = Path(__file__).parents[4] / "topics.yaml"
NEEDED = (".events.", ".directory.state.", ".audit.", ".spans.", ".metrics.")


class Place:
    """The process, and what outlives it: broker, ClickHouse, disk."""

    def __init__(self, folder, kafka, tenant, as_written):  # noqa: F811
        self.folder, self.kafka, self.tenant, self._as_written = folder, kafka, tenant, as_written
        self.log = KafkaLog(kafka.bootstrap, client_id="test")
        self.clickhouse = ClickHouseServer(folder / "clickhouse")
        self.port = free_port()
        self.key = tokens.signing_key(folder)
        (folder / "jwks.json").write_text(json.dumps(self.key.jwks()))
        self.process = self.instance()
        self._channels = None

    def instance(self, **more):
        environment = {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / "state"),
            "JUNCTOR_JWKS": str(self.folder / "jwks.json"),
            "JUNCTOR_TOKEN_URL": "http://127.0.0.1:1/token",
            "JUNCTOR_TOKEN_SECRET": "not asked for",
            "JUNCTOR_ANALYTICS__GRPC_LISTEN": f"127.0.0.1:{self.port}",
            "JUNCTOR_ANALYTICS__CLICKHOUSE_URL": self.clickhouse.http,
            "JUNCTOR_ANALYTICS__CLICKHOUSE_NATIVE": f"127.0.0.1:{self.clickhouse.tcp_port}",
            "JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD": self.clickhouse.passwords.junctor,
            **more,
        }
        command = [sys.executable, "-m", "junctor_analytics"]
        return Child("analytics", command, self.folder / "analytics.log", env=environment)

    async def open(self):
        await asyncio.gather(self.log.start(), self.clickhouse.start())
        wanted = topics.declared(TOPICS)
        await self.log.ensure_topics([one for one in wanted if any(part in f"{one.name}." for part in NEEDED)])
        token = tokens.mint(self.key, "ann", self.tenant, ["supervisor"])
        self._channels = Channels(StaticToken(token))

    async def close(self):
        await self.process.kill()
        await self._channels.close()
        await self.clickhouse.kill()
        await self.log.stop()

    @property
    def channel(self):
        return self._channels.channel(f"127.0.0.1:{self.port}")

    @property
    def stub(self):
        return analytics_pb2_grpc.AnalyticsServiceStub(self.channel)

    async def health(self, name="readiness"):
        """SERVING, NOT_SERVING, or nothing where it does not answer."""
        try:
            request = health_pb2.HealthCheckRequest(service=name)
            answer = await rpc(health_pb2_grpc.HealthStub(self.channel).Check(request, timeout=1))
        except ServiceError:
            return ""
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    async def ready(self, wanted="SERVING", seconds=30):
        await self.until(self.health, wanted, seconds)

    async def until(self, ask, wanted, seconds=30):
        limit = time.monotonic() + seconds
        while (found := await ask()) != wanted:
            assert time.monotonic() < limit, f"it is still {found!r}, not {wanted!r}. {self.process.tail()}"
            await asyncio.sleep(0.05)
        return found

    async def publish(self, facts):
        """Each at the end of its service's topic, at the contact's partition."""
        by_place = defaultdict(list)
        for fact in facts:
            partition = topics.partition_for(self.tenant, fact.contact, 12)
            by_place[topics.events(fact.service), partition].append(self._as_written(fact, self.tenant))
        for (topic, partition), records in by_place.items():
            await self.send(topic, partition, records)

    async def send(self, topic, partition, records):
        while True:
            try:
                return await self.log.producer().send_many(topic, partition, records)
            except LogUnavailable:
                await asyncio.sleep(0.1)

    async def send_value(self, topic, value, partition=0, headers=()):
        await self.send(topic, partition, [NewRecord(b"k", value, headers)])

    async def select(self, sql, **parameters):
        """As the analyst, who is another account."""
        return await asyncio.to_thread(self._select, sql, parameters)

    def _select(self, sql, parameters):
        client = Client(**self.clickhouse.analyst)
        try:
            return client.execute(sql, {"tenant": self.tenant, **parameters})
        finally:
            client.disconnect()

    async def count(self, table):
        """Rows of the tenant; None while ClickHouse is away."""
        try:
            return (await self.select(f"SELECT count() FROM {table} WHERE tenant = %(tenant)s"))[0][0]
        except Exception:
            return None

    async def counted(self, table, wanted, seconds=30):
        await self.until(lambda: self.count(table), wanted, seconds)


@pytest.fixture
async def place(tmp_path, kafka, tenant, as_written):  # noqa: F811
    """On the broker of this test process, which no test kills."""
    made = Place(tmp_path, kafka, tenant, as_written)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def own_place(tmp_path, own_kafka, tenant, as_written):  # noqa: F811
    """On a broker of its own."""
    made = Place(tmp_path, own_kafka, tenant, as_written)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def new_id():
    return lambda: str(uuid.uuid4())
