"""The media process, whichever it is: one suite on junctor-media and, where it is installed, on rtpengine.

Audio is judged by its content: each party sends a tone of its own.
"""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from junctor_cti.adapters.media.dtmf import Digit, DtmfListener
from junctor_cti.adapters.media.media import Media
from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError, PlayFailed, UnusableSdp
from junctor_testkit.audio import tone, write_wav
from junctor_testkit.rtp import RtpEndpoint, peer_of

CALLER, AGENT, PROMPT, OTHER = 440, 1000, 1700, 2400


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@dataclass
class Engine:
    """A media process of its own, killed by its id at the end."""

    name: str
    directory: Path
    ng: tuple[str, int]
    dtmf_port: int
    low: int
    process: subprocess.Popen | None = None

    @property
    def log(self) -> Path:
        return self.directory / "media.log"

    def command(self) -> list[str]:
        ng, high = f"127.0.0.1:{self.ng[1]}", self.low + 198
        digits = f"127.0.0.1:{self.dtmf_port}"
        if self.name == "junctor-media":
            ports = ["--port-min", str(self.low), "--port-max", str(high)]
            return [sys.executable, "-m", "junctor_local.media", "--ng", ng, "--dtmf-log", digits, *ports]
        options = {
            "config-file": "none",
            "table": "-1",
            "interface": "127.0.0.1",
            "listen-ng": ng,
            "listen-cli": f"127.0.0.1:{free_port()}",
            "log-level": "5",
            "dtmf-log-dest": digits,
            "port-min": str(self.low),
            "port-max": str(high),
            "num-threads": "2",
            "delete-delay": "0",
            "timeout": "60",
        }
        return ["rtpengine", *(f"--{key}={value}" for key, value in options.items()), "--foreground", "--log-stderr"]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)

    def kill(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)

    async def ready(self, media: Media, limit: float = 90.0, starts: int = 5) -> None:
        """Until it answers. One that ends at once (its predecessor's port was not free yet) is started again."""
        until = time.monotonic() + limit
        while True:
            try:
                return await media.ping()
            except MediaError:
                if self.process.poll() is not None and starts > 0:
                    starts -= 1
                    self.start()
                elif self.process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"{self.name} is not up: {self.log.read_text()[-2000:]}") from None


def make_engine(name: str, directory: Path) -> Engine:
    if name == "rtpengine" and not shutil.which("rtpengine"):
        pytest.skip("rtpengine is not installed (Debian: apt-get install rtpengine-daemon)")
    ng = free_port()
    return Engine(name, directory, ("127.0.0.1", ng), free_port(), 12_000 + ng % 160 * 120)


ENGINES = pytest.mark.parametrize("name", ["junctor-media", "rtpengine"])


@pytest.fixture(scope="module", params=["junctor-media", "rtpengine"])
def engine(request, tmp_path_factory):
    engine = make_engine(request.param, tmp_path_factory.mktemp(request.param))
    engine.start()
    yield engine
    engine.kill(signal.SIGTERM)
    unknown = [line for line in engine.log.read_text().splitlines() if "unknown" in line.lower() and "flag" in line]
    assert not unknown, f"flags that {engine.name} does not know: {unknown}"


@pytest.fixture
async def media(engine):
    media = await Media.open(engine.ng)
    await engine.ready(media)
    yield media
    media.close()


@dataclass
class Scene:
    """A caller and agents around one call."""

    media: Media
    call_id: str
    caller: RtpEndpoint
    phones: list[RtpEndpoint]
    caller_sdp: str = ""

    async def phone(self, hz: int | None, **options) -> RtpEndpoint:
        self.phones.append(await RtpEndpoint.open(tone_hz=hz, **options))
        return self.phones[-1]

    async def answered(self, codecs=("PCMA", "PCMU")) -> str:
        self.caller_sdp = self.caller.sdp(codecs=codecs)
        answer = await self.media.answer_first(self.call_id, self.caller_sdp)
        self.caller.connect(answer)
        return answer

    async def joined(self, agent: RtpEndpoint, codecs=("PCMA",)) -> str:
        agent.connect(await self.media.offer_far(self.call_id, self.caller_sdp))
        agent.codec = codecs[0]
        return await self.media.connect_far(self.call_id, agent.sdp(codecs=codecs))


