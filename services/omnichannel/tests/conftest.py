"""Omnichannel's processes on a real Kafka, with a router that does as the test says."""

import asyncio
import sys
import threading
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from junctor.directory.v1 import directory_pb2
from junctor.omnichannel.v1 import omnichannel_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.kafka import KafkaLog
from junctor_journal.replica import StateWriter
from junctor_local import health, tokens
from junctor_local.child import Child
from junctor_local.issuer import Issuer
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port
from junctor_service.client import Channels
from junctor_service.token_source import StaticToken
from junctor_testkit.chat_client import ChatClient

ROOT = Path(__file__).parents[3]
TOPICS = {
    *(name("omnichannel") for name in (topics.inputs, topics.journal, topics.snapshots, topics.events)),
    topics.dead_letters("omnichannel"),
    topics.events("router"),
    topics.state("directory"),
    "junctor.audit.v1",
}
BOT = directory_pb2.Bot(
    greeting="Hello!",
    rules=[directory_pb2.BotRule(words=["loan"], reply="One moment.", queue="chat", set={"product": "loans"})],
    fallback="Pardon?",
)
WIDGETS = {
    "web": directory_pb2.Widget(bot="greeter", queue="chat", language="en"),
    "shop": directory_pb2.Widget(bot="greeter", queue="chat", origins=["https://shop.example"]),
}


class Router(router_pb2_grpc.RouterServiceServicer):
    """Writes down what it is asked; the test answers with events."""

    def __init__(self):
        self.requested, self.canceled, self.ended = [], [], []
        self.in_line = False

    async def RequestTask(self, request, context):
        self.requested.append(request)
        return router_pb2.RequestTaskResponse(state=router_pb2.TASK_STATE_QUEUED if self.in_line else 0)

    async def CancelTask(self, request, context):
        self.canceled.append(request)
        return router_pb2.CancelTaskResponse()

    async def EndContact(self, request, context):
        self.ended.append(request)
        return router_pb2.EndContactResponse()


