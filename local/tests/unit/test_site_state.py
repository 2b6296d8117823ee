"""The state file: what is written is read, damage is told, a reused process id is not mistaken."""

from dataclasses import replace
from pathlib import Path

import pytest
from junctor_local import site_state
from junctor_local.site_state import ComponentState, SiteState, this_process


def sample(directory: Path) -> SiteState:
    component = ComponentState(this_process(), True, 2, "127.0.0.1:1", "/log")
    stopped = replace(component, process=None)
    return SiteState(
        "a", str(directory), this_process(), "ready", components={"x": component, "y": stopped}, environment={"A": "b"}
    )


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    site_state.write(sample(tmp_path))
    assert site_state.read(tmp_path) == sample(tmp_path)
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_no_file_means_never_started(tmp_path: Path) -> None:
    assert site_state.read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"supervisor": 1, "components": {}}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(ValueError, match=r"state\.json is damaged"):
        site_state.read(tmp_path)


def test_another_process_with_the_same_id_is_not_it(tmp_path: Path) -> None:
    known = this_process()
    assert known.alive
    assert not replace(known, started=known.started - 100).alive
    assert not replace(known, pid=2**22 + 1).alive
