"""Nonsense at every door of a site: each gets a clear error, nothing else stops, and nothing is lost.

The tests of this file share one site. Each one ends with a whole call, and with every service in the process that it
was started in.
"""

import asyncio
import json
import random
import resource
import socket
import struct
import time
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
import pytest_asyncio
from google.protobuf import timestamp_pb2
from junctor.audit.v1 import audit_pb2
from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor.recording.v1 import recording_pb2, recording_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_cli.demonstration.cast import TENANT
from junctor_journal.deadletter import DeadLetters
from junctor_journal.inputs import new_input
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicPartition
from junctor_local.tokens import mint
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7
from junctor_testkit.chat_client import ChatClient
from junctor_testkit.rtp import peer_of
from junctor_testkit.sip_phone import SipPhone
from websockets.asyncio.client import connect

from e2e.stage import LiveCall, Stage, eventually, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENTS = 3
SERVICES = ("directory", "router", "ivr", "recording", "cti", "omnichannel", "analytics", "gateway")
LOGGED = ("router", "cti", "ivr", "recording", "omnichannel", "directory")
LIMIT = 60.0


@pytest_asyncio.fixture(loop_scope="module")
async def unharmed(stage: Stage) -> AsyncIterator[None]:
    """After the test a call goes all the way, in the processes that were there before."""
    await stage.staff(AGENTS)
    before = {name: stage.site.pid(name) for name in SERVICES}
    yield
    live = await stage.talking(await stage.queue())
    await served_to_its_end(stage, live)
    assert {name: stage.site.pid(name) for name in SERVICES} == before
    for name in SERVICES:
        await stage.site.healthy(name, limit=LIMIT)


async def served_to_its_end(stage: Stage, live: LiveCall) -> None:
    assert live.agent is not None
    assert await live.call.hang_up(within=LIMIT) == 200
    await live.agent.calls[live.contact_id].wait("ended", within=LIMIT)
    rows = await stage.rows_of([live], within=LIMIT)
    assert rows == {live.contact_id: served(live.agent.part.agent_id)}


@pytest_asyncio.fixture(loop_scope="module")
async def kafka(stage: Stage) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(stage.site.address("kafka"), client_id="e2e-bad-input")
    await log.start()
    yield log
    await log.stop()


def send_udp(port: int, datagrams: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def junk(seed: int, count: int = 200) -> list[bytes]:
    made = random.Random(seed)
    return [made.randbytes(made.randint(1, 1_200)) for _ in range(count)]


def invite(stage: Stage, **changed: str) -> bytes:
    host, port = stage.sip
    headers = {
        "Via": "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKbad;rport",
        "From": "<sip:bad@127.0.0.1>;tag=bad",
        "To": f"<sip:4100@{host}:{port}>",
        "Call-ID": "bad",
        "CSeq": "1 INVITE",
        "Contact": "<sip:bad@127.0.0.1:9>",
        "Max-Forwards": "70",
        "Content-Length": "0",
    } | changed
    lines = [f"INVITE sip:4100@{host}:{port} SIP/2.0", *(f"{k}: {v}" for k, v in headers.items() if v)]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"CSeq": "1 BYE"}, b"SIP/2.0 400 CSeq Method Mismatch"),
        ({"CSeq": "99999999999 INVITE"}, b"SIP/2.0 400 CSeq Out of Range"),
        ({"Call-ID": ""}, b"SIP/2.0 400 Missing Call-ID"),
        ({"Content-Length": "5000"}, b"SIP/2.0 400"),
        ({"Require": "nonsense"}, b"SIP/2.0 420"),
    ],
)
async def test_a_malformed_invite_is_told_what_is_wrong(stage: Stage, changed: dict[str, str], status: bytes):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.setblocking(False)
        phone.bind(("127.0.0.1", 0))
        await loop.sock_sendto(phone, invite(stage, **changed), stage.sip)
        async with asyncio.timeout(LIMIT):
            answer = await loop.sock_recv(phone, 4_096)
    assert answer.startswith(status), answer


async def test_malformed_sip_harms_nobody(stage: Stage, unharmed: None):
    good = invite(stage)
    made = random.Random(1)
    mutated = []
    for _ in range(300):
        data = bytearray(good)
        for _ in range(made.randint(1, 6)):
            data[made.randrange(len(data))] = made.randrange(256)
        mutated.append(bytes(data[: made.randint(1, len(data))]) if made.random() < 0.5 else bytes(data))
    send_udp(stage.sip[1], [*junk(2), *mutated, b"", b"\r\n\r\n", b"\x00" * 60_000])