class Site:
    """What outlives omnichannel's processes: broker, issuer, router, keys, state folder."""

    def __init__(self, folder, kafka, log, issuer, router, router_address):
        self.folder, self.kafka, self.bootstrap, self.log = folder, kafka, kafka.bootstrap, log
        self.issuer, self.router = issuer, router
        self.router_address = router_address
        self.processes = []

    async def process(self, **settings):
        """A new process of omnichannel; `.grpc` and `.web` are its addresses."""
        grpc_address = settings.get("JUNCTOR_OMNICHANNEL__GRPC_LISTEN", f"127.0.0.1:{free_port()}")
        web = f"127.0.0.1:{free_port()}"
        issuer = f"http://127.0.0.1:{self.issuer.server_address[1]}"
        environment = {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / "state"),
            "JUNCTOR_JWKS": f"{issuer}/.well-known/jwks.json",
            "JUNCTOR_TOKEN_URL": f"{issuer}/token",
            "JUNCTOR_TOKEN_SECRET": self.issuer.secret,
            "JUNCTOR_ROUTER_ADDRESS": self.router_address,
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_OMNICHANNEL__GRPC_LISTEN": grpc_address,
            "JUNCTOR_OMNICHANNEL__WEB_LISTEN": web,
            **settings,
        }
        name = f"omnichannel-{len(self.processes)}"
        command = [sys.executable, "-m", "junctor_omnichannel"]
        child = Child(name, command, self.folder / f"{name}.log", env=environment)
        child.grpc, child.web = grpc_address, web
        self.processes.append(child)
        await child.start()
        await self.ready(child)
        return child

    async def prepare(self, log):
        """Makes another site's broker ready as this one's is."""
        await prepare(log)

    async def ready(self, child):
        async with asyncio.timeout(40):
            while not await health.serving(child.grpc):
                assert child.running, child.log.read_text()[-2_000:]
                await asyncio.sleep(0.05)

    def customer(self, child, widget="demo/web", **more):
        return ChatClient(f"ws://{child.web}/", widget, **more)

    @asynccontextmanager
    async def agent(self, child, agent="alice", role="agent"):
        token = tokens.mint(self.issuer.key, agent, "demo", [role], agent if role == "agent" else None)
        channels = Channels(StaticToken(token))
        try:
            yield omnichannel_pb2_grpc.OmnichannelServiceStub(channels.channel(child.grpc))
        finally:
            await channels.close()

    async def router_says(self, event, tenant="demo", site_epoch=0, log=None):
        """Publishes an event of the router's partition 0 as its relay does; `log` is another site's."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid.uuid4()),
            "ce_type": event.DESCRIPTOR.full_name,
            "ce_source": "/junctor/router",
            "ce_time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ce_subject": "default",
            "ce_tenant": tenant,
            "ce_site": "a",
            "ce_correlationid": getattr(event, "contact_id", ""),
            "ce_causationid": "test",
            "ce_partition": "0",
            "ce_sequence": "1",
            "ce_siteepoch": str(site_epoch),
            "content-type": "application/protobuf",
        }
        await (
            (log or self.log)
            .producer()
            .send(
                topics.events("router"),
                topics.key_of(tenant, "default"),
                event.SerializeToString(),
                [(name, value.encode()) for name, value in headers.items()],
                partition=0,
            )
        )

    async def binds(self, customer, agent="alice"):
        """The router gives the customer's conversation to the agent."""
        await self.until(lambda: self.asked(self.router.requested, customer))
        await self.router_says(
            router_pb2.ReservationAccepted(
                contact_id=customer.contact_id, reservation_id="r1", agent_id=agent, edge="omnichannel/a"
            )
        )
        await customer.until(lambda: "with_agent" in customer.states)

    def asked(self, requests, customer):
        """Those of the router's requests that are about the customer."""
        return [request for request in requests if request.contact_id == customer.contact_id]

    async def until(self, condition, seconds=15):
        """Returns once the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def events(self, contact_id, until_type):
        """The contact's events, up to the first one of the type."""
        reader = EventReader(self.log, [topics.events("omnichannel")], start="earliest")
        await reader.start()
        found = []
        try:
            async with asyncio.timeout(15):
                while not any(isinstance(message, until_type) for message in found):
                    found += [e.message for e in await reader.getmany() if e.stream == contact_id]
        except TimeoutError as error:
            raise TimeoutError(f"only {found}") from error
        finally:
            await reader.stop()
        return found


async def prepare(log):
    """Topics, widgets and a bot."""
    await log.ensure_topics([one for one in topics.declared(ROOT / "topics.yaml") if one.name in TOPICS])
    writer = StateWriter(log, topics.state("directory"))
    values = [directory_pb2.Value(id=id, widget=widget) for id, widget in WIDGETS.items()]
    for value in [*values, directory_pb2.Value(id="greeter", bot=BOT)]:
        kind = value.WhichOneof("kind")
        await writer.put("demo", kind, value.id, directory_pb2.DirectoryValue(tenant="demo", version=1, value=value))


@asynccontextmanager
async def running(folder):
    async with KafkaServer(folder / "kafka", heap_mb=256) as kafka:
        log = KafkaLog(kafka.bootstrap, client_id="test")
        await log.start()
        await prepare(log)
        issuer = Issuer("127.0.0.1", 0, folder)
        threading.Thread(target=issuer.serve_forever, daemon=True).start()
        router, server = Router(), grpc.aio.server()
        router_pb2_grpc.add_RouterServiceServicer_to_server(router, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        site = Site(folder, kafka, log, issuer, router, f"127.0.0.1:{port}")
        try:
            yield site
        finally:
            for child in site.processes:
                await child.kill()
            await server.stop(None)
            issuer.shutdown()
            issuer.server_close()
            await log.stop()


@pytest.fixture
async def site(tmp_path):
    """For tests that kill or configure what runs."""
    async with running(tmp_path) as site:
        yield site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One broker and one process, `.first`, for all tests of a module (loop scope: module)."""
    async with running(tmp_path_factory.mktemp("site")) as site:
        site.first = await site.process()
        yield site
