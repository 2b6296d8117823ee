"""Given events, when a command, then events: recordings."""

import pytest
from junctor_recording.domain.recording import (
    EraseRecording,
    PauseRecording,
    Recording,
    RecordingBroken,
    RecordingContinued,
    RecordingDeleted,
    RecordingErased,
    RecordingErasing,
    RecordingFailed,
    RecordingFile,
    RecordingForked,
    RecordingPaused,
    RecordingRequested,
    RecordingResumed,
    RecordingSealed,
    RecordingStarted,
    RecordingStopping,
    RecordingStored,
    Rejected,
    ResumeRecording,
    StartRecording,
    StopRecording,
    TalkEnded,
    decide,
    evolve,
    is_live,
)

REQUESTED = RecordingRequested("t1", "c1", "r1", "zhang", "loans", 4_000)
STARTED = RecordingStarted("t1", "c1", "r1", "/r/r1.part", 4_000)
PAUSED = RecordingPaused("t1", "c1", "card")
RESUMED = RecordingResumed("t1", "c1")
STOPPING = RecordingStopping("t1", "c1")
SEALED = RecordingSealed("t1", "c1", "r1", "/r/r1.rec", 9_000, 4_711, "ab")
FAILED = RecordingFailed("t1", "c1", "r1", "no audio")
FILES = (RecordingFile("r1", "/r/r1.rec"),)
ERASING = RecordingErasing("t1", "c1", "asked", FILES)
ERASED = RecordingErased("t1", "c1", "asked", ("r1",))

NOTHING = ()
STARTING = (REQUESTED,)
ACTIVE = (REQUESTED, STARTED)
HELD = (*ACTIVE, PAUSED)
CLOSING = (*ACTIVE, STOPPING)
KEPT = (*CLOSING, SEALED)
BROKEN = (*CLOSING, FAILED)
GOING = (*KEPT, ERASING)
GONE = (*GOING, ERASED)


def after(events):
    state = Recording("t1", "c1")
    for event in events:
        state = evolve(state, event)
    return state


def when(given, command, now=5_000):
    return list(decide(after(given), command, now).events)


def test_a_recording_is_requested_under_a_name_of_its_own():
    decision = decide(after(NOTHING), StartRecording("c1", "zhang", "loans"), 5_000)
    (event,) = decision.events
    assert event == RecordingRequested("t1", "c1", decision.response.recording_id, "zhang", "loans", 5_000)
    assert decide(after(NOTHING), StartRecording("c1"), 6_000).response != decision.response
    assert decide(after(NOTHING), StartRecording("c1", "zhang", "loans"), 5_000) == decision


@pytest.mark.parametrize("given", [STARTING, ACTIVE, HELD])
def test_a_recording_that_runs_is_not_started_again(given):
    decision = decide(after(given), StartRecording("c1"), 5_000)
    assert decision.events == ()
    assert decision.response.recording_id == "r1"


@pytest.mark.parametrize("given", [KEPT, BROKEN, GONE])
def test_a_contact_may_be_recorded_again(given):
    (event,) = when(given, StartRecording("c1", "li", "loans"), now=99_000)
    assert isinstance(event, RecordingRequested)
    state = evolve(after(given), event)
    assert (state.state, state.path, state.reason, state.agent_id) == ("starting", "", "", "li")


@pytest.mark.parametrize(("given", "doing"), [(CLOSING, "sealed"), (GOING, "erased")])
def test_a_start_waits_for_the_end_of_the_last_one(given, doing):
    with pytest.raises(Rejected, match=f"still being {doing}") as refused:
        when(given, StartRecording("c1"))
    assert refused.value.retryable


def test_the_first_fork_starts_it():
    assert when(STARTING, RecordingForked("c1", "/r/r1.part")) == [STARTED]
    assert (after(ACTIVE).path, after(ACTIVE).started_at) == ("/r/r1.part", 4_000)


@pytest.mark.parametrize("given", [ACTIVE, HELD])
def test_it_goes_on_after_a_crash_as_it_was(given):
    events = when(given, RecordingForked("c1", "/r/r1.part"))
    assert events == [RecordingContinued("t1", "c1", "r1", "/r/r1.part")]
    assert after((*given, *events)) == after(given)


@pytest.mark.parametrize("given", [NOTHING, CLOSING, KEPT, BROKEN, GOING, GONE])
def test_a_fork_that_comes_too_late_changes_nothing(given):
    assert when(given, RecordingForked("c1", "/r/r1.part")) == []


def test_pause_and_resume():
    assert when(ACTIVE, PauseRecording("c1", "card")) == [PAUSED]
    assert after(HELD).state == "paused"
    assert when(HELD, PauseRecording("c1", "card")) == []
    assert when(HELD, ResumeRecording("c1")) == [RESUMED]
    assert after((*HELD, RESUMED)).state == "active"
    assert when(ACTIVE, ResumeRecording("c1")) == []


