"""junctor-media as a process: its own rules beyond the contract that it shares with rtpengine."""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
from junctor_service.bencode import decode, encode
from junctor_testkit.rtp import RtpEndpoint, peer_of


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "junctor_local.media", *options]


class Process:
    """junctor-media and a control socket to it."""

    def __init__(self, ports: int = 40, *options: str) -> None:
        self.ng = free_port()
        self.low = 14_000 + self.ng % 140 * 120 & ~1
        self.digits = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.digits.bind(("127.0.0.1", 0))
        self.digits.settimeout(3)
        given = ["--ng", f"127.0.0.1:{self.ng}", "--dtmf-log", f"127.0.0.1:{self.digits.getsockname()[1]}"]
        given += ["--port-min", str(self.low), "--port-max", str(self.low + ports - 1), *options]
        self.process = subprocess.Popen(command(*given), stderr=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.2)
        self.socket.connect(("127.0.0.1", self.ng))
        self.number = 0
        limit = time.monotonic() + 15
        while True:
            try:
                assert self.raw(b"0 " + encode({"command": "ping"})) == b"0 d6:result4:ponge"
                break
            except OSError:
                assert time.monotonic() < limit
                assert self.process.poll() is None
                time.sleep(0.02)
        self.socket.settimeout(3)

    def raw(self, data: bytes) -> bytes:
        self.socket.send(data)
        return self.socket.recv(65536)

    def ask(self, name: str, **keys: object) -> dict:
        self.number += 1
        message = {"command": name, **{key.replace("_", "-"): value for key, value in keys.items()}}
        cookie, _, body = self.raw(b"%d %s" % (self.number, encode(message))).partition(b" ")
        assert int(cookie) == self.number
        return decode(body)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.socket.close()
        self.digits.close()


@pytest.fixture
def media():
    media = Process()
    yield media
    media.close()


@pytest.fixture
async def phones():
    both = [await RtpEndpoint.open(tone_hz=440), await RtpEndpoint.open(tone_hz=1000)]
    yield both
    for phone in both:
        phone.close()


TAGS = {"from_tag": "A", "to_tag": "far"}


def join(media: Process, call_id: str, phones) -> None:
    offer = media.ask("offer", call_id=call_id, sdp=phones[0].sdp(), **TAGS)
    phones[1].connect(offer["sdp"])
    answer = media.ask("answer", call_id=call_id, sdp=phones[1].sdp(), **TAGS)
    phones[0].connect(answer["sdp"])


def test_a_repeated_cookie_is_answered_from_the_cache(media):
    sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n"
    message = b"once " + encode({"command": "offer", "call-id": "c", "from-tag": "A", "to-tag": "far", "sdp": sdp})
    first = media.raw(message)
    assert b"6:result2:ok" in first
    media.ask("delete", call_id="c")
    assert media.raw(message) == first
    assert media.ask("query", call_id="c")["error-reason"] == "Unknown call-id", "a repeat does nothing again"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"d", "Could not decode"),
        (b"le", "Not a dictionary"),
        (encode({}), "Unrecognized command"),
        (encode({"command": "offer"}), "No call-id"),
        (encode({"command": "offer", "call-id": "x", "from-tag": ["A"], "sdp": ""}), "No from-tag"),
    ],
)
def test_a_control_message_that_cannot_be_read_is_answered(media, body, reason):
    reply = decode(media.raw(b"k " + body).partition(b" ")[2])
    assert reply["result"] == "error"
    assert reason in reply["error-reason"]
    media.socket.send(b"without-a-cookie")
    assert media.ask("ping")["result"] == "pong"


def test_ports_run_out_with_a_reason_and_come_back():
    media = Process(8)
    try:
        sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n"
        replies = [media.ask("offer", call_id=f"c{n}", sdp=sdp, **TAGS) for n in range(3)]
        assert [reply["result"] for reply in replies] == ["ok", "ok", "error"]
        assert replies[2]["error-reason"] == "Ran out of ports"
        media.ask("delete", call_id="c0")
        assert media.ask("offer", call_id="c2", sdp=sdp, **TAGS)["result"] == "ok"
    finally:
        media.close()


