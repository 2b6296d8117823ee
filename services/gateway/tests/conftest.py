"""A gateway on a real port, before real gRPC services of the test, with tokens of the test's own key."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from junctor.omnichannel.v1 import omnichannel_pb2, omnichannel_pb2_grpc
from junctor.recording.v1 import recording_pb2, recording_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_gateway.adapters.grpc_upstream import GrpcUpstream
from junctor_gateway.application.admission import Admission
from junctor_gateway.application.catalogue import methods
from junctor_gateway.entrypoints.app import application
from junctor_gateway.entrypoints.calls import Calls
from junctor_gateway.entrypoints.http_server import HttpServer
from junctor_gateway.settings import GatewaySettings
from junctor_local.tokens import mint, signing_key
from junctor_service.audit import MemoryAudit
from junctor_service.client import Channels
from junctor_service.errors import Code, ServiceError, precondition
from junctor_service.health import Health
from junctor_service.run import Service
from junctor_service.server import GrpcServer
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.telemetry import Telemetry
from junctor_service.token_source import StaticToken
from junctor_service.tokens import current_principal
from junctor_service.trace_context import current_traceparent
from junctor_service.verifier import verifier_from


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return signing_key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def environ(key: Any, tmp_path: Path) -> dict[str, str]:
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(key.jwks()))
    return {
        "JUNCTOR_JWKS": str(jwks),
        "JUNCTOR_STATE_DIR": str(tmp_path / "state"),
        "JUNCTOR_GATEWAY__HTTP_LISTEN": "127.0.0.1:0",
        "JUNCTOR_GATEWAY__BODY_LIMIT": "65536",
        "JUNCTOR_GATEWAY__BODY_TIMEOUT": "500ms",
        "JUNCTOR_GATEWAY__HEARTBEAT": "200ms",
        "JUNCTOR_GATEWAY__CORS_ORIGINS": "https://desk.example",
    }


class RouterOfTest(router_pb2_grpc.RouterServiceServicer):
    """Answers as each test says; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.seen: dict[str, Any] = {}
        self.error: Exception | None = None
        self.changes: list[tuple[int, int]] = []
        self.ended = 0
        self.entered = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()

    async def GetTask(self, request: Any, context: Any) -> Any:
        self._note(request)
        self.entered.set()
        await self.hold.wait()
        task = router_pb2.Task(contact_id=request.contact_id, state="TASK_STATE_QUEUED", arrived_at=1_700_000_000_123)
        return router_pb2.GetTaskResponse(task=task)

    async def RequestTask(self, request: Any, context: Any) -> Any:
        self._note(request)
        return router_pb2.RequestTaskResponse(state="TASK_STATE_QUEUED", position=1, estimated_wait_ms=-1)

    async def SetAgentState(self, request: Any, context: Any) -> Any:
        self._note(request)
        return router_pb2.SetAgentStateResponse(state=request.state)

    async def WatchAgent(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._note(request)
        try:
            for partition, seq in self.changes:
                if seq > request.after_seq:
                    agent = router_pb2.Agent(agent_id=request.agent_id, display_name="李雷")
                    response = router_pb2.WatchAgentResponse(agent=agent, partition=partition, seq=seq)
                    response.event.Pack(router_pb2.AgentStateChanged(agent_id=request.agent_id))
                    yield response
            if self.error is not None:
                raise self.error
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    async def WatchPool(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._note(request)
        yield router_pb2.WatchPoolResponse(seq=40 + len(self.asked))
        await asyncio.Event().wait()

    def _note(self, request: Any) -> None:
        principal = current_principal()
        self.asked.append(request)
        self.seen = {"principal": principal, "traceparent": current_traceparent()}
        if self.error is not None:
            raise self.error


class ConversationsOfTest(omnichannel_pb2_grpc.OmnichannelServiceServicer):
    async def WatchConversation(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield omnichannel_pb2.WatchConversationResponse(state="CONVERSATION_STATE_WITH_AGENT")
        for number in range(request.after_number + 1, 4):
            message = omnichannel_pb2.Message(number=number, text=f"第{number}句")
            yield omnichannel_pb2.WatchConversationResponse(message=message)


class RecordingsOfTest(recording_pb2_grpc.RecordingServiceServicer):
    async def FetchAudio(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if request.contact_id == "none":
            raise ServiceError(Code.NOT_FOUND, "There is no such recording.")
        yield recording_pb2.FetchAudioResponse(data=b"RIFF")
        if request.contact_id == "broken":
            raise precondition("The file is damaged.", reason="DAMAGED")
        yield recording_pb2.FetchAudioResponse(data=b"\x00\xff" * 1000)


Servicing = tuple[Callable[..., None], Any]


@pytest.fixture
async def gateway(environ: dict[str, str], key: Any) -> AsyncIterator[SimpleNamespace]:
    """As `running`, with three services of the test behind it; `router` is the router's servicer."""
    router = RouterOfTest()
    servicers = [
        (router_pb2_grpc.add_RouterServiceServicer_to_server, router),
        (omnichannel_pb2_grpc.add_OmnichannelServiceServicer_to_server, ConversationsOfTest()),
        (recording_pb2_grpc.add_RecordingServiceServicer_to_server, RecordingsOfTest()),
    ]
    async with running(environ, key, servicers, ("router", "omnichannel", "recording")) as found:
        found.router = router
        yield found


@pytest.fixture
async def gateway_before_all(environ: dict[str, str], key: Any) -> AsyncIterator[SimpleNamespace]:
    """As `running`; behind it every unary RPC of every service answers with an empty response."""
    servicers = [(_answers_empty, name) for name in sorted({method.service_type for method in methods()})]
    async with running(environ, key, servicers, {method.service for method in methods()}) as found:
        yield found


def _answers_empty(service_type: str, server: Any) -> None:
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _empty(method.response), method.request.FromString, method.response.SerializeToString
        )
        for method in methods()
        if method.service_type == service_type and not method.streams
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_type, handlers),))