async def test_an_unknown_number_is_refused_with_404(stage: Stage, unharmed: None):
    phone = await SipPhone.open("+861370000", stage.sip)
    try:
        call = await phone.call(f"sip:999999@{stage.sip[0]}:{stage.sip[1]}")
        await call.wait("rejected", within=LIMIT)
        assert call.code == 404
    finally:
        await phone.close()


async def test_malformed_rtp_is_not_heard(stage: Stage, unharmed: None):
    await stage.staff(AGENTS)
    live = await stage.talking(await stage.queue())
    assert live.agent is not None
    for call in (live.call, live.agent.calls[live.contact_id]):
        _, port, _ = peer_of(call.remote_sdp)
        bad_header = struct.pack("!BBHII", 0x80, 8, 1, 1, 1)
        send_udp(port, [*junk(3), bad_header, bad_header[:7], b"\x8f\x88" + b"\xff" * 10, b"\x80\xc8" + b"\x00" * 30])
    await eventually(lambda: live.both_hear, LIMIT, "they hear each other")
    await served_to_its_end(stage, live)


@pytest.mark.parametrize("port", ["media_ng", "media_dtmf"])
async def test_junk_between_cti_and_the_media_server_harms_nobody(stage: Stage, unharmed: None, port: str):
    forged = [
        b"cookie d7:command5:offere",
        b"cookie d7:command6:delete7:call-id1:xe",
        b"cookie d7:command99999999:",
        b'{"type":"DTMF","callid":"none","source_tag":"caller","event":5,"duration":100}',
        b'{"type":"DTMF","callid":7,"source_tag":[],"event":"x","duration":null}',
        b'{"type":"DTMF"',
    ]
    send_udp(stage.site.ports.numbers[port], [*junk(4), *forged])


async def test_a_repeated_invite_makes_no_second_contact(stage: Stage, unharmed: None):
    live = await stage.dial()
    assert live.call.invite is not None
    cti = stage.client(cti_pb2_grpc.CtiServiceStub, "cti")

    async def contacts() -> set[str]:
        calls = (await rpc(cti.ListCalls(cti_pb2.ListCallsRequest(tenant=TENANT), timeout=10))).calls
        return {call.contact_id for call in calls}

    before = await contacts()
    assert live.contact_id in before
    for _ in range(10):
        live.phone._link.send(bytes(live.call.invite))
    assert await live.call.hang_up(within=LIMIT) == 200
    assert await contacts() <= before

    async def rows() -> list[object]:
        return [row for row in await asyncio.to_thread(stage.reports().contacts, [live.contact_id]) if row[2]]

    assert len(await eventually(rows, LIMIT, "the contact is closed in ClickHouse")) == 1


async def test_bad_frames_over_websocket_are_answered_one_by_one(stage: Stage, unharmed: None):
    url = stage.site.address("web_chat")
    async with asyncio.timeout(LIMIT), connect(url) as socket_:

        async def told(frame: str | bytes) -> str:
            await socket_.send(frame)
            answer = json.loads(await socket_.recv())
            assert answer["type"] == "error"
            assert answer["message"]
            return str(answer["code"])

        assert await told("{not json") == "not_json"
        assert await told(b"\x00\x01") == "binary_frame"
        assert await told('{"type":"message","id":"1","text":"too early"}') == "no_hello"
        assert await told('{"type":"hello","widget":"demo/none","id":"e2e"}') in ("unknown_widget", "wrong_field")
        assert await told('{"type":"nonsense"}') == "unknown_type"
    async with ChatClient(url, f"{TENANT}/web", visitor="e2e") as chat:
        assert (await chat.hears("bot", seconds=LIMIT)).text == "Hello!"
        await chat.close()


async def test_junk_instead_of_a_websocket_or_http_harms_nobody(stage: Stage, unharmed: None):
    addresses = [stage.site.address(name) for name in ("web_chat", "http", "router", "cti")]
    for address in addresses:
        port = int(address.rpartition(":")[2])
        for data in junk(5, count=10):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.close()


