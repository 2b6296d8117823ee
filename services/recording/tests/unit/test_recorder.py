"""The recorder beside a fold, with a studio and a cti that do as the test says."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from junctor.journal.v1 import journal_pb2
from junctor.recording.v1 import recording_pb2 as pb
from junctor_recording.application import recorder as module
from junctor_recording.application.mapping import new_fold
from junctor_recording.application.recorder import NO_AUDIO, Recorder, Stored
from junctor_service.append import MemoryAppend
from junctor_service.clock import SystemClock
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.telemetry import Telemetry

CONTACT = "0d3ad9ee-6d0c-5a0c-9a3b-0c8f4f5a0001"


class Trouble(Exception):
    def __init__(self, text, retryable):
        super().__init__(text)
        self.retryable = retryable


class Take:
    def __init__(self, on_failure):
        self.path, self.customer, self.agent = "/r/part.wav", ("h", 1), ("h", 2)
        self.failure, self.packets, self.log, self.on_failure = "", 10, [], on_failure

    def pause(self):
        self.log.append("pause")

    def resume(self):
        self.log.append("resume")

    async def close(self):
        self.log.append("close")
        return self.packets

    def fail(self, reason):
        self.failure = reason
        self.on_failure()


class Studio:
    def __init__(self):
        self.takes, self.calls, self.errors, self.stored = [], [], {}, Stored("/r/a.wav", 1_000, 20, "ab")

    def _called(self, name):
        self.calls.append(name)
        waiting = self.errors.get(name, [])
        if waiting:
            raise waiting.pop(0)

    async def open(self, recording, on_failure):
        self._called("open")
        self.takes.append(Take(on_failure))
        return self.takes[-1]

    async def seal(self, recording):
        self._called("seal")
        return self.stored

    async def discard(self, recording):
        self._called("discard")

    async def delete(self, tenant, files):
        self._called("delete")


class Forker:
    def __init__(self):
        self.asked, self.errors, self.gate = [], [], asyncio.Event()
        self.gate.set()

    async def fork(self, tenant, contact_id, customer, agent, request_id):
        self.asked.append(request_id)
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)


class Stage:
    """A fold in place of the journal: what the recorder reports is applied at once."""

    def __init__(self):
        self.fold, self.events, self.seen = new_fold(), [], set()
        self.studio, self.forker, self.away, self.now = Studio(), Forker(), 0, 1_000
        environ = {"JUNCTOR_JWKS": "none", "JUNCTOR_TRACING": "false"}
        settings = load_settings(CommonSettings, service="recording", environ=environ)
        telemetry = Telemetry("recording", settings, MemoryAppend())
        self.recorder = Recorder(self.studio, self.forker, self.fold.get, self.report, telemetry, SystemClock())

    def give(self, message, id=None, mine=True):
        input = journal_pb2.Input(id=id or f"i{len(self.seen)}", tenant="t1", stream=CONTACT)
        if input.id in self.seen:
            return None
        self.seen.add(input.id)
        self.now += 1
        applied = self.fold.apply(input, message, self.now)
        self.events += applied.events
        entry = SimpleNamespace(tenant="t1", stream=CONTACT, events=applied.events)
        self.recorder.on_entry(3, entry, mine)
        return applied

    async def report(self, message, *, id, **_):
        if self.away:
            self.away -= 1
            raise Trouble("Kafka is away", True)
        await asyncio.sleep(0)
        self.give(message, id)

    def start(self):
        return self.give(pb.StartRecordingRequest(contact_id=CONTACT))

    def stop(self):
        return self.give(pb.StopRecordingRequest(contact_id=CONTACT))

    async def until(self, kind):
        async with asyncio.timeout(5):
            while not self.events or not isinstance(self.events[-1], kind):
                await asyncio.sleep(0.001)
        return self.events[-1]

    async def over(self):
        async with asyncio.timeout(5):
            while self.recorder.live:
                await asyncio.sleep(0.001)


@pytest.fixture
async def stage(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    made = Stage()
    yield made
    await made.recorder.stop(0)


async def test_a_recording_from_its_start_to_its_file(stage):
    stage.start()
    started = await stage.until(pb.RecordingStarted)
    assert started.path == "/r/part.wav"
    stage.stop()
    sealed = await stage.until(pb.RecordingSealed)
    assert (sealed.path, sealed.duration_ms, sealed.bytes, sealed.sha256) == ("/r/a.wav", 1_000, 20, "ab")
    await stage.over()
    assert stage.studio.calls == ["open", "seal"]
    assert stage.studio.takes[0].log[-1] == "close"
    assert len(stage.forker.asked) == 1


async def test_a_pause_takes_hold_at_once(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    (take,) = stage.studio.takes
    take.log.clear()
    stage.give(pb.PauseRecordingRequest(contact_id=CONTACT))
    assert take.log == ["pause"]
    stage.give(pb.ResumeRecordingRequest(contact_id=CONTACT))
    assert take.log == ["pause", "resume"]


async def test_another_processes_entries_are_left_to_it(stage):
    stage.give(pb.StartRecordingRequest(contact_id=CONTACT), mine=False)
    assert stage.recorder.live == 0


async def test_an_owner_goes_on_with_what_the_last_one_left(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.recorder.on_lost(3)
    await stage.over()
    assert stage.studio.takes[0].log[-1] == "close"
    stage.give(pb.PauseRecordingRequest(contact_id=CONTACT), mine=False)
    stage.recorder.on_ready(3, stage.fold)
    await stage.until(pb.RecordingContinued)
    assert len(set(stage.forker.asked)) == 2
    assert set(stage.studio.takes[1].log) == {"pause"}


async def test_a_partition_that_comes_back_waits_for_the_file_to_be_closed(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.recorder.on_lost(3)
    stage.recorder.on_ready(3, stage.fold)
    await stage.until(pb.RecordingContinued)
    assert stage.studio.takes[0].log[-1] == "close"


async def test_a_fork_is_asked_for_until_cti_answers(stage):
    stage.forker.errors = [Trouble("away", True), Trouble("away", True)]
    stage.start()
    await stage.until(pb.RecordingStarted)
    assert len(stage.forker.asked) == 3
    assert len(set(stage.forker.asked)) == 1
    assert stage.studio.calls == ["open"]


async def test_a_fork_that_cti_refuses_fails_the_recording_only(stage):
    stage.forker.errors = [Trouble("There is no such call.", False)]
    stage.start()
    failed = await stage.until(pb.RecordingFailed)
    assert failed.reason == "There is no such call."
    await stage.over()
    assert stage.studio.calls == ["open", "discard"]


async def test_a_call_that_ends_before_its_fork_stood_has_no_audio(stage):
    stage.forker.gate.clear()
    stage.studio.errors["open"] = []
    stage.start()
    async with asyncio.timeout(5):
        while not stage.studio.takes or not stage.forker.asked:
            await asyncio.sleep(0.001)
    stage.studio.takes[0].packets = 0
    stage.stop()
    stage.forker.errors = [Trouble("There is no such call.", True)]
    stage.forker.gate.set()
    failed = await stage.until(pb.RecordingFailed)
    assert failed.reason == NO_AUDIO
    assert stage.studio.calls == ["open", "discard"]


async def test_a_studio_that_cannot_open_fails_the_recording(stage):
    stage.studio.errors["open"] = [Trouble("the disk is full", False)]
    stage.start()
    assert (await stage.until(pb.RecordingFailed)).reason == "the disk is full"
    assert stage.forker.asked == []


async def test_a_full_disk_keeps_what_is_there(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.studio.errors["seal"] = [OSError(28, "No space left"), Trouble("the disk is full", True)]
    stage.studio.takes[0].fail("the disk is full")
    sealed = await stage.until(pb.RecordingSealed)
    assert sealed.reason == "the disk is full"
    assert stage.studio.calls == ["open", "seal", "seal", "seal"]


async def test_audio_that_cannot_be_sealed_ever_fails(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.studio.errors["seal"] = [Trouble("the key was erased", False)]
    stage.stop()
    assert (await stage.until(pb.RecordingFailed)).reason == "the key was erased"


async def test_audio_that_is_gone_fails(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.studio.stored = None
    stage.stop()
    assert (await stage.until(pb.RecordingFailed)).reason == "the audio is not on this disk any more"


async def test_facts_wait_for_kafka(stage):
    stage.away = 2
    stage.start()
    await stage.until(pb.RecordingStarted)
    assert len(stage.forker.asked) == 1
    stage.away = 2
    stage.stop()
    await stage.until(pb.RecordingSealed)
    stage.away = 0
    stage.start()
    await stage.until(pb.RecordingStarted)
    stage.studio.errors["seal"] = [Trouble("the key was erased", False)] * 3
    stage.away = 2
    stage.stop()
    await stage.until(pb.RecordingFailed)


async def test_an_erasure_goes_on_until_all_is_gone(stage):
    stage.studio.errors["delete"] = [OSError(5, "I/O error"), Trouble("locked", False)]
    request = pb.EraseRecordingRequest(contact_id=CONTACT, reason="asked")
    request.files.add(recording_id="r1", path="/r/a.wav")
    stage.give(request)
    erased = await stage.until(pb.RecordingErased)
    assert list(erased.recording_ids) == ["r1"]
    assert stage.studio.calls == ["delete"] * 3
    await stage.over()


async def test_a_contact_is_recorded_again_after_its_first_recording(stage):
    for _ in range(3):
        stage.start()
        await stage.until(pb.RecordingStarted)
        stage.stop()
        await stage.until(pb.RecordingSealed)
    assert stage.studio.calls == ["open", "seal"] * 3


async def test_stopping_the_process_closes_the_file_and_starts_nothing_more(stage):
    stage.start()
    await stage.until(pb.RecordingStarted)
    await stage.recorder.stop(time.monotonic() + 1)
    assert stage.studio.takes[0].log[-1] == "close"
    stage.stop()
    assert stage.studio.calls == ["open"]
