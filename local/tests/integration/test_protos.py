"""The drift check sees a file that is missing, left over or different, tracked or not."""

from pathlib import Path

from junctor_local import protos


def test_generation_is_repeatable_and_each_kind_of_drift_is_seen(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    protos.generate(one)
    protos.generate(other)
    assert protos.differences(one, other) == []
    (other / "junctor/cti/v1/cti_pb2.py").write_text("changed")
    (other / "junctor/cti/v1/left_pb2.py").touch()
    (other / "junctor/ivr/v1/ivr_pb2.pyi").unlink()
    assert protos.differences(one, other) == [
        "missing: junctor/ivr/v1/ivr_pb2.pyi",
        "left over: junctor/cti/v1/left_pb2.py",
        "different: junctor/cti/v1/cti_pb2.py",
    ]
