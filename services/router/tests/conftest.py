"""The router on a real Kafka: in this process, or as a process of its own that can be killed."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor.router.v1 import router_pb2_grpc
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.kafka import KafkaLog
from junctor_journal.replica import StateWriter
from junctor_local import tokens
from junctor_local.issuer import Issuer
from junctor_local.ports import free_port
from junctor_router.bootstrap import bind
from junctor_router.settings import RouterSettings
from junctor_service.client import Channels
from junctor_service.settings import load_settings
from junctor_service.token_source import StaticToken
from junctor_testkit.local_kafka import kafka, own_kafka  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent / "parts"))

TOPICS = Path(__file__).parents[3] / "topics.yaml"
NEEDED = (".router.", ".directory.", ".audit.", ".spans.", ".metrics.")


def request_id() -> str:
    return str(uuid.uuid4())


async def until(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.02)
    return found


class Client:
    """A service's calls to the router, with ids of their own."""

    def __init__(self, stub, tenant):
        self.stub = stub
        self.tenant = tenant

    async def request(self, contact_id, queue="sales", channel=contact_pb2.CHANNEL_VOICE, **more):
        more.setdefault("request_id", request_id())
        return await self.stub.RequestTask(
            pb.RequestTaskRequest(
                tenant=self.tenant, contact_id=contact_id, queue=queue, channel=channel, edge="cti", **more
            ),
            timeout=20,
        )

    async def do(self, method, **fields):
        """Any mutating call."""
        message = getattr(pb, f"{method}Request")(tenant=self.tenant, request_id=request_id(), **fields)
        return await getattr(self.stub, method)(message, timeout=20)

    async def task(self, contact_id):
        return (await self.stub.GetTask(pb.GetTaskRequest(tenant=self.tenant, contact_id=contact_id), timeout=20)).task

    async def agent(self, agent_id):
        return (await self.stub.GetAgent(pb.GetAgentRequest(tenant=self.tenant, agent_id=agent_id), timeout=20)).agent

    async def accept(self, contact_id):
        task = await self.task(contact_id)
        return await self.do(
            "AcceptReservation", agent_id=task.agent_id, reservation_id=task.reservation_id, contact_id=contact_id
        )


class Place:
    """What outlives one process of the router: broker, issuer, directory. One tenant for each test."""

    def __init__(self, folder, bootstrap, log, issuer, port, pump):
        self.folder, self.bootstrap, self.log, self.issuer, self.port, self.pump = (
            folder,
            bootstrap,
            log,
            issuer,
            port,
            pump,
        )
        self.tenant = f"t{uuid.uuid4().hex[:8]}"
        self.revision = 0
        (folder / "jwks.json").write_text(json.dumps(issuer.key.jwks()))

    @property
    def environment(self):
        return {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / "state"),
            "JUNCTOR_JWKS": str(self.folder / "jwks.json"),
            "JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{self.port}",
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_TOKEN_URL": f"http://127.0.0.1:{self.issuer.server_port}/token",
            "JUNCTOR_TOKEN_SECRET": self.issuer.secret,
            "JUNCTOR_ROUTER__PUMP": self.pump,
        }

    async def configure(self, id, **value):
        """One directory value: `queue=Queue(...)`, `agent=Agent(...)`, ..."""
        self.revision += 1
        kind = next(iter(value))
        message = directory_pb2.DirectoryValue(
            tenant=self.tenant, version=self.revision, value=directory_pb2.Value(id=id, **value)
        )
        await StateWriter(self.log, topics.state("directory")).put(self.tenant, kind, id, message)

    async def small_centre(self, agents=("ann", "bob"), wrap_up_ms=60_000, offer_timeout_ms=20_000):
        steps = [directory_pb2.PlanStep(expression="language.zh >= 5")]
        await self.configure("language.zh", attribute=directory_pb2.Attribute(type=1))
        await self.configure("sales-plan", plan=directory_pb2.Plan(steps=steps))
        await self.configure(
            "sales",
            queue=directory_pb2.Queue(plan="sales-plan", wrap_up_ms=wrap_up_ms, offer_timeout_ms=offer_timeout_ms),
        )
        for agent in agents:
            await self.configure(
                agent,
                agent=directory_pb2.Agent(name=agent.title(), device=f"2{agent}", attributes={"language.zh": "7"}),
            )

    @asynccontextmanager
    async def client(self, role="service", agent=None):
        tenant = "*" if role == "service" else self.tenant
        channels = Channels(StaticToken(tokens.mint(self.issuer.key, "test", tenant, [role], agent_id=agent)))
        try:
            yield Client(router_pb2_grpc.RouterServiceStub(channels.channel(f"127.0.0.1:{self.port}")), self.tenant)
        finally:
            await channels.close()

    @asynccontextmanager
    async def running(self):
        """The router in this process; gives a client."""
        service = bind(load_settings(RouterSettings, service="router", environ=self.environment))
        await service.start()
        try:
            await until(lambda: service.ready, seconds=30)
            async with self.client() as client:
                yield client
        finally:
            await service.stop()

    async def spawn(self, port=None):
        """The router as a process of its own; `port` makes it another member. End it with `kill`."""
        own = {} if port is None else {"JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{port}"}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "junctor_router",
            env={**os.environ, **self.environment, **own},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=open(self.folder / "router.log", "ab"),
        )

    async def events(self, enough, seconds=30):
        """The tenant's events as the relay published them, each once, until `enough(messages)`."""
        reader = EventReader(self.log, ["junctor.router.events.v1"], start="earliest")
        await reader.start()
        found = {}
        try:
            async with asyncio.timeout(seconds):
                while not enough([event.message for event in found.values()]):
                    for event in await reader.getmany(timeout_ms=200):
                        if event.tenant == self.tenant:
                            found.setdefault(event.id, event)
        finally:
            await reader.stop()
        return [event.message for event in found.values()]


async def kill(process):
    """SIGKILL, as a crash would."""
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
        await process.wait()


@pytest.fixture(scope="session")
def port():
    """One for all tests: the service is a member of its consumer group by its address, and so comes back at once."""
    return free_port()


@pytest.fixture
def pump():
    return os.environ.get("JUNCTOR_ROUTER__PUMP", "faust")


@pytest.fixture
async def place(tmp_path, kafka, port, pump):  # noqa: F811
    async for made in make_place(tmp_path, kafka.bootstrap, port, pump):
        yield made


@pytest.fixture
async def place_with_own_broker(tmp_path, own_kafka, port, pump):  # noqa: F811
    """`place.broker` may be killed and started."""
    async for made in make_place(tmp_path, own_kafka.bootstrap, port, pump):
        made.broker = own_kafka
        yield made


async def make_place(folder, bootstrap, port, pump):
    log = KafkaLog(bootstrap, client_id="test")
    await log.start()
    wanted = topics.declared(TOPICS)
    await log.ensure_topics([one for one in wanted if any(part in f"{one.name}." for part in NEEDED)])
    issuer = Issuer("127.0.0.1", 0, folder)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    yield Place(folder, bootstrap, log, issuer, port, pump)
    issuer.shutdown()
    issuer.server_close()
    await log.stop()
