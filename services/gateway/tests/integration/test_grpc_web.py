"""gRPC-Web with a client written by hand from the protocol's text."""

import base64
import random
import struct
from urllib.parse import unquote

import pytest
from google.rpc import status_pb2
from junctor.router.v1 import router_pb2
from junctor_service.errors import ServiceError, precondition

SERVICE = "/junctor.router.v1.RouterService"


def pieces(text):
    """Base64 in pieces, each of which may end with padding."""
    return b"".join(base64.b64decode(text[n : n + 4]) for n in range(0, len(text), 4))


class Client:
    def __init__(self, http, text):
        self.http, self.text = http, text
        self.kind = "application/grpc-web-text+proto" if text else "application/grpc-web+proto"
        self.status = None

    def framed(self, message):
        body = struct.pack(">BI", 0, len(message)) + message
        return base64.b64encode(body) if self.text else body

    async def call(self, method, request, response_class, **headers):
        headers = {"content-type": self.kind, "x-grpc-web": "1", **headers}
        pending, found = b"", []
        self.status = None
        async with self.http.stream(
            "POST", f"{SERVICE}/{method}", content=self.framed(request.SerializeToString()), headers=headers
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == self.kind
            raw = b""
            async for piece in answer.aiter_raw():
                raw += piece
                if self.text:
                    whole = len(raw) // 4 * 4
                    pending += pieces(raw[:whole])
                    raw = raw[whole:]
                else:
                    pending, raw = pending + raw, b""
                while len(pending) >= 5:
                    flags, length = struct.unpack_from(">BI", pending)
                    if len(pending) < 5 + length:
                        break
                    content, pending = pending[5 : 5 + length], pending[5 + length :]
                    if flags & 0x80:
                        self.status = self.trailers(content)
                    else:
                        found.append(response_class.FromString(content))
                        if len(found) == 3:
                            return found
        assert pending == raw == b""
        return found

    @staticmethod
    def trailers(content):
        lines = content.decode("ascii").removesuffix("\r\n").split("\r\n")
        return dict(line.split(": ", 1) for line in lines)


@pytest.fixture(params=["binary", "text"])
def client(gateway, request):
    return Client(gateway.http, request.param == "text")


async def test_unary(gateway, client):
    [answer] = await client.call("GetTask", router_pb2.GetTaskRequest(contact_id="c"), router_pb2.GetTaskResponse)
    assert answer.task.contact_id == "c"
    assert client.status == {"grpc-status": "0"}
    assert gateway.router.asked[0].tenant == "acme"


async def test_an_error_is_trailers_with_details(gateway, client):
    gateway.router.error = precondition("Der Agent ist nicht da: 李雷 100%.", reason="AWAY")
    assert await client.call("GetTask", router_pb2.GetTaskRequest(), router_pb2.GetTaskResponse) == []
    assert client.status["grpc-status"] == "9"
    assert unquote(client.status["grpc-message"]) == "Der Agent ist nicht da: 李雷 100%."
    details = client.status["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert ServiceError.from_status(status).reason == "AWAY"


async def test_refused_callers(gateway, client):
    for token, code in (("", "16"), (f"Bearer {gateway.token(roles=['analyst'])}", "7")):
        request = router_pb2.WatchPoolRequest()
        assert await client.call("WatchPool", request, router_pb2.WatchPoolResponse, authorization=token) == []
        assert client.status["grpc-status"] == code


async def test_server_streams(gateway, client):
    gateway.router.changes = [(0, 1), (0, 2), (0, 3)]
    request = router_pb2.WatchAgentRequest(agent_id="ann")
    found = await client.call("WatchAgent", request, router_pb2.WatchAgentResponse)
    assert [response.seq for response in found] == [1, 2, 3]


async def test_a_stream_that_fails_ends_with_its_status(gateway, client):
    gateway.router._note = gateway.router.asked.append
    gateway.router.changes = [(0, 1)]
    gateway.router.error = precondition("Over.", reason="OVER")
    request = router_pb2.WatchAgentRequest(agent_id="ann")
    assert len(await client.call("WatchAgent", request, router_pb2.WatchAgentResponse)) == 1
    assert client.status["grpc-status"] == "9"


async def test_the_callers_timeout_holds(gateway, client):
    gateway.router.hold.clear()
    request = router_pb2.GetTaskRequest()
    await client.call("GetTask", request, router_pb2.GetTaskResponse, **{"grpc-timeout": "200m"})
    assert client.status["grpc-status"] == "4"


MALFORMED = {
    "empty": (b"", "3"),
    "short head": (b"\0\0\0", "3"),
    "short message": (struct.pack(">BI", 0, 9) + b"abc", "3"),
    "two messages": (struct.pack(">BI", 0, 0) * 2, "3"),
    "trailers": (struct.pack(">BI", 0x80, 0), "3"),
    "compressed": (struct.pack(">BI", 1, 3) + b"abc", "12"),
    "no message": (struct.pack(">BI", 0, 2) + b"\xff\xff", "3"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_bodies(gateway, client, case):
    body, code = MALFORMED[case]
    content = base64.b64encode(body) if client.text else body
    answer = await gateway.http.post(f"{SERVICE}/GetTask", content=content, headers={"content-type": client.kind})
    raw = base64.b64decode(answer.content) if client.text else answer.content
    assert client.trailers(raw[5:])["grpc-status"] == code


async def test_made_up_bytes_get_a_status(gateway, client):
    chance = random.Random(7)
    codes = set()
    for _ in range(150):
        body = chance.randbytes(chance.randrange(40))
        if chance.random() < 0.6:
            body = struct.pack(">BI", 0, len(body)) + body
        content = base64.b64encode(body) if client.text and chance.random() < 0.8 else body
        answer = await gateway.http.post(f"{SERVICE}/GetTask", content=content, headers={"content-type": client.kind})
        assert answer.status_code == 200
        raw = pieces(answer.content) if client.text else answer.content
        while raw[0] != 0x80:
            raw = raw[5 + struct.unpack_from(">BI", raw)[1] :]
        codes.add(client.trailers(raw[5:])["grpc-status"])
    assert codes <= {"0", "3", "7", "12"}
    assert "3" in codes


async def test_text_in_pieces_with_padding_of_their_own(gateway):
    message = router_pb2.GetTaskRequest(contact_id="abcd").SerializeToString()
    content = base64.b64encode(struct.pack(">BI", 0, len(message))) + base64.b64encode(message)
    headers = {"content-type": "application/grpc-web-text"}
    answer = await gateway.http.post(f"{SERVICE}/GetTask", content=content, headers=headers)
    assert answer.status_code == 200
    assert gateway.router.asked[0].contact_id == "abcd"
    bad = await gateway.http.post(f"{SERVICE}/GetTask", content=b"!!!!", headers=headers)
    assert b"grpc-status: 3" in base64.b64decode(bad.content)


async def test_other_content_types_are_refused(gateway):
    for kind in ("application/json", "application/grpc-web+json", "application/grpc", ""):
        answer = await gateway.http.post(f"{SERVICE}/GetTask", content=b"", headers={"content-type": kind})
        assert answer.status_code == 415
