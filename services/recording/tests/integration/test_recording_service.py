"""The recording service on real Kafka, real RTP and a real disk."""

import asyncio
import resource
import time

import pytest
from junctor.audit.v1 import audit_pb2
from junctor_journal.log import TopicPartition
from junctor_service.errors import Code, ServiceError, from_rpc_error
from junctor_testkit.audio import goertzel, rms

CUSTOMER, AGENT = 440, 1000
LOUD = 4_000


async def test_a_talk_is_recorded_sealed_and_heard(place):
    await place.process.start()
    started = await place.call("StartRecording", agent_id="zhang", queue="loans")
    again = await place.call("StartRecording", agent_id="zhang", queue="loans")
    assert again.recording_id == started.recording_id
    active = await place.state("active")
    assert (active.recording_id, active.agent_id, active.queue) == (started.recording_id, "zhang", "loans")
    await seconds_of(place, 1.0)
    await place.call("PauseRecording", role="supervisor", reason="card")
    paused_at = await seconds_of(place, 0)
    await seconds_of(place, 1.0)
    await place.call("ResumeRecording", role="supervisor")
    resumed_at = await seconds_of(place, 0)
    await seconds_of(place, 1.0)
    await place.call("StopRecording")
    lasted = await seconds_of(place, 0)
    kept = await place.state("sealed")
    assert kept.duration_ms == pytest.approx(lasted * 1000, abs=400)
    assert b"RIFF" not in (place.recordings / kept.path).read_bytes()
    assert (place.recordings / kept.path).stat().st_size == kept.bytes
    assert list(place.recordings.glob("parts/*/*")) == []

    customer, agent = await place.audio()
    assert len(customer) * 1000 // 8000 == kept.duration_ms
    end = customer[-6400:-1600], agent[-6400:-1600]
    assert goertzel(end[0], CUSTOMER) > LOUD > 10 * goertzel(end[0], AGENT)
    assert goertzel(end[1], AGENT) > LOUD > 10 * goertzel(end[1], CUSTOMER)
    silent = slice(int((paused_at + 0.2) * 8000), int((resumed_at - 0.2) * 8000))
    assert rms(customer[silent]) == rms(agent[silent]) == 0
    assert await place.events() == [
        "RecordingRequested",
        "RecordingStarted",
        "RecordingPaused",
        "RecordingResumed",
        "RecordingStopping",
        "RecordingSealed",
    ]
    assert "recording.fetch" in await audited(place)


async def test_sigkill_in_the_middle_loses_no_time(place):
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    await seconds_of(place, 2.5)
    await place.process.kill()
    killed_at = await seconds_of(place, 0)
    place.cti.customer.stop()
    await place.process.start()
    await place.state("active")
    await until(lambda: len(place.cti.forks) == 2)
    back_at = place.cti.forked_at[1] - await began_at(place)
    assert place.cti.forks[0].request_id != place.cti.forks[1].request_id
    await seconds_of(place, back_at + 1.5 - await seconds_of(place, 0))
    await place.call("StopRecording")
    lasted = await seconds_of(place, 0)
    kept = await place.state("sealed")
    assert kept.duration_ms == pytest.approx(lasted * 1000, abs=500)
    customer, agent = await place.audio()
    assert goertzel(agent[4_000:8_000], AGENT) > LOUD
    assert goertzel(agent[-8_000:-4_000], AGENT) > LOUD
    assert goertzel(customer[-8_000:-4_000], CUSTOMER) > LOUD
    gap = customer[int((killed_at + 0.2) * 8000) : int((back_at - 0.2) * 8000)]
    assert len(gap) > 1_000
    assert rms(gap) == 0
    assert "RecordingContinued" in await place.events()


async def test_a_talk_that_ends_while_the_recorder_is_away_is_sealed(place):
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    await seconds_of(place, 2.5)
    await place.process.kill()
    await place.unbound()
    place.cti.known = False
    await place.process.start()
    kept = await place.state("sealed")
    assert kept.duration_ms > 500
    assert "RecordingFailed" not in await place.events()


async def test_a_drained_process_hands_the_recording_on(place):
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    await seconds_of(place, 1.0)
    await place.process.stop()
    assert place.process.returncode == 0
    await place.process.start()
    await place.state("active")
    await until(lambda: len(place.cti.forks) == 2)
    await place.contact_closed()
    await place.state("sealed")
    lasted = await seconds_of(place, 0)
    assert (await place.recording()).duration_ms == pytest.approx(lasted * 1000, abs=1_000)


