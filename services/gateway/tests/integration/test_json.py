"""JSON over HTTP before a real gRPC server: what is passed on, and how errors are told."""

import asyncio
import time

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from junctor_service.errors import Code, FieldViolation, ServiceError, invalid, precondition, unavailable
from junctor_service.tokens import Role
from junctor_service.trace_context import contact_traceparent

CONTACT = "018f3b1e-0000-7000-8000-000000000001"
GET_TASK = "/v1/router/GetTask"


async def test_a_query_by_post_and_by_get(gateway):
    posted = await gateway.http.post(GET_TASK, json={"contactId": CONTACT})
    got = await gateway.http.get(GET_TASK, params={"contact_id": CONTACT})
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json()
    task = posted.json()["task"]
    assert task["contactId"] == CONTACT
    assert task["state"] == "TASK_STATE_QUEUED"
    assert task["arrivedAt"] == "1700000000123"
    assert task["agentId"] == ""
    assert posted.headers["cache-control"] == "no-store"
    assert [request.tenant for request in gateway.router.asked] == ["acme", "acme"]


async def test_token_tenant_and_trace_are_passed_on(gateway):
    trace = contact_traceparent(CONTACT)
    headers = {"authorization": f"Bearer {gateway.token(roles=['agent'], agent_id='ann')}", "traceparent": trace}
    body = {"requestId": "r1", "state": "AGENT_STATE_READY"}
    answer = await gateway.http.post("/v1/router/SetAgentState", json=body, headers=headers)
    assert answer.json() == {"state": "AGENT_STATE_READY", "pending": "AGENT_STATE_UNSPECIFIED"}
    principal = gateway.router.seen["principal"]
    assert (principal.subject, principal.tenant, principal.roles) == ("ann", "acme", {Role.AGENT})
    assert gateway.router.asked[0].agent_id == "ann"
    assert gateway.router.seen["traceparent"].split("-")[1] == trace.split("-")[1]


async def test_a_service_names_the_tenant(gateway):
    headers = {"authorization": f"Bearer {gateway.token(tenant='*', roles=['service'])}"}
    body = {"request_id": "r1", "contact_id": CONTACT}
    refused = await gateway.http.post(GET_TASK, json={"tenant": "acme"}, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (403, "TENANT_MISSING")
    headers["x-junctor-tenant"] = "acme"
    answer = await gateway.http.post("/v1/router/RequestTask", json=body, headers=headers)
    assert answer.status_code == 200
    assert gateway.router.asked[0].tenant == "acme"


async def test_the_idempotency_key_is_the_request_id_where_the_body_has_none(gateway):
    path, body = "/v1/router/SetAgentState", {"agentId": "bob"}
    missing = await gateway.http.post(path, json=body)
    assert missing.status_code == 400
    assert missing.json()["reason"] == "REQUEST_ID_MISSING"
    assert missing.json()["errors"][0]["field"] == "request_id"
    await gateway.http.post(path, json=body, headers={"idempotency-key": "k1"})
    await gateway.http.post(path, json={**body, "requestId": "own"}, headers={"idempotency-key": "k2"})
    assert [request.request_id for request in gateway.router.asked] == ["k1", "own"]


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (precondition("The agent is not logged in.", reason="AGENT_NOT_LOGGED_IN"), 400, None),
        (invalid("No.", FieldViolation("queue", "It is unknown."), reason="QUEUE_UNKNOWN"), 400, None),
        (ServiceError(Code.NOT_FOUND, "There is no such task.", reason="TASK_UNKNOWN"), 404, None),
        (ServiceError(Code.ABORTED, "Again.", retry_after=2.2), 409, "3"),
        (ServiceError(Code.RESOURCE_EXHAUSTED, "Full.", retry_after=0.2), 429, "1"),
        (KeyError("+8613800000000"), 500, None),
    ],
)
async def test_errors_of_services_are_problems(gateway, error, status, retry_after):
    gateway.router.error = error
    answer = await gateway.http.post(GET_TASK, json={"contactId": CONTACT})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.headers.get("retry-after") == retry_after
    problem = answer.json()
    assert problem["status"] == status
    assert problem["retryable"] == (retry_after is not None)
    assert "13800000000" not in answer.text
    if isinstance(error, ServiceError):
        assert (problem["detail"], problem["reason"], problem["code"]) == (error.message, error.reason, error.code.name)
        assert problem["type"] == f"urn:junctor:problem:{error.reason.lower().replace('_', '-')}"
    if getattr(error, "fields", ()):
        assert problem["errors"] == [{"field": "queue", "detail": "It is unknown."}]


async def test_a_service_that_is_away_is_told_after_the_callers_time(gateway):
    gateway.router.error = unavailable("The state is being read.", reason="RESTORING")
    began = time.monotonic()
    answer = await gateway.http.post(GET_TASK, json={}, headers={"grpc-timeout": "300m"})
    assert answer.status_code in {503, 504}
    assert answer.json()["retryable"]
    assert time.monotonic() - began < 3
    supervisor = {"authorization": f"Bearer {gateway.token()}", "grpc-timeout": "200m"}
    away = await gateway.http.get("/v1/ivr/GetFlow", headers=supervisor)
    assert away.status_code in {503, 504}
    unknown = await gateway.http.get("/v1/directory/ListValues")
    assert (unknown.status_code, unknown.json()["reason"]) == (501, "SERVICE_NOT_CONFIGURED")
    odd = await gateway.http.post(GET_TASK, json={}, headers={"grpc-timeout": "soon"})
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (400, "grpc-timeout")


