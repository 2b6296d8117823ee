"""Calls to a real gRPC server: who is let in, who is refused and audited, and what handlers and callers are told."""

import asyncio
import dataclasses
import json
import time
from contextlib import asynccontextmanager

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from junctor_journal.errors import Restoring
from junctor_service.client import Channels, rpc
from junctor_service.deadlines import time_left
from junctor_service.errors import Code, ServiceError, from_rpc_error, precondition
from junctor_service.tenant import current_tenant
from junctor_service.token_source import StaticToken
from junctor_service.tokens import current_principal
from junctor_service.trace_context import contact_traceparent, current_traceparent
from junctor_service.verifier import SKEW_SECONDS

NOW = time.time()
CONTACT = "018f3b1e-0000-7000-8000-000000000001"


@pytest.fixture
def servicer(probe):
    class Servicer(probe.grpc.ProbeServicer):
        tries = 0

        def __init__(self):
            self.asleep = asyncio.Event()
            self.ended = asyncio.Event()

        def seen(self, agent_id="", count=0):
            principal = current_principal()
            return probe.pb2.LookResponse(
                tenant=principal.tenant,
                subject=principal.subject,
                agent_id=agent_id,
                time_left=time_left() or 0,
                traceparent=current_traceparent(),
                count=count,
            )

        async def Look(self, request, context):
            match request.act:
                case "refuse":
                    raise precondition("Not now.", reason="NOT_NOW")
                case "deny":
                    raise ServiceError(Code.PERMISSION_DENIED, "Not yours.", reason="NOT_YOURS")
                case "crash":
                    raise KeyError("+861380")
                case "sleep":
                    self.asleep.set()
                    try:
                        await asyncio.sleep(30)
                    finally:
                        self.ended.set()
                case "away twice":
                    self.tries += 1
                    if self.tries < 3:
                        raise ServiceError(Code.UNAVAILABLE, "Away.")
                case "restoring":
                    raise Restoring("The partition is being restored")
                case "away":
                    self.tries += 1
                    raise ServiceError(Code.UNAVAILABLE, "Away.")
                case "tenant":
                    return probe.pb2.LookResponse(tenant=current_tenant())
            return self.seen(count=self.tries)

        async def Change(self, request, context):
            return self.seen(request.agent_id)

        async def Follow(self, request, context):
            try:
                for n in range(1_000_000):
                    yield self.seen(count=n)
                    if request.act == "fail":
                        raise precondition("Over.", reason="OVER")
                    await asyncio.sleep(0.01)
            finally:
                self.ended.set()

        async def Collect(self, request_iterator, context):
            return self.seen(count=len([r async for r in request_iterator]))

    return Servicer()


@asynccontextmanager
async def stub_for(probe, address):
    async with grpc.aio.insecure_channel(address) as channel:
        yield probe.grpc.ProbeStub(channel)


def bearer(token, tenant=None):
    return [("authorization", f"Bearer {token}"), *([("x-junctor-tenant", tenant)] if tenant else [])]


async def refusal(call):
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return from_rpc_error(caught.value)


REFUSED_TOKENS = {
    "none": (None, "TOKEN_MISSING"),
    "empty": ({"raw": ""}, "TOKEN_MISSING"),
    "malformed": ({"raw": "a.b"}, "TOKEN_MALFORMED"),
    "huge": ({"raw": "a" * 7000}, "TOKEN_MALFORMED"),
    "expired": ({"exp": NOW - 60}, "TOKEN_EXPIRED"),
    "no expiry": ({"exp": None}, "TOKEN_MALFORMED"),
    "future": ({"iat": NOW + 300, "exp": NOW + 900}, "TOKEN_NOT_YET_VALID"),
    "audience": ({"aud": "others"}, "TOKEN_WRONG_AUDIENCE"),
    "issuer": ({"iss": "others"}, "TOKEN_WRONG_ISSUER"),
    "unknown key": ({"key_id": "k9"}, "TOKEN_UNKNOWN_KEY"),
    "forged": ({"key": Ed25519PrivateKey.generate()}, "TOKEN_BAD_SIGNATURE"),
    "symmetric": ({"key": b"k" * 32, "algorithm": "HS256"}, "TOKEN_MALFORMED"),
    "no tenant": ({"tenant": None}, "TOKEN_MALFORMED"),
    "no subject": ({"sub": ""}, "TOKEN_MALFORMED"),
    "every tenant": ({"tenant": "*"}, "TOKEN_MALFORMED"),
    "roles": ({"roles": "supervisor"}, "TOKEN_MALFORMED"),
}


