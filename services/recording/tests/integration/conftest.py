"""The recording service as a process of its own on a real Kafka, with a cti in the test that sends real RTP."""

import asyncio
import json
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor.recording.v1 import recording_pb2 as pb
from junctor.recording.v1 import recording_pb2_grpc
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord
from junctor_local import tokens
from junctor_local.child import Child
from junctor_local.issuer import Issuer
from junctor_local.ports import free_port
from junctor_service.audit import MemoryAudit
from junctor_service.client import Channels, rpc
from junctor_service.errors import not_found
from junctor_service.health import Health
from junctor_service.server import GrpcServer
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.token_source import StaticToken
from junctor_service.verifier import verifier_from
from junctor_testkit.audio import read_wav
from junctor_testkit.local_kafka import kafka  # noqa: F401
from junctor_testkit.rtp import RtpEndpoint

TOPICS = Path(__file__).parents[4] / "topics.yaml"
TENANT = "demo"
NEEDED = (".recording.", ".cti.", ".directory.", ".audit.", ".spans.")
CUSTOMER, AGENT = 440, 1000


class Cti(cti_pb2_grpc.CtiServiceServicer):
    """One call whose sides are tones; `known` False: there is no such call."""

    def __init__(self):
        self.known = True
        self.forks, self.forked_at = [], []
        self.customer = self.agent = None

    async def open(self):
        self.customer = await RtpEndpoint.open(tone_hz=CUSTOMER)
        self.agent = await RtpEndpoint.open(tone_hz=AGENT, codec="PCMU")

    def close(self):
        self.customer.close()
        self.agent.close()

    async def ForkMedia(self, request, context):
        if not self.known:
            raise not_found("There is no such call.")
        self.forks.append(request)
        self.forked_at.append(time.time())
        for side, address in ((self.customer, request.customer_rtp), (self.agent, request.agent_rtp)):
            host, _, port = address.rpartition(":")
            side.start((host, int(port)))
        return cti_pb2.ForkMediaResponse(customer_payload_type=8, agent_payload_type=0)


class Place:
    """The process, and what outlives it: broker, keys, issuer, cti, disk."""

    def __init__(self, folder, bootstrap, log, issuer, port):
        self.folder, self.log, self.issuer, self.port = folder, log, issuer, port
        self.recordings = folder / "recordings"
        self.cti, self.cti_port = Cti(), free_port()
        self.contact = str(uuid.uuid4())
        (folder / "jwks.json").write_text(json.dumps(issuer.key.jwks()))
        self.environment = {
            "JUNCTOR_KAFKA_BOOTSTRAP": bootstrap,
            "JUNCTOR_STATE_DIR": str(folder / "state"),
            "JUNCTOR_JWKS": str(folder / "jwks.json"),
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_TOKEN_URL": f"http://127.0.0.1:{issuer.server_port}/token",
            "JUNCTOR_TOKEN_SECRET": issuer.secret,
            "JUNCTOR_CTI_ADDRESS": f"127.0.0.1:{self.cti_port}",
            "JUNCTOR_RECORDING__DIRECTORY": str(self.recordings),
        }
        self.process = Child(
            "recording",
            [sys.executable, "-m", "junctor_recording"],
            folder / "recording.log",
            env={**self.environment, "JUNCTOR_RECORDING__GRPC_LISTEN": f"127.0.0.1:{port}"},
        )
        self._channels = {}
        self._server = None

    async def open(self):
        await self.cti.open()
        listen = {"JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{self.cti_port}"}
        settings = load_settings(CommonSettings, service="cti", environ={**self.environment, **listen})
        self._server = GrpcServer(
            "cti",
            settings,
            [(cti_pb2_grpc.add_CtiServiceServicer_to_server, self.cti)],
            verifier=verifier_from(settings),
            audit=MemoryAudit(),
            health=Health("cti"),
        )
        await self._server.start()

    async def close(self):
        await self.process.stop()
        for channels in self._channels.values():
            await channels.close()
        await self._server.stop(time.monotonic() + 1)
        self.cti.close()

    def client(self, role="service"):
        if role not in self._channels:
            tenant = "*" if role == "service" else TENANT
            token = tokens.mint(self.issuer.key, "ann", tenant, [role], agent_id="zhang" if role == "agent" else None)
            self._channels[role] = Channels(StaticToken(token))
        return recording_pb2_grpc.RecordingServiceStub(self._channels[role].channel(f"127.0.0.1:{self.port}"))

    async def call(self, method, role="service", **fields):
        """One RPC about the contact; waits for a process that still starts."""
        request_type = getattr(pb, f"{method}Request")
        if "request_id" in request_type.DESCRIPTOR.fields_by_name:
            fields.setdefault("request_id", str(uuid.uuid4()))
        request = request_type(**{"tenant": TENANT, "contact_id": self.contact, **fields})
        return await rpc(getattr(self.client(role), method)(request, timeout=30))

    async def recording(self):
        return (await self.call("GetRecording")).recording

    async def state(self, *wanted, seconds=20):
        """The recording, once it is in one of these states."""
        numbers = {pb.RecordingState.Value(f"RECORDING_STATE_{name.upper()}") for name in wanted}
        limit = time.monotonic() + seconds
        while (found := await self.recording()).state not in numbers:
            assert time.monotonic() < limit, f"it is still {found}. {self.process.tail()}"
            await asyncio.sleep(0.05)
        return found

    async def audio(self):
        """(customer, agent): the samples that a supervisor hears."""
        path = self.folder / "fetched.wav"
        request = pb.FetchAudioRequest(tenant=TENANT, contact_id=self.contact)
        with path.open("wb") as file:
            async for part in self.client("supervisor").FetchAudio(request, timeout=20):
                assert 0 < len(part.data) <= 64 * 1024
                file.write(part.data)
        return read_wav(path)

    async def published(self, message, sequence=1):
        """An event of cti, as its relay publishes it."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid.uuid4()),
            "ce_source": "/junctor/cti",
            "ce_type": message.DESCRIPTOR.full_name,
            "ce_subject": self.contact,
            "ce_time": "2026-01-01T00:00:00.000Z",
            "ce_tenant": TENANT,
            "ce_site": "a",
            "ce_correlationid": self.contact,
            "ce_causationid": "x",
            "ce_partition": "0",
            "ce_sequence": str(sequence),
            "content-type": "application/protobuf",
        }
        fields = [(name, value.encode()) for name, value in headers.items()]
        record = NewRecord(topics.key_of(TENANT, self.contact), message.SerializeToString(), fields)
        await self.log.producer().send_many("junctor.cti.events.v1", 0, [record])

    async def unbound(self):
        await self.published(cti_pb2.Unbound(tenant=TENANT, contact_id=self.contact, agent_id="zhang"))

    async def contact_closed(self):
        await self.published(contact_pb2.ContactClosed(tenant=TENANT, contact_id=self.contact))

    async def events(self):
        """Names of the contact's events so far."""
        reader = EventReader(self.log, ["junctor.recording.events.v1"], start="earliest")
        await reader.start()
        found, quiet = {}, 0
        while quiet < 2:
            events = await reader.getmany(timeout_ms=200)
            quiet = 0 if events else quiet + 1
            found.update({event.id: event for event in events if event.stream == self.contact})
        await reader.stop()
        return [event.type.rpartition(".")[2] for event in found.values()]


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
    made = Place(tmp_path, kafka.bootstrap, log, issuer, port)
    await made.open()
    yield made
    await made.close()
    issuer.shutdown()
    issuer.server_close()
    await log.stop()
