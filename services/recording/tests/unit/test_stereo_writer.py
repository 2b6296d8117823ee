from pathlib import Path

import pytest
from junctor_recording.adapters.stereo_writer import HEADER_BYTES, RecordingFailed, StereoWriter, repaired
from junctor_testkit.audio import read_wav

ONE = (b"\x01" * 80, b"\x00" * 80)
TWO = (b"\x02" * 80, b"\x00" * 80)


def test_the_file_is_a_valid_wav_after_every_append(tmp_path: Path):
    writer = StereoWriter.create(tmp_path / "a" / "call.wav")
    assert read_wav(writer.path) == [[], []]
    writer.append(ONE, TWO)
    assert read_wav(writer.path) == [[1] * 80, [2] * 80]
    writer.append(TWO, ONE)
    writer.sync()
    writer.close()
    assert read_wav(writer.path) == [[1] * 80 + [2] * 80, [2] * 80 + [1] * 80]
    assert writer.duration_ms == 20


def test_data_beyond_the_header_is_kept_and_a_torn_frame_is_not(tmp_path: Path):
    writer = StereoWriter.create(tmp_path / "call.wav")
    writer.append(ONE, TWO)
    writer.close()
    with writer.path.open("ab") as file:
        file.write(b"\x03\x00\x04\x00" * 80 + b"\x05")
    assert repaired(writer.path) == 20
    assert read_wav(writer.path) == [[1] * 80 + [3] * 80, [2] * 80 + [4] * 80]


@pytest.mark.parametrize("size", [0, 10, HEADER_BYTES])
def test_a_file_that_was_just_begun_goes_on_empty(tmp_path: Path, size: int):
    path = tmp_path / "call.wav"
    path.write_bytes(b"RIFF".ljust(size, b"\0")[:size])
    writer = StereoWriter.resume(path)
    writer.append(ONE, TWO)
    writer.close()
    assert read_wav(path) == [[1] * 80, [2] * 80]


def test_the_time_away_is_silence(tmp_path: Path):
    writer = StereoWriter.create(tmp_path / "call.wav")
    writer.append(ONE, TWO)
    writer.append_silence(40)
    writer.append(ONE, TWO)
    writer.close()
    assert read_wav(writer.path)[0] == [1] * 80 + [0] * 40 + [1] * 80


def test_a_second_recording_of_the_same_name_is_refused(tmp_path: Path):
    StereoWriter.create(tmp_path / "call.wav").close()
    with pytest.raises(RecordingFailed) as error:
        StereoWriter.create(tmp_path / "call.wav")
    assert (error.value.reason, error.value.retryable) == ("exists", False)


def test_a_recording_longer_than_a_wav_can_be_is_refused(tmp_path: Path):
    writer = StereoWriter.create(tmp_path / "call.wav")
    with pytest.raises(RecordingFailed, match="37 hours"):
        writer.append_silence(1 << 30)
    writer.close()


def test_a_directory_that_cannot_be_made_is_a_typed_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingFailed) as error:
        StereoWriter.create(tmp_path / "file" / "call.wav")
    assert error.value.reason in ("io_error", "exists")