async def test_digits_are_logged_in_rtpengines_form(media, phones):
    join(media, "call-1", phones)
    await phones[0].send_digits("7", duration_ms=100)
    line = json.loads(await asyncio.to_thread(media.digits.recv, 2048))
    assert abs(line.pop("timestamp") - time.time()) < 5
    assert line == {
        "callid": "call-1",
        "source_tag": "A",
        "tags": ["A", "far"],
        "type": "DTMF",
        "source_ip": "127.0.0.1",
        "event": 7,
        "digit": "7",
        "duration": 100,
        "volume": 10,
    }


async def test_a_digit_can_be_played_to_the_other_side(media, phones):
    join(media, "c", phones)
    await phones[1].wait_for_tone(440)
    assert media.ask("play DTMF", call_id="c", from_tag="A", code="3", duration=200)["result"] == "ok"
    await phones[1].wait_for_digits("3")
    await phones[1].wait_for_tone(440)
    assert media.ask("play DTMF", call_id="c", from_tag="A", code="x")["result"] == "error"


async def test_foreign_and_malformed_packets_are_counted_and_not_relayed(media, phones):
    join(media, "c", phones)
    await phones[1].wait_for_tone(440)
    port = phones[0].destination[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(struct.pack("!BBHII", 0x80, 8, 1, 1, 1) + b"\x2a" * 160, ("127.0.0.1", port))
        stranger.sendto(b"hello", ("127.0.0.1", port))
        stranger.sendto(bytes([0x80, 200]) + bytes(26), ("127.0.0.1", port))
        stranger.sendto(bytes([0x80, 200]) + bytes(26), ("127.0.0.1", port + 1))
        limit = time.monotonic() + 3
        expected = {"foreign": 1, "malformed": 1, "rtcp": 2}
        while True:
            stream = media.ask("query", call_id="c")["tags"]["A"]["medias"][0]["streams"][0]
            if stream["dropped"] == expected:
                break
            assert time.monotonic() < limit, stream
            await asyncio.sleep(0.02)
    assert len({packet.ssrc for packet in phones[1].received}) == 1


async def test_a_call_without_packets_is_swept(phones):
    media = Process(40, "--timeout", "0.5")
    try:
        join(media, "c", phones)
        for phone in phones:
            phone.stop()
        limit = time.monotonic() + 20
        while media.ask("query", call_id="c")["result"] == "ok":
            assert time.monotonic() < limit
            await asyncio.sleep(0.2)
    finally:
        media.close()


async def test_an_offer_of_video_and_audio_is_answered_line_by_line(media, phones):
    video = "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    media.ask("offer", call_id="c", sdp=phones[0].sdp() + video, **TAGS)
    answer = media.ask("answer", call_id="c", sdp=phones[1].sdp(), **TAGS)["sdp"]
    assert [line.split()[:2] for line in answer.splitlines() if line.startswith("m=")][1] == ["m=video", "0"]
    assert peer_of(answer)[2] == [8, 101]


def test_an_address_in_use_and_wrong_options_end_with_one_line(media):
    cases = [
        (("--ng", f"127.0.0.1:{media.ng}"), "in use"),
        (("--ng", "nonsense"), "not host:port"),
        (("--ng", "127.0.0.1:1", "--port-min", "5", "--port-max", "4"), "no range"),
    ]
    for options, reason in cases:
        done = subprocess.run(command(*options), capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 2
        assert reason in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_sigterm_ends_it_cleanly(media):
    media.process.send_signal(signal.SIGTERM)
    assert media.process.wait(10) == 0


async def test_it_costs_nothing_while_no_call_is_up(media):
    def seconds() -> float:
        with open(f"/proc/{media.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    await asyncio.sleep(0.5)
    assert seconds() - before <= 0.02


def test_mangled_control_messages_are_refused_and_nothing_breaks(media):
    chance = random.Random(3)
    sdp = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    keys = {"call-id": "c", "from-tag": "A", "to-tag": "far", "sdp": sdp, "file": "/none", "code": "3"}
    for number in range(300):
        name = chance.choice(["offer", "answer", "play media", "subscribe request", "subscribe answer", "block media"])
        body = bytearray(encode({"command": name, **keys}))
        for _ in range(chance.randint(0, 3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        reply = decode(media.raw(b"m%d " % number + body).partition(b" ")[2])
        assert reply.get("error-reason") != "Internal error", bytes(body)
    assert media.ask("ping")["result"] == "pong"
