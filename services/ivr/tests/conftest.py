"""The ivr service in this process on a real Kafka, with a cti whose answers the test decides."""

import asyncio
import json
import threading
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor.directory.v1 import directory_pb2
from junctor.ivr.v1 import ivr_pb2_grpc
from junctor_ivr.bootstrap import bind
from junctor_ivr.settings import IvrSettings
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord
from junctor_journal.replica import StateWriter
from junctor_local import tokens
from junctor_local.issuer import Issuer
from junctor_local.ports import free_port
from junctor_service.audit import MemoryAudit
from junctor_service.client import Channels
from junctor_service.health import Health
from junctor_service.server import GrpcServer
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.token_source import StaticToken
from junctor_service.verifier import verifier_from
from junctor_testkit.local_kafka import kafka  # noqa: F401

TOPICS = Path(__file__).parents[3] / "topics.yaml"
TENANT = "demo"
NEEDED = (".ivr.", ".cti.", ".directory.", ".audit.", ".spans.")


class Cti(cti_pb2_grpc.CtiServiceServicer):
    """Takes media verbs; `refusal` is what it says instead."""

    def __init__(self):
        self.requests = []
        self.refusal = None

    async def PromptAndCollect(self, request, context):
        if self.refusal is not None:
            raise self.refusal
        self.requests.append(request)
        return cti_pb2.PromptAndCollectResponse()

    async def asked(self, number=1):
        """The verb with that number, once it was asked for."""
        return await until(lambda: self.requests[number - 1] if len(self.requests) >= number else None)


class Place:
    """What outlives one process of the service: the broker, the keys, the issuer, cti."""

    def __init__(self, folder, bootstrap, log, issuer, port):
        self.folder, self.bootstrap, self.log, self.issuer, self.port = folder, bootstrap, log, issuer, port
        self.cti = Cti()
        self.cti_port = free_port()
        self.contact = str(uuid.uuid4())
        (folder / "jwks.json").write_text(json.dumps(issuer.key.jwks()))

    def environment(self, port):
        return {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / "state"),
            "JUNCTOR_JWKS": str(self.folder / "jwks.json"),
            "JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{port}",
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_CTI_ADDRESS": f"127.0.0.1:{self.cti_port}",
            "JUNCTOR_TOKEN_URL": f"http://127.0.0.1:{self.issuer.server_port}/token",
            "JUNCTOR_TOKEN_SECRET": self.issuer.secret,
        }

    @asynccontextmanager
    async def cti_running(self):
        settings = load_settings(CommonSettings, service="cti", environ=self.environment(self.cti_port))
        server = GrpcServer(
            "cti",
            settings,
            [(cti_pb2_grpc.add_CtiServiceServicer_to_server, self.cti)],
            verifier=verifier_from(settings),
            audit=MemoryAudit(),
            health=Health("cti"),
        )
        await server.start()
        try:
            yield self.cti
        finally:
            await server.stop(time.monotonic() + 1)

    @asynccontextmanager
    async def running(self, role="service"):
        """The service; gives a client of it."""
        service = bind(load_settings(IvrSettings, service="ivr", environ=self.environment(self.port)))
        await service.start()
        tenant = "*" if role == "service" else TENANT
        channels = Channels(StaticToken(tokens.mint(self.issuer.key, "cti", tenant, [role])))
        try:
            await until(lambda: service.ready, seconds=30)
            yield ivr_pb2_grpc.IvrServiceStub(channels.channel(f"127.0.0.1:{self.port}"))
        finally:
            await channels.close()
            await service.stop()

    async def flow(self, slug, version, flow):
        value = directory_pb2.DirectoryValue(
            tenant=TENANT, version=version, value=directory_pb2.Value(id=slug, flow=flow)
        )
        await StateWriter(self.log, topics.state("directory")).put(TENANT, "flow", slug, value)

    async def verb_ended(self, verb_id, cause, digits=""):
        """cti's event, as its relay publishes it."""
        ended = cti_pb2.MediaVerbEnded(
            tenant=TENANT, contact_id=self.contact, verb_id=verb_id, cause=cause, digits=digits
        )
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid.uuid4()),
            "ce_source": "/junctor/cti",
            "ce_type": "junctor.cti.v1.MediaVerbEnded",
            "ce_subject": self.contact,
            "ce_time": "2026-01-01T00:00:00.000Z",
            "ce_tenant": TENANT,
            "ce_site": "a",
            "ce_correlationid": self.contact,
            "ce_causationid": "x",
            "ce_partition": "0",
            "ce_sequence": "1",
            "content-type": "application/protobuf",
        }
        record = NewRecord(
            topics.key_of(TENANT, self.contact),
            ended.SerializeToString(),
            [(name, value.encode()) for name, value in headers.items()],
        )
        for _ in range(2):
            await self.log.producer().send_many("junctor.cti.events.v1", 0, [record])

    async def events(self, wanted):
        """The contact's events, up to the first of the type `wanted`."""
        reader = EventReader(self.log, ["junctor.ivr.events.v1"], start="earliest")
        await reader.start()
        found = []
        try:
            async with asyncio.timeout(20):
                while True:
                    for event in await reader.getmany(timeout_ms=200):
                        if event.stream == self.contact and event.id not in {one.id for one in found}:
                            found.append(event)
                    if any(isinstance(event.message, wanted) for event in found):
                        return found
        finally:
            await reader.stop()


async def until(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def port():
    """One for all tests: the service is a member of its consumer group by its address, and so comes back at once."""
    return free_port()


@pytest.fixture
async def place(tmp_path, kafka, port):  # noqa: F811
    log = KafkaLog(kafka.bootstrap, client_id="test")
    await log.start()
    wanted = topics.declared(TOPICS)
    await log.ensure_topics([one for one in wanted if any(part in f"{one.name}." for part in NEEDED)])
    issuer = Issuer("127.0.0.1", 0, tmp_path)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    yield Place(tmp_path, kafka.bootstrap, log, issuer, port)
    issuer.shutdown()
    issuer.server_close()
    await log.stop()