def _empty(response: Any) -> Any:
    async def answer(request: Any, context: Any) -> Any:
        return response()

    return answer


@asynccontextmanager
async def running(
    environ: dict[str, str], key: Any, servicers: Sequence[Servicing], names: Iterable[str]
) -> AsyncIterator[SimpleNamespace]:
    """`http`: a client of a gateway before a server with `servicers`; `token(...)`, `audit`, `service`, `behind`."""
    settings = load_settings(GatewaySettings, service="gateway", environ=environ)
    behind = await _behind(load_settings(CommonSettings, service="router", environ=environ), servicers)
    audit, health, telemetry = MemoryAudit(), Health("gateway"), Telemetry("gateway", settings)
    verifier, channels = verifier_from(settings), Channels(StaticToken("none"), telemetry=telemetry)
    addresses = {"ivr": "127.0.0.1:9"} | dict.fromkeys(names, behind.address)
    calls = Calls(Admission(verifier, audit), GrpcUpstream(channels, addresses), telemetry, float(settings.heartbeat))
    http = HttpServer(application(calls, settings, health), settings.http_listen, calls.drain, 100)
    server = GrpcServer("gateway", settings, [], verifier=verifier, audit=audit, health=health, telemetry=telemetry)
    service = Service("gateway", [telemetry, verifier, channels, http, server], settings, health=health)
    await service.start()

    def token(**claims: Any) -> str:
        given = {"subject": "ann", "tenant": "acme", "roles": ["supervisor"]} | claims
        return mint(key, **given)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http.port}", timeout=10) as client:
        client.headers["authorization"] = f"Bearer {token()}"
        yield SimpleNamespace(
            http=client,
            port=http.port,
            token=token,
            audit=audit,
            service=service,
            grpc_address=server.address,
            behind=behind.service,
        )
    await service.stop(time.monotonic() + 5)
    await behind.service.stop(time.monotonic() + 5)


async def _behind(settings: Any, servicers: Sequence[Servicing]) -> SimpleNamespace:
    telemetry, verifier, health = Telemetry("router", settings), verifier_from(settings), Health("router")
    server = GrpcServer(
        "router", settings, servicers, verifier=verifier, audit=MemoryAudit(), health=health, telemetry=telemetry
    )
    service = Service("router", [telemetry, verifier, server], settings, health=health)
    await service.start()
    return SimpleNamespace(service=service, address=server.address)
