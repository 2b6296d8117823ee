"""The control client against a scripted server on loopback: repeats, errors, and digits that cannot be read."""

import asyncio
import json
import socket

import pytest
from junctor_cti.adapters.media.dtmf import Digit, DtmfListener
from junctor_cti.adapters.media.media import Media
from junctor_cti.adapters.media.ng import NgClient
from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError, PlayFailed, UnusableSdp
from junctor_service.bencode import decode, encode


class Script(asyncio.DatagramProtocol):
    """Answers each command with `replies[command]`; loses the first `lose` datagrams."""

    def __init__(self) -> None:
        self.replies: dict[str, dict | bytes] = {}
        self.lose = 0
        self.seen: list[tuple[str, dict]] = []

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        cookie, _, body = data.partition(b" ")
        message = decode(body)
        self.seen.append((cookie.decode(), message))
        if len(self.seen) <= self.lose:
            return
        reply = self.replies.get(message["command"], {"result": "ok"})
        body = reply if isinstance(reply, bytes) else encode(reply)
        self.transport.sendto(b"other-cookie " + encode({"result": "stray"}), addr)
        self.transport.sendto(cookie + b" " + body, addr)


@pytest.fixture
async def script(monkeypatch):
    monkeypatch.setattr("junctor_cti.adapters.media.ng.WAITS", (0.05, 0.05, 0.05, 0.5))
    transport, script = await asyncio.get_running_loop().create_datagram_endpoint(Script, local_addr=("127.0.0.1", 0))
    yield script
    transport.close()


@pytest.fixture
async def client(script):
    client = await NgClient.open(script.transport.get_extra_info("sockname"))
    yield client
    client.close()


async def test_a_lost_command_is_repeated_with_the_same_cookie(script, client):
    script.lose = 2
    assert await client.command("query", call_id="c", nothing=None) == {"result": "ok"}
    assert client.repeats == 2
    assert len({cookie for cookie, _ in script.seen}) == 1
    assert script.seen[0][1] == {"command": "query", "call-id": "c"}


async def test_many_commands_at_once_get_their_own_replies(script, client):
    script.replies = {f"c{n}": {"result": "ok", "n": n} for n in range(50)}
    replies = await asyncio.gather(*(client.command(f"c{n}") for n in range(50)))
    assert [reply["n"] for reply in replies] == list(range(50))


@pytest.mark.parametrize(
    ("reason", "kind", "retryable"),
    [
        ("Unknown call-id", MediaCallUnknown, False),
        ("Unknown call-ID", MediaCallUnknown, False),
        ("Failed to parse SDP", UnusableSdp, False),
        ("Ran out of ports", MediaError, True),
        ("Something else", MediaError, False),
    ],
)
async def test_refusals_are_typed(script, client, reason, kind, retryable):
    script.replies["offer"] = {"result": "error", "error-reason": reason}
    with pytest.raises(MediaError) as error:
        await client.command("offer")
    assert type(error.value) is kind
    assert error.value.retryable is retryable


async def test_a_reply_that_cannot_be_read_is_as_none(script, client, monkeypatch):
    monkeypatch.setattr("junctor_cti.adapters.media.ng.WAITS", (0.02, 0.02))
    script.replies["query"] = b"d3:bad"
    with pytest.raises(MediaError, match="no answer") as error:
        await client.command("query")
    assert error.value.retryable


async def test_a_prompt_accepted_without_a_duration_has_failed(script, client):
    script.replies["play media"] = {"result": "ok"}
    with pytest.raises(PlayFailed, match="without a duration"):
        await Media(client).play("c", b"RIFF")


async def test_a_closed_client_says_so(client):
    client.close()
    with pytest.raises(MediaError, match="closed"):
        await client.command("ping")


async def test_digits_that_cannot_be_read_are_counted_and_the_rest_go_on():
    digits: list[Digit] = []

    def take(digit: Digit) -> None:
        digits.append(digit)
        if digit.digit == "1":
            raise RuntimeError("the callback is broken")

    listener = await DtmfListener.open(("127.0.0.1", 0), take)
    good = {"type": "DTMF", "callid": "c", "source_tag": "far", "event": 2, "duration": 100}
    lines = [
        b"\xff",
        b"[]",
        json.dumps({**good, "type": "other"}).encode(),
        json.dumps({**good, "event": 99}).encode(),
        json.dumps({**good, "source_tag": "stranger"}).encode(),
        json.dumps({**good, "event": 1}).encode(),
        json.dumps(good).encode(),
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for line in lines:
            sock.sendto(line, ("127.0.0.1", listener.port))
    async with asyncio.timeout(3):
        while len(digits) < 2:
            await asyncio.sleep(0.01)
    listener.close()
    assert digits[1] == Digit("c", "agent", "2", 100)
    assert listener.ignored == {"malformed": 3, "other_type": 1, "not_a_digit": 1, "callback_failed": 1}