async def test_who_may_not_is_refused_and_audited(gateway):
    async def refused(token, path="/v1/router/WatchPool", body=None):
        answer = await gateway.http.post(path, json=body or {}, headers={"authorization": token})
        return answer.status_code, answer.json()["reason"], answer.headers.get("www-authenticate")

    agent = f"Bearer {gateway.token(roles=['agent'], agent_id='ann')}"
    assert await refused("") == (401, "TOKEN_MISSING", "Bearer")
    assert await refused("Basic YTpi") == (401, "TOKEN_MISSING", "Bearer")
    status, reason, challenge = await refused(f"Bearer {gateway.token(lifetime=-100)}")
    assert (status, reason) == (401, "TOKEN_EXPIRED")
    assert challenge.startswith('Bearer error="invalid_token"')
    assert await refused(agent) == (403, "WRONG_ROLE", None)
    other = {"requestId": "r", "agentId": "bob"}
    assert await refused(agent, "/v1/router/SetAgentState", other) == (403, "OTHER_AGENT", None)
    assert await refused(agent, GET_TASK, {"tenant": "umbrella"}) == (403, "TOKEN_WRONG_TENANT", None)
    assert gateway.router.asked == []
    assert [act.reason for act in gateway.audit.acts] == [
        "TOKEN_MISSING", "TOKEN_MISSING", "TOKEN_EXPIRED", "WRONG_ROLE", "OTHER_AGENT", "TOKEN_WRONG_TENANT",
    ]  # fmt: skip


async def test_bodies_are_bounded_and_of_the_right_kind(gateway):
    large = await gateway.http.post(GET_TASK, json={"contactId": "x" * 70_000})
    assert (large.status_code, large.json()["reason"]) == (413, "BODY_TOO_LARGE")

    async def pieces():
        for _ in range(20):
            yield b" " * 8192

    chunked = await gateway.http.post(GET_TASK, content=pieces())
    assert chunked.status_code == 413
    form = await gateway.http.post(GET_TASK, data={"contactId": "x"})
    assert (form.status_code, form.json()["reason"]) == (415, "WRONG_CONTENT_TYPE")
    wrong = await gateway.http.post(GET_TASK, json={"contactId": 7})
    assert wrong.json()["detail"] == "contactId: It is a number; expected a string."
    assert wrong.json()["errors"] == [{"field": "contactId", "detail": "It is a number; expected a string."}]


async def test_a_body_that_does_not_come_is_not_waited_for(gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = (
        f"POST {GET_TASK} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.token()}\r\ncontent-length: 50\r\n\r\n"
    )
    writer.write(head.encode() + b'{"con')
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_answers_do_not_wait_for_acknowledgements(gateway):
    await gateway.http.get("/livez")
    took = []
    for _ in range(15):
        began = time.monotonic()
        await gateway.http.get("/livez")
        took.append(time.monotonic() - began)
    assert min(took) < 0.03, "a delayed acknowledgement takes 40 ms"


async def test_unknown_paths_and_methods(gateway):
    for path in ("/v1/router/Nothing", "/v1/nobody/GetTask", "/v1/router/GetTask/", "/"):
        answer = await gateway.http.post(path, json={})
        assert (answer.status_code, answer.json()["reason"]) == (404, "PATH_UNKNOWN"), path
    answer = await gateway.http.get("/v1/router/SetAgentState")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_browsers_of_other_origins(gateway):
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-grpc-web"}
    known = await gateway.http.options(GET_TASK, headers={"origin": "https://desk.example", **asked})
    assert known.headers["access-control-allow-origin"] == "https://desk.example"
    other = await gateway.http.options(GET_TASK, headers={"origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in other.headers
    answer = await gateway.http.get(GET_TASK, headers={"origin": "https://desk.example"})
    assert "grpc-status" in answer.headers["access-control-expose-headers"].lower()


async def test_document_pages_and_health(gateway):
    document = (await gateway.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    page = await gateway.http.get("/docs")
    assert "swagger-ui" in page.text
    assert "/openapi.json" in page.text
    assert (await gateway.http.get("/livez")).status_code == 200
    assert (await gateway.http.get("/readyz")).status_code == 200
    async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_drain_lets_a_call_finish_and_takes_no_new_ones(gateway):
    gateway.router.hold.clear()
    call = asyncio.create_task(gateway.http.post(GET_TASK, json={"contactId": CONTACT}))
    await asyncio.wait_for(gateway.router.entered.wait(), 5)
    stopping = asyncio.create_task(gateway.service.stop(time.monotonic() + 30))
    await refuses_connections(gateway.port)
    assert not call.done()
    gateway.router.hold.set()
    assert (await asyncio.wait_for(call, 5)).json()["task"]["contactId"] == CONTACT
    await asyncio.wait_for(stopping, 5)
    with pytest.raises(httpx.TransportError):
        await gateway.http.get("/livez")


async def refuses_connections(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)