@pytest.mark.parametrize("command", [PauseRecording("c1"), ResumeRecording("c1")])
def test_what_has_not_begun_may_be_paused_later(command):
    with pytest.raises(Rejected, match="has not begun yet") as refused:
        when(STARTING, command)
    assert refused.value.retryable


@pytest.mark.parametrize("command", [PauseRecording("c1"), ResumeRecording("c1")])
@pytest.mark.parametrize("given", [NOTHING, CLOSING, KEPT, BROKEN, GOING, GONE])
def test_only_what_is_recorded_can_be_paused(given, command):
    with pytest.raises(Rejected, match="the contact is not being recorded") as refused:
        when(given, command)
    assert not refused.value.retryable


@pytest.mark.parametrize("command", [StopRecording("c1"), TalkEnded("c1")])
@pytest.mark.parametrize("given", [STARTING, ACTIVE, HELD])
def test_the_end_of_the_talk_stops_it(given, command):
    assert when(given, command) == [STOPPING]


@pytest.mark.parametrize("command", [StopRecording("c1"), TalkEnded("c1")])
@pytest.mark.parametrize("given", [NOTHING, CLOSING, KEPT, BROKEN, GOING, GONE])
def test_what_does_not_run_is_stopped_without_a_word(given, command):
    assert when(given, command) == []


def test_a_stored_file_is_kept():
    assert when(CLOSING, RecordingStored("c1", "/r/r1.rec", 9_000, 4_711, "ab")) == [SEALED]
    assert not is_live(after(KEPT))


@pytest.mark.parametrize("given", [NOTHING, STARTING, ACTIVE, HELD, KEPT, BROKEN, GOING, GONE])
def test_a_file_that_nobody_waits_for_changes_nothing(given):
    assert when(given, RecordingStored("c1", "/r/r1.rec", 9_000, 4_711, "ab")) == []


@pytest.mark.parametrize("given", [STARTING, ACTIVE, HELD])
def test_what_is_there_of_a_broken_recording_is_kept_with_the_reason(given):
    events = when(given, RecordingBroken("c1", "the disk is full", partial=True))
    assert events == [RecordingStopping("t1", "c1", "the disk is full")]
    (sealed,) = when((*given, *events), RecordingStored("c1", "/r/r1.rec", 9_000, 4_711, "ab"))
    assert sealed.reason == "the disk is full"


@pytest.mark.parametrize("given", [STARTING, ACTIVE, HELD, CLOSING])
def test_a_broken_recording_without_audio_fails(given):
    events = when(given, RecordingBroken("c1", "no audio"))
    assert events == [FAILED]
    assert not is_live(after((*given, *events)))


def test_the_first_reason_stays():
    given = (*ACTIVE, RecordingStopping("t1", "c1", "the disk is full"))
    assert when(given, RecordingBroken("c1", "no audio")) == [RecordingFailed("t1", "c1", "r1", "the disk is full")]


def test_what_is_being_sealed_already_is_sealed():
    assert when(CLOSING, RecordingBroken("c1", "the disk is full", partial=True)) == []


@pytest.mark.parametrize("given", [NOTHING, KEPT, BROKEN, GOING, GONE])
def test_what_is_over_cannot_break(given):
    assert when(given, RecordingBroken("c1", "no audio")) == []


@pytest.mark.parametrize("given", [NOTHING, KEPT, BROKEN, GONE])
def test_kept_files_are_erased(given):
    events = when(given, EraseRecording("c1", "asked", FILES))
    assert events == [ERASING]
    state = after((*given, *events))
    assert is_live(state)
    assert list(decide(state, RecordingDeleted("c1"), 5_000).events) == [ERASED]
    assert not is_live(evolve(state, ERASED))


def test_an_erasure_under_way_is_not_begun_again():
    assert when(GOING, EraseRecording("c1", "asked", FILES)) == []


def test_there_must_be_something_to_erase():
    with pytest.raises(Rejected, match="the contact has no recording") as refused:
        when(NOTHING, EraseRecording("c1", "asked", ()))
    assert (refused.value.code, refused.value.retryable) == ("not_found", False)


@pytest.mark.parametrize("given", [STARTING, ACTIVE, HELD])
def test_a_recording_that_runs_is_not_erased(given):
    with pytest.raises(Rejected, match="stop the recording first") as refused:
        when(given, EraseRecording("c1", "asked", FILES))
    assert not refused.value.retryable


def test_a_recording_that_is_being_sealed_is_erased_later():
    with pytest.raises(Rejected, match="still being sealed") as refused:
        when(CLOSING, EraseRecording("c1", "asked", FILES))
    assert refused.value.retryable


@pytest.mark.parametrize("given", [NOTHING, STARTING, ACTIVE, HELD, CLOSING, KEPT, BROKEN, GONE])
def test_a_deletion_that_nobody_asked_for_changes_nothing(given):
    assert when(given, RecordingDeleted("c1")) == []