@pytest.mark.parametrize("case", REFUSED_TOKENS)
async def test_a_bad_token_is_refused_and_audited(case, probe, serve, servicer, issuer):
    given, reason = REFUSED_TOKENS[case]
    site = await serve(servicer)
    token = None if given is None else given["raw"] if "raw" in given else issuer.token(**given)
    async with stub_for(probe, site.address) as stub:
        metadata = [] if token is None else bearer(token)
        error = await refusal(stub.Look(probe.pb2.LookRequest(), metadata=metadata))
    assert (error.code, error.reason, error.retryable) == (Code.UNAUTHENTICATED, reason, False)
    (act,) = site.audit.acts
    assert (act.action, act.principal, act.outcome.value, act.reason) == (
        "/probe.v1.Probe/Look",
        None,
        "refused",
        reason,
    )


AGENT = {"roles": ["agent"], "agent_id": "ann", "sub": "ann"}
SERVICE = {"roles": ["service"], "tenant": "*", "sub": "service:cti"}
FORBIDDEN = {
    "another tenant in the request": ("Change", {}, {"tenant": "other", "request_id": "1"}, None, "TOKEN_WRONG_TENANT"),
    "another tenant in the metadata": ("Change", {}, {"request_id": "1"}, "other", "TOKEN_WRONG_TENANT"),
    "wrong role": ("Change", {"roles": ["analyst"]}, {"request_id": "1"}, None, "WRONG_ROLE"),
    "no role": ("Change", {"roles": []}, {"request_id": "1"}, None, "WRONG_ROLE"),
    "another agent": ("Change", AGENT, {"agent_id": "bob", "request_id": "1"}, None, "OTHER_AGENT"),
    "agent without id": ("Change", {"roles": ["agent"]}, {"agent_id": "bob", "request_id": "1"}, None, "OTHER_AGENT"),
    "service without tenant": ("Change", SERVICE, {"tenant": "acme", "request_id": "1"}, None, "TENANT_MISSING"),
    "service with another": ("Change", SERVICE, {"tenant": "acme", "request_id": "1"}, "other", "TOKEN_WRONG_TENANT"),
    "by the handler": ("Look", {}, {"act": "deny"}, None, "NOT_YOURS"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
async def test_a_good_token_is_not_enough_and_the_refusal_is_audited(case, probe, serve, servicer, issuer):
    method, claims, fields, tenant, reason = FORBIDDEN[case]
    site = await serve(servicer)
    kind = probe.pb2.ChangeRequest if method == "Change" else probe.pb2.LookRequest
    async with stub_for(probe, site.address) as stub:
        call = getattr(stub, method)(kind(**fields), metadata=bearer(issuer.token(**claims), tenant))
        error = await refusal(call)
    assert (error.code, error.reason) == (Code.PERMISSION_DENIED, reason)
    (act,) = site.audit.acts
    assert (act.reason, act.principal.subject) == (reason, claims.get("sub", "ann"))


async def test_who_is_let_in_and_what_the_handler_sees(probe, serve, servicer, issuer):
    site = await serve(servicer)
    change = probe.pb2.ChangeRequest(request_id="1")
    async with stub_for(probe, site.address) as stub:
        agent = await stub.Change(change, metadata=bearer(issuer.token(**AGENT)))
        other = probe.pb2.ChangeRequest(request_id="1", agent_id="bob")
        supervisor = await stub.Change(other, metadata=bearer(issuer.token()))
        service = await stub.Change(change, metadata=bearer(issuer.token(**SERVICE), "other"))
        plain = await refusal(stub.Look(probe.pb2.LookRequest(act="tenant"), metadata=bearer(issuer.token(**SERVICE))))
    assert (agent.agent_id, agent.tenant) == ("ann", "acme")
    assert supervisor.agent_id == "bob"
    assert (service.tenant, service.subject) == ("other", "service:cti")
    assert (plain.code, plain.reason) == (Code.INVALID_ARGUMENT, "TENANT_MISSING")
    assert site.audit.acts == []


async def test_rs256_and_rotated_keys_are_accepted_and_removed_ones_are_not(
    probe, serve, servicer, issuer, monkeypatch
):
    monkeypatch.setattr("junctor_service.jwks.LEAST_PAUSE", 0.0)
    new = rsa.generate_private_key(65537, 2048)
    old = issuer.token()
    from junctor_service.jwks import KeySet

    monkeypatch.setattr(KeySet.__init__, "__kwdefaults__", {**KeySet.__init__.__kwdefaults__, "least_pause": 0.0})
    site = await serve(servicer)
    async with stub_for(probe, site.address) as stub:
        await stub.Look(probe.pb2.LookRequest(), metadata=bearer(old))
        issuer.publish({"k2": new})
        rotated = issuer.token(key=new, key_id="k2", algorithm="RS256")
        await stub.Look(probe.pb2.LookRequest(), metadata=bearer(rotated))
        error = await refusal(stub.Look(probe.pb2.LookRequest(), metadata=bearer(old)))
    assert error.reason == "TOKEN_UNKNOWN_KEY"


async def test_without_the_issuers_keys_calls_are_unavailable(probe, serve, servicer, issuer):
    issuer.jwks.write_text("{}")
    site = await serve(servicer)
    async with stub_for(probe, site.address) as stub:
        error = await refusal(stub.Look(probe.pb2.LookRequest(), metadata=bearer(issuer.token())))
    assert (error.code, error.retryable) == (Code.UNAVAILABLE, True)


@pytest.mark.parametrize(("request_id", "reason"), [("", "REQUEST_ID_MISSING"), ("x" * 129, "REQUEST_ID_TOO_LONG")])
async def test_a_mutating_call_needs_a_request_id(request_id, reason, probe, serve, servicer, issuer):
    site = await serve(servicer)
    async with stub_for(probe, site.address) as stub:
        call = stub.Change(probe.pb2.ChangeRequest(request_id=request_id), metadata=bearer(issuer.token()))
        error = await refusal(call)
    assert (error.code, error.reason, error.fields[0].field) == (Code.INVALID_ARGUMENT, reason, "request_id")


async def test_deadlines_have_a_default_and_a_limit(probe, serve, servicer, issuer, settings):
    used = dataclasses.replace(settings, rpc_deadline=0.3, rpc_deadline_limit=0.6)
    site = await serve(servicer, used=used)
    metadata = bearer(issuer.token())
    async with stub_for(probe, site.address) as stub:
        assert 0.2 < (await stub.Look(probe.pb2.LookRequest(), metadata=metadata)).time_left <= 0.3
        assert 0.4 < (await stub.Look(probe.pb2.LookRequest(), metadata=metadata, timeout=50)).time_left <= 0.6
        error = await refusal(stub.Look(probe.pb2.LookRequest(act="sleep"), metadata=metadata))
    assert (error.code, error.reason, error.retryable) == (Code.DEADLINE_EXCEEDED, "DEADLINE", True)


async def test_errors_come_whole_and_crashes_say_nothing_of_the_inside(probe, serve, servicer, issuer):
    site = await serve(servicer)
    metadata = bearer(issuer.token())
    async with stub_for(probe, site.address) as stub:
        refused = await refusal(stub.Look(probe.pb2.LookRequest(act="refuse"), metadata=metadata))
        crashed = await refusal(stub.Look(probe.pb2.LookRequest(act="crash"), metadata=metadata))
    assert (refused.code, refused.message, refused.reason) == (Code.FAILED_PRECONDITION, "Not now.", "NOT_NOW")
    assert crashed.code is Code.INTERNAL
    assert "+861380" not in crashed.message


async def test_streams_both_ways(probe, serve, servicer, issuer):
    site = await serve(servicer)
    metadata = bearer(issuer.token())
    requests = [probe.pb2.LookRequest(), probe.pb2.LookRequest(tenant="acme")]
    async with stub_for(probe, site.address) as stub:
        assert (await stub.Collect(iter(requests), metadata=metadata)).count == 2
        bad = [*requests, probe.pb2.LookRequest(tenant="other")]
        assert (await refusal(stub.Collect(iter(bad), metadata=metadata))).reason == "TOKEN_WRONG_TENANT"
        call = stub.Follow(probe.pb2.LookRequest(), metadata=metadata)
        assert [(await call.read()).count for _ in range(3)] == [0, 1, 2]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        failing = stub.Follow(probe.pb2.LookRequest(act="fail"), metadata=metadata)
        await failing.read()
        assert (await refusal(failing.read())).reason == "OVER"
        denied = stub.Follow(probe.pb2.LookRequest(), metadata=bearer(issuer.token(**AGENT)))
        assert (await refusal(denied.read())).reason == "WRONG_ROLE"
    await asyncio.wait_for(servicer.ended.wait(), 5)


async def test_an_error_of_the_log_is_told_as_what_it_is(probe, serve, servicer, issuer):
    site = await serve(servicer)
    async with stub_for(probe, site.address) as stub:
        told = await refusal(stub.Look(probe.pb2.LookRequest(act="restoring"), metadata=bearer(issuer.token())))
    assert (told.code, told.retryable) == (Code.UNAVAILABLE, True)


async def test_a_stream_ends_with_the_token_that_opened_it(probe, serve, servicer, issuer):
    site = await serve(servicer)
    last_moment = issuer.token(exp=time.time() - SKEW_SECONDS + 0.7)
    async with stub_for(probe, site.address) as stub:
        call = stub.Follow(probe.pb2.LookRequest(), metadata=bearer(last_moment))
        assert (await call.read()).count == 0
        ended = await refusal(_to_the_end(call))
        assert (ended.code, ended.reason) == (Code.UNAUTHENTICATED, "TOKEN_EXPIRED")
    await asyncio.wait_for(servicer.ended.wait(), 5)


async def _to_the_end(call):
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_drain_ends_streams_with_unavailable_and_lets_unary_calls_finish(probe, serve, servicer, issuer):
    started = asyncio.Event()
    inner = servicer.seen

    async def slow(request, context):
        started.set()
        await asyncio.sleep(0.3)
        return inner()

    servicer.Change = slow
    site = await serve(servicer)
    metadata = bearer(issuer.token())
    async with grpc.aio.insecure_channel(site.address) as channel:
        stub = probe.grpc.ProbeStub(channel)
        stream = stub.Follow(probe.pb2.LookRequest(), metadata=metadata)
        await stream.read()
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        unary = asyncio.create_task(_await(stub.Change(probe.pb2.ChangeRequest(request_id="1"), metadata=metadata)))
        await started.wait()
        stopping = asyncio.create_task(site.service.stop(time.monotonic() + 5))

        async def read_on():
            while True:
                await stream.read()

        error = await refusal(read_on())
        assert (error.code, error.reason, error.retryable) == (Code.UNAVAILABLE, "DRAINING", True)
        assert (await unary).subject == "ann"
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        await asyncio.wait_for(stopping, 3)


async def _await(call):
    return await call


async def test_health_and_reflection(probe, serve, servicer, issuer):
    site = await serve(servicer)
    async with grpc.aio.insecure_channel(site.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "readiness", "liveness", "router", "probe.v1.Probe"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert (await refusal(health.Check(health_pb2.HealthCheckRequest(service="x")))).code is Code.NOT_FOUND
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        site.service.components[0]._started = False
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        live = await health.Check(health_pb2.HealthCheckRequest(service="liveness"))
        assert live.status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()

        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="probe.v1.Probe")
        listed = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [a async for a in stub.ServerReflectionInfo(iter([listed, asked]), metadata=bearer(issuer.token()))]
        assert "probe.v1.Probe" in {s.name for s in answers[0].list_services_response.service}
        file = descriptor_pb2.FileDescriptorProto.FromString(
            answers[1].file_descriptor_response.file_descriptor_proto[0]
        )
        assert file.package == "probe.v1"


async def test_a_taken_port_is_told(probe, serve, servicer, settings):
    from junctor_service.run import StartFailed
    from junctor_service.settings import HostPort

    site = await serve(servicer)
    port = int(site.address.rpartition(":")[2])
    used = dataclasses.replace(settings, grpc_listen=HostPort("127.0.0.1", port))
    with pytest.raises(StartFailed, match=f"router: grpc did not start: 127.0.0.1:{port} cannot be listened on"):
        await serve(servicer, used=used)


async def test_our_client_carries_token_tenant_deadline_and_trace_and_retries(probe, serve, servicer, issuer):
    site = await serve(servicer)
    channels = Channels(StaticToken(issuer.token(**SERVICE)), telemetry=site.telemetry)
    stub = probe.grpc.ProbeStub(channels.channel(site.address))
    assert channels.channel(site.address) is channels.channel(site.address)
    traceparent = contact_traceparent(CONTACT)
    with site.telemetry.span("router.apply", traceparent=traceparent):
        seen = await rpc(stub.Look(probe.pb2.LookRequest(tenant="acme")))
    assert (seen.tenant, seen.subject) == ("acme", "service:cti")
    assert seen.traceparent.split("-")[1] == CONTACT.replace("-", "")
    assert 3 < seen.time_left <= 10

    assert (await rpc(stub.Look(probe.pb2.LookRequest(tenant="acme", act="away twice")))).count == 3
    with pytest.raises(ServiceError) as caught:
        await rpc(stub.Look(probe.pb2.LookRequest(tenant="acme", act="away"), timeout=0.4))
    assert (caught.value.code, caught.value.retryable) in {(Code.UNAVAILABLE, True), (Code.DEADLINE_EXCEEDED, True)}
    assert servicer.tries > 4
    change = probe.pb2.ChangeRequest(tenant="acme", request_id="1")
    explicit = stub.Change(change, metadata=[("x-junctor-tenant", "other")])
    with pytest.raises(ServiceError, match="another tenant"):
        await rpc(explicit)
    collected = await rpc(
        stub.Collect(iter([probe.pb2.LookRequest(tenant="acme")]), metadata=[("x-junctor-tenant", "acme")])
    )
    assert collected.count == 1
    await channels.close()

    person = Channels(StaticToken(issuer.token()))
    stream = probe.grpc.ProbeStub(person.channel(site.address)).Follow(probe.pb2.LookRequest())
    assert (await stream.read()).tenant == "acme"
    stream.cancel()
    await person.close()

    await site.telemetry.spans.flush()
    rows = [json.loads(line) for record in site.append.records for line in record.value.splitlines()]
    served = [row for row in rows if row["SpanName"] == "probe.v1.Probe/Look" and row["SpanKind"] == "Server"]
    called = [row for row in rows if row["SpanName"] == "probe.v1.Probe/Look" and row["SpanKind"] == "Client"]
    assert served[0]["ParentSpanId"] == called[0]["SpanId"]
    assert served[0]["SpanAttributes"]["junctor.tenant"] == "acme"
    points = [p for p in site.telemetry.points() if p.name == "junctor.rpc.server_duration"]
    assert any(p.attributes["rpc.grpc.status_code"] == "OK" and p.count for p in points)


async def test_our_client_waits_for_a_service_that_starts_late(
    probe, serve, servicer, issuer, settings, unused_tcp_port
):
    from junctor_service.settings import HostPort

    channels = Channels(StaticToken(issuer.token()))
    stub = probe.grpc.ProbeStub(channels.channel(f"127.0.0.1:{unused_tcp_port}"))
    call = asyncio.create_task(rpc(stub.Look(probe.pb2.LookRequest(), timeout=8)))
    await asyncio.sleep(0)
    await serve(servicer, used=dataclasses.replace(settings, grpc_listen=HostPort("127.0.0.1", unused_tcp_port)))
    assert (await call).subject == "ann"
    await channels.close()


async def test_our_client_tries_again_while_no_token_can_be_had(probe, serve, servicer, issuer):
    site = await serve(servicer)

    class Late:
        asked = 0

        async def token(self):
            self.asked += 1
            if self.asked < 3:
                raise ServiceError(Code.UNAVAILABLE, "The issuer is away.")
            return issuer.token()

    source = Late()
    channels = Channels(source)
    stub = probe.grpc.ProbeStub(channels.channel(site.address))
    assert (await rpc(stub.Look(probe.pb2.LookRequest()))).subject == "ann"
    source.asked = -1_000_000
    with pytest.raises(ServiceError, match="The issuer is away"):
        await rpc(stub.Look(probe.pb2.LookRequest(), timeout=0.2))
    await channels.close()


async def test_a_caller_that_gives_up_ends_the_handler_and_the_call_is_counted(probe, serve, servicer, issuer):
    site = await serve(servicer)
    channels = Channels(StaticToken(issuer.token()), telemetry=site.telemetry)
    stub = probe.grpc.ProbeStub(channels.channel(site.address))
    call = asyncio.create_task(rpc(stub.Look(probe.pb2.LookRequest(act="sleep"))))
    await asyncio.wait_for(servicer.asleep.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(servicer.ended.wait(), 5)
    await channels.close()
    codes = set()
    async with asyncio.timeout(5):
        while not codes:
            await asyncio.sleep(0)
            points = [p for p in site.telemetry.points() if p.name == "junctor.rpc.server_duration"]
            codes = {p.attributes["rpc.grpc.status_code"] for p in points}
    assert codes == {"CANCELLED"}
