"""Every field of the domain has its counterpart in the protos, and the state survives a snapshot."""

from junctor.journal.v1 import journal_pb2
from junctor.recording.v1 import recording_pb2
from junctor_recording.application.mapping import MAPPING, new_fold
from junctor_recording.domain import recording


def test_no_field_is_lost():
    classes = (*recording.Command.__args__, *recording.Event.__args__)
    assert MAPPING.unmatched(*classes, recording.RecordingFile, recording.StartRecordingResponse) == []


def test_a_snapshot_holds_live_recordings():
    fold = new_fold()
    request = recording_pb2.StartRecordingRequest(contact_id="c1", agent_id="zhang", queue="loans")
    applied = fold.apply(journal_pb2.Input(id="i", tenant="t1", stream="c1"), request, 1_000)
    assert isinstance(applied.response, recording_pb2.StartRecordingResponse)
    assert applied.response.recording_id == fold.get("t1", "c1").recording_id
    restored = new_fold()
    restored.load(fold.dump())
    assert restored.get("t1", "c1") == fold.get("t1", "c1")
    assert restored.hash() == fold.hash()