def supervisors_token(stage: Stage, tenant: str = TENANT, lifetime: float = 600.0) -> str:
    return mint(stage.site.key, "e2e-supervisor", tenant, ["supervisor"], None, lifetime)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{not json", ""),
        (b'{"agentId":"agent01","state":"AGENT_STATE_NO_SUCH"}', "state"),
        (b'{"agentId":17,"state":"AGENT_STATE_READY"}', "agentId"),
        (b'{"agentId":"agent01","noSuchField":1}', "noSuchField"),
        (b"[]", ""),
        (b"\xff\xfe", ""),
    ],
)
async def test_wrong_json_over_http_is_refused_with_the_place_named(stage: Stage, body: bytes, named: str):
    headers = {"Authorization": f"Bearer {supervisors_token(stage)}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=stage.site.address("http"), headers=headers, timeout=LIMIT) as client:
        answer = await client.post("/v1/router/SetAgentState", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["detail"]
    assert problem["retryable"] is False
    assert named.lower() in json.dumps(problem).lower()


async def test_an_unknown_enum_value_over_grpc_is_refused(stage: Stage, unharmed: None):
    router = stage.client(router_pb2_grpc.RouterServiceStub, "router")
    request = router_pb2.SetAgentStateRequest(request_id=uuid7(), tenant=TENANT, agent_id="agent01")
    request.state = 4711
    with pytest.raises(ServiceError) as refused:
        await rpc(router.SetAgentState(request, timeout=10))
    assert refused.value.code in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION)
    assert not refused.value.retryable


async def test_the_same_request_id_twice_is_one_command(stage: Stage, unharmed: None):
    agent = (await stage.staff(AGENTS))[0].part.agent_id
    router = stage.client(router_pb2_grpc.RouterServiceStub, "router")

    def to(state: int, request_id: str) -> router_pb2.SetAgentStateRequest:
        return router_pb2.SetAgentStateRequest(
            request_id=request_id, tenant=TENANT, agent_id=agent, state=state, reason="break"
        )

    away = to(router_pb2.AGENT_STATE_NOT_READY, uuid7())
    first = await rpc(router.SetAgentState(away, timeout=10))
    assert first.state == router_pb2.AGENT_STATE_NOT_READY
    await rpc(router.SetAgentState(to(router_pb2.AGENT_STATE_READY, uuid7()), timeout=10))
    again = await rpc(router.SetAgentState(away, timeout=10))
    assert again == first
    found = await rpc(router.GetAgent(router_pb2.GetAgentRequest(tenant=TENANT, agent_id=agent), timeout=10))
    assert found.agent.state == router_pb2.AGENT_STATE_READY


async def test_inputs_that_do_not_parse_are_dead_letters(stage: Stage, unharmed: None, kafka: KafkaLog):
    bad = b"\xff\xff not an input " + uuid7().encode()
    unknown = new_input(timestamp_pb2.Timestamp(seconds=1), id=uuid7(), tenant=TENANT, stream="x").SerializeToString()
    for service in LOGGED:
        for value in (bad, unknown):
            await kafka.producer().send(f"junctor.{service}.inputs.v1", b"demo/x", value, partition=0)
    for service in LOGGED:
        letters = DeadLetters(kafka, service)

        async def found(letters: DeadLetters = letters) -> bool:
            return {bad, unknown} <= {letter.dead.value for letter in await letters.list()}

        await eventually(found, LIMIT, f"the bytes are dead letters of {service}")
        for letter in await letters.list():
            assert letter.dead.reason


async def test_bytes_on_events_topics_are_passed_over(stage: Stage, unharmed: None, kafka: KafkaLog):
    headers = [
        ("ce_id", b"bad"),
        ("ce_type", b"junctor.router.v1.ReservationCreated"),
        ("ce_source", b"/junctor/router"),
        ("ce_specversion", b"1.0"),
        ("ce_time", b"yesterday"),
        ("ce_sequence", b"x"),
    ]
    for service in LOGGED:
        for partition in range(12):
            name = f"junctor.{service}.events.v1"
            await kafka.producer().send(name, b"demo/x", b"\xff\xff\xff", partition=partition)
            await kafka.producer().send(name, b"demo/x", b"\xff\xff\xff", headers, partition=partition)
            await kafka.producer().send(name, None, b"", partition=partition)


async def test_bytes_on_the_directorys_topic_are_passed_over(stage: Stage, unharmed: None, kafka: KafkaLog):
    for key in (b"demo/agent/bad", b"demo/number/bad", b"nonsense", b"\xff\xff"):
        await kafka.producer().send("junctor.directory.state.v1", key, b"\xff\xff\xff", partition=0)


@pytest.mark.parametrize(
    ("token", "code", "reason"),
    [
        ("none", grpc.StatusCode.UNAUTHENTICATED, ""),
        ("nonsense", grpc.StatusCode.UNAUTHENTICATED, ""),
        ("expired", grpc.StatusCode.UNAUTHENTICATED, "EXPIRED"),
        ("other tenant's", grpc.StatusCode.PERMISSION_DENIED, ""),
    ],
)
async def test_a_token_that_does_not_fit_is_refused_and_audited(
    stage: Stage, kafka: KafkaLog, token: str, code: grpc.StatusCode, reason: str
):
    tokens = {
        "none": "",
        "nonsense": "Bearer a.b.c",
        "expired": f"Bearer {supervisors_token(stage, lifetime=-3_600.0)}",
        "other tenant's": f"Bearer {supervisors_token(stage, tenant='elsewhere')}",
    }
    audit = TopicPartition("junctor.audit.v1", 0)
    since = (await kafka.end_offsets([audit]))[audit]
    metadata = [("authorization", tokens[token])] if tokens[token] else []
    async with grpc.aio.insecure_channel(stage.site.address("cti")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await cti_pb2_grpc.CtiServiceStub(channel).ListCalls(
                cti_pb2.ListCallsRequest(tenant=TENANT), metadata=metadata, timeout=LIMIT
            )
    assert refused.value.code() == code, refused.value
    assert refused.value.details()
    tail = await kafka.tail({audit: since})
    try:
        limit, records = time.monotonic() + LIMIT, []
        while not records:
            assert time.monotonic() < limit, "the refusal is not audited"
            read = [record for found in (await tail.getmany(timeout_ms=200)).values() for record in found]
            parsed = [audit_pb2.AuditRecord.FromString(record.value or b"") for record in read]
            records = [one for one in parsed if one.action == "/junctor.cti.v1.CtiService/ListCalls"]
    finally:
        await tail.close()
    assert records[0].service == "cti"
    assert records[0].outcome == audit_pb2.AUDIT_OUTCOME_REFUSED
    assert reason in records[0].reason


async def test_a_full_disk_ends_the_recording_with_its_reason_and_the_call_goes_on(stage: Stage, unharmed: None):
    recording = stage.client(recording_pb2_grpc.RecordingServiceStub, "recording")
    live = await stage.talking(await stage.queue())

    async def mine(*states: int) -> recording_pb2.Recording | None:
        request = recording_pb2.GetRecordingRequest(tenant=TENANT, contact_id=live.contact_id)
        try:
            found = (await rpc(recording.GetRecording(request, timeout=10))).recording
        except ServiceError as error:
            assert error.code is Code.NOT_FOUND, error
            return None
        return found if found.state in states else None

    await eventually(lambda: mine(recording_pb2.RECORDING_STATE_ACTIVE), LIMIT, "it is recorded")
    pid = stage.site.pid("recording")
    assert pid is not None
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
    try:
        ended = (recording_pb2.RECORDING_STATE_SEALING, recording_pb2.RECORDING_STATE_FAILED)
        full = await eventually(lambda: mine(*ended), LIMIT, "the disk is full")
        assert full.reason == "the disk is full"
        assert live.both_hear
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    kept = await eventually(lambda: mine(recording_pb2.RECORDING_STATE_SEALED), LIMIT, "what was recorded is kept")
    assert kept.reason == "the disk is full"
    assert live.both_hear
    await served_to_its_end(stage, live)


async def test_afterwards_every_agent_is_at_work_and_no_call_is_left(stage: Stage, unharmed: None):
    agents = await stage.staff(AGENTS)
    ready = router_pb2.AGENT_STATE_READY
    await eventually(lambda: all(agent.state == ready for agent in agents), LIMIT, "every agent is ready")
    cti = stage.client(cti_pb2_grpc.CtiServiceStub, "cti")

    async def left() -> list[cti_pb2.Call]:
        return list((await rpc(cti.ListCalls(cti_pb2.ListCallsRequest(tenant=TENANT), timeout=10))).calls)

    async def none() -> bool:
        return not await left()

    await eventually(none, 2 * LIMIT, "no call is left")