@pytest.fixture
async def scene(media, request):
    caller = await RtpEndpoint.open(tone_hz=CALLER)
    scene = Scene(media, f"{request.node.name[:40]}-{caller.ssrc}", caller, [caller])
    yield scene
    await media.delete(scene.call_id)
    for phone in scene.phones:
        phone.close()


@pytest.fixture
def prompt(tmp_path) -> Path:
    return write_wav(tmp_path / "prompt.wav", [tone(PROMPT, 600)])


async def until(condition, within=3.0):
    limit = time.monotonic() + within
    while not condition():
        assert time.monotonic() < limit, "the condition did not come true"
        await asyncio.sleep(0.02)


async def test_the_caller_is_answered_with_one_codec_and_its_own_event_number(scene):
    scene.caller.event_type = 96
    _, port, numbers = peer_of(await scene.answered(("PCMU", "PCMA")))
    assert port
    assert numbers == [8, 96], "PCMA comes first although the caller prefers PCMU"


async def test_a_pcmu_caller_is_answered_in_pcmu(scene):
    assert peer_of(await scene.answered(("PCMU",)))[2] == [0, 101]


async def test_answering_and_offering_again_changes_nothing(scene):
    first = peer_of(await scene.answered())
    assert peer_of(await scene.media.answer_first(scene.call_id, scene.caller_sdp)) == first
    offers = [peer_of(await scene.media.offer_far(scene.call_id, scene.caller_sdp)) for _ in range(2)]
    assert offers[0] == offers[1]
    assert set(offers[0][2]) == {8, 0, 101}


async def test_both_hear_each_other_and_not_themselves_without_a_reinvite(scene):
    answered = peer_of(await scene.answered())
    agent = await scene.phone(AGENT)
    connected = peer_of(await scene.joined(agent))
    assert connected == answered, "port and codec that the caller was told at first"
    await asyncio.gather(scene.caller.wait_for_tone(AGENT), agent.wait_for_tone(CALLER))
    assert scene.caller.level(CALLER, last_ms=100) < 400
    assert agent.level(AGENT, last_ms=100) < 400


async def test_a_prompt_is_heard_by_the_caller_at_once_and_ends(scene, prompt):
    await scene.answered()
    begun = time.monotonic()
    assert await scene.media.play(scene.call_id, prompt) == 600
    await scene.caller.wait_for_tone(PROMPT)
    assert scene.caller.received[0].arrival - begun < 0.25
    await until(lambda: time.monotonic() - scene.caller.received[-1].arrival > 0.2)
    assert 28 <= len(scene.caller.received) <= 33, "600 ms are 30 packets"


async def test_a_prompt_of_bytes_is_repeated(scene, prompt):
    await scene.answered()
    assert await scene.media.play(scene.call_id, prompt.read_bytes(), repeat=2) == 600
    await until(lambda: len(scene.caller.received) >= 58)
    await until(lambda: time.monotonic() - scene.caller.received[-1].arrival > 0.2)
    assert len(scene.caller.received) <= 63


async def test_a_prompt_can_be_stopped_and_another_replaces_it(scene, prompt, tmp_path):
    await scene.answered()
    long = write_wav(tmp_path / "long.wav", [tone(OTHER, 20_000)])
    assert await scene.media.play(scene.call_id, long) == 20_000
    await scene.caller.wait_for_tone(OTHER)
    await scene.media.play(scene.call_id, prompt)
    await scene.caller.wait_for_tone(PROMPT)
    await scene.media.stop_play(scene.call_id)
    await scene.media.stop_play(scene.call_id)
    await until(lambda: time.monotonic() - scene.caller.received[-1].arrival > 0.1)