async def test_a_full_disk_stops_the_recording_only_and_loses_nothing(place):
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    part = next(place.recordings.glob(f"parts/*/{(await place.recording()).recording_id}.wav"))
    await until(lambda: part.stat().st_size > 40_000)
    unlimited = resource.prlimit(place.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.process.pid, resource.RLIMIT_FSIZE, (30_000, unlimited[1]))
    full = await place.state("sealing")
    assert full.reason == "the disk is full"
    await place.call("StopRecording")
    with pytest.raises(ServiceError, match="still being sealed") as refusal:
        await place.call("StartRecording")
    assert refusal.value.retryable
    resource.prlimit(place.process.pid, resource.RLIMIT_FSIZE, unlimited)
    kept = await place.state("sealed", seconds=40)
    assert kept.reason == "the disk is full"
    assert kept.duration_ms >= 500
    assert goertzel((await place.audio())[0][-4_000:], CUSTOMER) > LOUD


async def test_an_erased_recording_is_gone(place):
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    await refused(place.call("EraseRecording", role="administrator"), Code.FAILED_PRECONDITION, "stop the recording")
    await seconds_of(place, 0.5)
    await place.unbound()
    kept = await place.state("sealed")
    await place.call("EraseRecording", role="administrator", reason="asked")
    erased = await place.state("erased")
    assert (erased.reason, erased.path) == ("asked", "")
    assert not (place.recordings / kept.path).exists()
    await refused(place.audio(), Code.FAILED_PRECONDITION, "The recording was erased.")
    await place.call("EraseRecording", role="administrator", reason="again")
    assert "recording.erase" in await audited(place)


async def test_recordings_are_kept_as_long_as_the_setting_says(place):
    place.process.env["JUNCTOR_RECORDING__RETENTION"] = "500ms"
    await place.process.start()
    await place.call("StartRecording")
    await place.state("active")
    await seconds_of(place, 0.3)
    await place.call("StopRecording")
    erased = await place.state("erased")
    assert erased.reason == "retention"
    assert list(place.recordings.rglob("*.sealed")) == []


async def test_a_call_that_cti_does_not_know_fails_the_recording(place):
    place.cti.known = False
    await place.process.start()
    await place.call("StartRecording")
    failed = await place.state("failed")
    assert failed.reason == "There is no such call."
    await refused(place.audio(), Code.FAILED_PRECONDITION, "There is no audio: There is no such call.")
    assert list(place.recordings.glob("parts/*/*")) == []


async def test_what_does_not_fit_is_refused(place):
    await place.process.start()
    unknown = "The contact has no recording."
    await refused(place.call("GetRecording"), Code.NOT_FOUND, unknown)
    await refused(place.call("EraseRecording", role="administrator"), Code.NOT_FOUND, unknown)
    await refused(place.audio(), Code.NOT_FOUND, unknown)
    await refused(place.call("PauseRecording"), Code.FAILED_PRECONDITION, "the contact is not being recorded")
    await refused(place.call("StartRecording", contact_id=""), Code.INVALID_ARGUMENT, "A contact must be named.")
    await refused(place.call("StartRecording", role="supervisor"), Code.PERMISSION_DENIED, "")
    await refused(place.call("EraseRecording", role="supervisor"), Code.PERMISSION_DENIED, "")
    await place.call("StopRecording")


async def test_a_directory_that_cannot_be_written_ends_the_start(place):
    (place.folder / "file").write_text("")
    place.process.env["JUNCTOR_RECORDING__DIRECTORY"] = str(place.folder / "file")
    await place.process.start()
    assert await place.process.wait() == 1
    assert f"Recordings cannot be written to {place.folder / 'file'}: File exists." in place.process.tail()
    assert "Set JUNCTOR_RECORDING__DIRECTORY." in place.process.tail()


async def test_ports_that_are_no_range_end_the_start(place):
    place.process.env["JUNCTOR_RECORDING__RTP_PORT_MIN"] = "5000"
    await place.process.start()
    assert await place.process.wait() == 1
    assert "JUNCTOR_RECORDING__RTP_PORT_MAX=0 are no range of at least two ports." in place.process.tail()


async def seconds_of(place, more):
    """Waits until the recording is `more` seconds older than now; gives its age (seconds since its time 0)."""
    began = await began_at(place)
    now = time.time() - began
    await until(lambda: time.time() - began >= now + more)
    return time.time() - began


async def began_at(place):
    if not hasattr(place, "began"):
        place.began = (await place.recording()).started_at / 1000
    return place.began


async def audited(place):
    tp = TopicPartition("junctor.audit.v1", 0)
    tail = await place.log.tail(await place.log.begin_offsets([tp]))
    records = [one for found in (await tail.getmany(timeout_ms=2_000)).values() for one in found]
    await tail.close()
    acts = [audit_pb2.AuditRecord.FromString(record.value) for record in records]
    return [act.action for act in acts if place.contact in act.target]


async def until(condition, seconds=20.0):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.02)
    return found


async def refused(call, code, says):
    with pytest.raises(Exception) as refusal:
        await call
    error = refusal.value
    if not isinstance(error, ServiceError):
        error = from_rpc_error(error)
    assert error.code is code, error
    assert says in error.message
    assert not error.retryable
