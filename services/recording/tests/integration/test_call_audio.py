"""Real sockets and files: tones of two phones become the two channels."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from junctor_recording.adapters.call_audio import CallAudio
from junctor_recording.adapters.stereo_writer import RecordingFailed, repaired
from junctor_testkit.audio import goertzel, read_wav
from junctor_testkit.rtp import RtpEndpoint

CUSTOMER, AGENT = 440, 1000


@pytest.fixture
async def phones():
    both = [await RtpEndpoint.open(tone_hz=CUSTOMER), await RtpEndpoint.open(tone_hz=AGENT, codec="PCMU")]
    yield both
    for phone in both:
        phone.close()


async def speak(phones, audio: CallAudio) -> None:
    phones[0].start(audio.customer)
    phones[1].start(audio.agent)


def test_left_is_the_customer_and_right_the_agent_by_content(tmp_path: Path):
    async def run():
        phones = [await RtpEndpoint.open(tone_hz=CUSTOMER), await RtpEndpoint.open(tone_hz=AGENT, codec="PCMU")]
        audio = await CallAudio.open(tmp_path / "call.wav")
        await speak(phones, audio)
        await asyncio.sleep(1.0)
        finished = await audio.close()
        for phone in phones:
            phone.close()
        return finished

    finished = asyncio.run(run())
    left, right = read_wav(finished.path)
    assert finished.failure is None
    assert len(left) == len(right)
    assert finished.duration_ms == pytest.approx(1000, abs=150)
    assert goertzel(left[-4000:], CUSTOMER) == pytest.approx(8000, rel=0.1)
    assert goertzel(right[-4000:], AGENT) == pytest.approx(8000, rel=0.1)
    assert goertzel(left[-4000:], AGENT) < 200
    assert goertzel(right[-4000:], CUSTOMER) < 200
    assert finished.late == (0, 0)


async def test_a_pause_is_silence_with_marks(tmp_path, phones):
    audio = await CallAudio.open(tmp_path / "call.wav")
    await speak(phones, audio)
    await asyncio.sleep(0.3)
    paused = audio.pause()
    assert audio.pause() == paused
    await asyncio.sleep(0.3)
    resumed = audio.resume()
    assert audio.resume() is None
    await asyncio.sleep(0.3)
    finished = await audio.close()
    assert finished.marks == (paused, resumed)
    left, right = read_wav(finished.path)
    for channel in (left, right):
        silent = channel[paused.at_ms * 8 : resumed.at_ms * 8]
        assert len(silent) > 2000
        assert not any(silent)
    assert goertzel(left[resumed.at_ms * 8 + 400 :], CUSTOMER) > 6000
    assert goertzel(left[: paused.at_ms * 8][-1200:], CUSTOMER) > 6000


async def test_both_channels_stay_aligned_when_one_begins_later(tmp_path, phones):
    audio = await CallAudio.open(tmp_path / "call.wav")
    phones[0].start(audio.customer)
    await asyncio.sleep(0.3)
    phones[1].start(audio.agent)
    await asyncio.sleep(0.3)
    left, right = read_wav((await audio.close()).path)
    begins = [next(at for at, sample in enumerate(channel) if abs(sample) > 500) for channel in (left, right)]
    assert begins[1] - begins[0] == pytest.approx(2400, abs=480)


async def test_strangers_and_malformed_packets_are_dropped_and_counted(tmp_path, phones):
    audio = await CallAudio.open(tmp_path / "call.wav")
    await speak(phones, audio)
    await asyncio.sleep(0.1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(struct.pack("!BBHII", 0x80, 8, 1, 1, 1) + b"\x2a" * 160, audio.customer)
        stranger.sendto(b"hello", audio.customer)
    await asyncio.sleep(0.2)
    finished = await audio.close()
    assert finished.dropped == (2, 0)
    assert goertzel(read_wav(finished.path)[0][-1600:], CUSTOMER) > 7000


RECORDER = """
import asyncio, sys
from pathlib import Path
from junctor_recording.adapters.call_audio import CallAudio

async def main():
    audio = await CallAudio.open(Path(sys.argv[1]))
    print(audio.customer[1], audio.agent[1], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_after_sigkill_the_file_is_valid_and_goes_on(tmp_path, phones):
    path = tmp_path / "call.wav"
    started = int(time.time() * 1000)
    recorder = subprocess.Popen([sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        line = await asyncio.to_thread(recorder.stdout.readline)
        ports = [int(port) for port in line.split()]
        phones[0].start(("127.0.0.1", ports[0]))
        phones[1].start(("127.0.0.1", ports[1]))
        limit = time.monotonic() + 15
        while path.stat().st_size < 44 + 32_000:
            assert time.monotonic() < limit
            await asyncio.sleep(0.05)
    finally:
        recorder.send_signal(signal.SIGKILL)
        recorder.wait(10)
        recorder.stdout.close()
    kept = repaired(path)
    assert kept >= 1000
    left, _ = read_wav(path)
    assert goertzel(left[-1600:], CUSTOMER) > 7000

    audio = await CallAudio.open(path, started_at_ms=started)
    await speak(phones, audio)
    await asyncio.sleep(0.4)
    finished = await audio.close()
    assert finished.duration_ms == pytest.approx(time.time() * 1000 - started, abs=300)
    left, right = read_wav(path)
    assert goertzel(left[4000:6400], CUSTOMER) > 7000, "what was recorded before"
    assert goertzel(right[-1600:], AGENT) > 7000, "what came afterwards"


LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from junctor_recording.adapters.call_audio import CallAudio
from junctor_testkit.rtp import RtpEndpoint

async def main():
    phone = await RtpEndpoint.open(tone_hz=440)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
    failures = []
    audio = await CallAudio.open(Path(sys.argv[1]), on_failure=failures.append)
    phone.start(audio.customer)
    while not failures:
        await asyncio.sleep(0.05)
    sent = phone.sent
    await asyncio.sleep(0.1)
    assert phone.sent > sent
    finished = await audio.close()
    assert finished.failure is failures[0] and len(failures) == 1
    print(finished.failure.reason, finished.failure.retryable, finished.duration_ms)

asyncio.run(asyncio.wait_for(main(), 20))
"""


def test_a_full_disk_ends_the_recording_with_a_typed_error_and_a_valid_file(tmp_path):
    path = tmp_path / "call.wav"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    reason, retryable, duration = done.stdout.split()
    assert (reason, retryable) == ("disk_full", "True")
    left, _ = read_wav(path)
    assert len(left) * 1000 // 8000 == int(duration) > 0


async def test_a_second_recording_of_a_call_is_refused_and_gives_its_ports_back(tmp_path):
    first = await CallAudio.open(tmp_path / "call.wav")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(RecordingFailed):
        await CallAudio.open(tmp_path / "call.wav")
    assert len(os.listdir("/proc/self/fd")) == before
    await first.close()


async def test_ports_come_from_the_range_that_is_given(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=r".+"):
            await CallAudio.open(tmp_path / "call.wav", ports=(port,))
    audio = await CallAudio.open(tmp_path / "call.wav", ports=(port, 0))
    assert audio.customer[1] == port
    await audio.close()