async def test_joining_ends_the_prompt_and_one_stream_goes_on(scene, tmp_path):
    await scene.answered()
    await scene.media.play(scene.call_id, write_wav(tmp_path / "long.wav", [tone(PROMPT, 20_000)]))
    await scene.caller.wait_for_tone(PROMPT)
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await scene.caller.wait_for_tone(AGENT)
    await until(lambda: scene.caller.level(PROMPT, last_ms=100) < 400)


async def test_prompt_and_agents_are_one_rtp_stream_for_the_caller(scene, engine, prompt):
    if engine.name == "rtpengine":
        pytest.skip("rtpengine gives each source an SSRC of its own, which RFC 3550 allows")
    await scene.answered()
    await scene.media.play(scene.call_id, prompt)
    await scene.caller.wait_for_tone(PROMPT)
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await scene.caller.wait_for_tone(AGENT)
    packets = list(scene.caller.received)
    steps = list(pairwise(packets))
    assert len({packet.ssrc for packet in packets}) == 1
    assert {(after.sequence - before.sequence) & 0xFFFF for before, after in steps} == {1}
    elapsed = ((packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF) / 8000
    assert elapsed == pytest.approx(packets[-1].arrival - packets[0].arrival, abs=0.1)


@pytest.mark.parametrize("reason", ["missing", "stereo", "not audio"])
async def test_a_prompt_that_cannot_be_heard_is_an_error(scene, tmp_path, engine, reason):
    path = tmp_path / "bad.wav"
    if reason == "stereo":
        if engine.name == "rtpengine":
            pytest.skip("rtpengine mixes stereo prompts down")
        write_wav(path, [tone(PROMPT, 100), tone(OTHER, 100)])
    elif reason == "not audio":
        path.write_bytes(b"RIFF and nothing else")
    await scene.answered()
    with pytest.raises(PlayFailed) as error:
        await scene.media.play(scene.call_id, path)
    assert not error.value.retryable


async def test_the_two_laws_are_transcoded(scene):
    await scene.answered(("PCMA",))
    agent = await scene.phone(AGENT, codec="PCMU")
    await scene.joined(agent, ("PCMU",))
    await asyncio.gather(scene.caller.wait_for_tone(AGENT), agent.wait_for_tone(CALLER))
    assert scene.caller.received[-1].payload_type == 8
    assert agent.received[-1].payload_type == 0
    assert scene.caller.level(AGENT) == pytest.approx(8000, rel=0.1)


async def test_digits_are_reported_once_each_with_their_side(scene, engine):
    digits: list[Digit] = []
    listener = await DtmfListener.open(("127.0.0.1", engine.dtmf_port), digits.append)
    try:
        await scene.answered()
        await scene.caller.send_digits("5#5", duration_ms=160)
        await until(lambda: len(digits) >= 3)
        agent = await scene.phone(AGENT)
        await scene.joined(agent)
        await agent.send_digits("0")
        await until(lambda: len(digits) >= 4)
    finally:
        listener.close()
    assert [(digit.call_id, digit.side, digit.digit) for digit in digits] == [
        (scene.call_id, "caller", "5"),
        (scene.call_id, "caller", "#"),
        (scene.call_id, "caller", "5"),
        (scene.call_id, "agent", "0"),
    ]
    assert all(140 <= digit.duration_ms <= 180 for digit in digits)


async def test_blocked_digits_are_reported_but_reach_neither_agent_nor_recording(scene, engine):
    digits: list[Digit] = []
    listener = await DtmfListener.open(("127.0.0.1", engine.dtmf_port), digits.append)
    try:
        await scene.answered()
        agent, recorder = await scene.phone(AGENT), await scene.phone(None)
        await scene.joined(agent)
        await scene.media.fork(scene.call_id, "caller", ("127.0.0.1", recorder.port))
        await agent.wait_for_tone(CALLER)
        await scene.media.block_dtmf(scene.call_id)
        await scene.caller.send_digits("12")
        await until(lambda: len(digits) >= 2)
        await agent.wait_for_tone(CALLER)
        assert (agent.digits, recorder.digits) == ("", "")
        await scene.media.unblock_dtmf(scene.call_id)
        await scene.caller.send_digits("7")
        await agent.wait_for_digits("7")
    finally:
        listener.close()
    assert [digit.digit for digit in digits][:2] == ["1", "2"]


async def test_a_transfer_keeps_the_callers_port_and_the_old_agent_is_not_heard(scene, engine, prompt):
    answered = peer_of(await scene.answered())
    first, second = await scene.phone(AGENT), await scene.phone(OTHER)
    await scene.joined(first)
    await scene.caller.wait_for_tone(AGENT)
    await scene.media.disconnect_far(scene.call_id, scene.caller_sdp)
    await scene.media.play(scene.call_id, prompt)
    await scene.caller.wait_for_tone(PROMPT)
    if engine.name == "rtpengine":
        first.stop()  # it relays whoever sends to the port; a phone stops at its BYE
    assert peer_of(await scene.joined(second)) == answered
    await asyncio.gather(scene.caller.wait_for_tone(OTHER), second.wait_for_tone(CALLER))
    assert scene.caller.level(AGENT, last_ms=100) < 400


async def test_forks_hold_one_side_each_and_end(scene):
    await scene.answered()
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    left, right = await scene.phone(None), await scene.phone(None)
    await scene.media.fork(scene.call_id, "caller", ("127.0.0.1", left.port))
    await scene.media.fork(scene.call_id, "agent", ("127.0.0.1", right.port))
    await asyncio.gather(left.wait_for_tone(CALLER), right.wait_for_tone(AGENT))
    assert left.level(AGENT, last_ms=100) < 400
    assert right.level(CALLER, last_ms=100) < 400
    await scene.media.unfork(scene.call_id, "caller")
    await until(lambda: time.monotonic() - left.received[-1].arrival > 0.2)
    await right.wait_for_tone(AGENT)


async def test_a_fork_moves_to_another_receiver_and_follows_the_next_agent(scene):
    await scene.answered()
    first, second = await scene.phone(AGENT), await scene.phone(OTHER)
    await scene.joined(first)
    one, two = await scene.phone(None), await scene.phone(None)
    await scene.media.fork(scene.call_id, "agent", ("127.0.0.1", one.port))
    await one.wait_for_tone(AGENT)
    await scene.media.fork(scene.call_id, "agent", ("127.0.0.1", two.port))
    await two.wait_for_tone(AGENT)
    first.stop()
    await scene.media.disconnect_far(scene.call_id, scene.caller_sdp)
    await scene.joined(second)
    await two.wait_for_tone(OTHER)


async def test_a_muted_side_is_silent_for_the_other_and_can_be_heard_again(scene):
    await scene.answered()
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await agent.wait_for_tone(CALLER)
    await scene.media.mute(scene.call_id, "caller")
    await until(lambda: agent.level(CALLER, last_ms=100) < 200)
    await scene.caller.wait_for_tone(AGENT)
    await scene.media.unmute(scene.call_id, "caller")
    await agent.wait_for_tone(CALLER)


async def test_a_phone_behind_nat_is_answered_where_its_packets_come_from(scene):
    behind = await scene.phone(None)
    sdp = scene.caller.sdp().replace(f"m=audio {scene.caller.port}", f"m=audio {behind.port}")
    scene.caller_sdp = sdp
    scene.caller.connect(await scene.media.answer_first(scene.call_id, sdp))
    await until(lambda: scene.caller.sent > 5)
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await scene.caller.wait_for_tone(AGENT)


async def test_malformed_packets_disturb_nothing(scene):
    port = peer_of(await scene.answered())[1]
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await agent.wait_for_tone(CALLER)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in (
            b"",
            b"\x80",
            b"\x80\x08" + bytes(10),
            b"\xff" * 40,
            b"\xbf\x08" + b"\xff" * 20,
            b"GET / HTTP/1.0\r\n",
        ):
            sock.sendto(data, ("127.0.0.1", port))
    await asyncio.gather(scene.caller.wait_for_tone(AGENT), agent.wait_for_tone(CALLER))


async def test_packets_are_counted_and_an_ended_call_is_unknown(scene):
    await scene.answered()
    agent = await scene.phone(AGENT)
    await scene.joined(agent)
    await agent.wait_for_tone(CALLER)
    reply = await scene.media.query(scene.call_id)
    assert reply["tags"]["A"]["medias"][0]["streams"][0]["stats"]["packets"] > 0
    assert reply["tags"]["far"]["medias"][0]["streams"][0]["endpoint"]["port"] == agent.port
    assert (await scene.media.statistics())["currentstatistics"]["sessionsown"] >= 1
    assert await scene.media.exists(scene.call_id)
    await scene.media.delete(scene.call_id)
    await scene.media.delete(scene.call_id)
    assert not await scene.media.exists(scene.call_id)
    with pytest.raises(MediaCallUnknown):
        await scene.media.stop_play(scene.call_id)


@pytest.mark.parametrize(
    "sdp",
    ["", "hello", "v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n"],
    ids=["empty", "text", "video"],
)
async def test_an_offer_without_audio_is_unusable(media, sdp):
    with pytest.raises(UnusableSdp):
        await media.answer_first("unusable", sdp)


async def test_an_offer_without_g711_is_unusable(scene):
    sdp = scene.caller.sdp().replace("RTP/AVP 8 0 101", "RTP/AVP 18 101")
    with pytest.raises(UnusableSdp, match="codec"):
        await scene.media.answer_first(scene.call_id, sdp)


@ENGINES
async def test_a_restarted_process_knows_nothing_and_the_call_is_made_again(name, tmp_path):
    engine = make_engine(name, tmp_path)
    engine.start()
    media = await Media.open(engine.ng)
    caller, agent = await RtpEndpoint.open(tone_hz=CALLER), await RtpEndpoint.open(tone_hz=AGENT)
    scene = Scene(media, "restarted", caller, [])
    try:
        await engine.ready(media)
        await scene.answered()
        engine.kill()
        engine.start()
        await engine.ready(media)
        with pytest.raises(MediaCallUnknown) as error:
            await media.stop_play("restarted")
        assert not error.value.retryable
        await scene.answered()
        await scene.joined(agent)
        await asyncio.gather(caller.wait_for_tone(AGENT), agent.wait_for_tone(CALLER))
    finally:
        engine.kill()
        media.close()
        caller.close()
        agent.close()


async def test_a_silent_process_is_a_retryable_error(monkeypatch):
    monkeypatch.setattr("junctor_cti.adapters.media.ng.WAITS", (0.02, 0.02))
    media = await Media.open(("127.0.0.1", free_port()))
    with pytest.raises(MediaError, match="no answer") as error:
        await media.ping()
    assert error.value.retryable
    media.close()


async def test_phones_that_move_by_reinvite_are_followed(scene):
    answered = peer_of(await scene.answered())
    agent, elsewhere, other_agent = await scene.phone(AGENT), await scene.phone(CALLER), await scene.phone(OTHER)
    await scene.joined(agent)
    await scene.caller.wait_for_tone(AGENT)

    scene.caller.stop()
    scene.caller_sdp = elsewhere.sdp()
    await scene.media.offer_far(scene.call_id, scene.caller_sdp)
    answer = await scene.media.connect_far(scene.call_id, agent.sdp(codecs=("PCMA",)))
    assert peer_of(answer) == answered
    elsewhere.connect(answer)
    await asyncio.gather(elsewhere.wait_for_tone(AGENT), agent.wait_for_tone(CALLER))

    agent.stop()
    other_agent.connect(await scene.media.offer_far(scene.call_id, scene.caller_sdp))
    await scene.media.connect_far(scene.call_id, other_agent.sdp(codecs=("PCMA",)))
    await asyncio.gather(elsewhere.wait_for_tone(OTHER), other_agent.wait_for_tone(CALLER))
