"""What is missing is said by name, with the way to get it."""

import re
from pathlib import Path

import pytest
from junctor_local.prerequisites import NEEDS, describe, python_311

SAID = {
    "Python 3.11 with venv": ("3.11.2 (main, ...)", "3.12.1 (main, ...)"),
    "Java 17": ('openjdk version "17.0.15" 2025-04-15', 'java version "1.8.0_392"'),
    "Node 20": ("v20.20.2", "v18.19.0"),
}


@pytest.mark.parametrize("need", [need for need in NEEDS if need.version], ids=lambda need: need.name)
def test_versions_are_told_apart(need) -> None:
    good, old = SAID[need.name]
    assert re.search(need.version, good, re.MULTILINE)
    assert not re.search(need.version, old, re.MULTILINE)


def test_each_missing_one_is_named_with_its_package_or_its_page() -> None:
    on_debian, elsewhere = describe(list(NEEDS), debian=True), describe(list(NEEDS), debian=False)
    for need in NEEDS:
        assert need.name in on_debian
        assert f"apt-get install {' '.join(need.debian)}" in on_debian
        assert need.elsewhere in elsewhere


def program(place: Path, name: str, version: str, optimised: bool = False) -> str:
    path = place / name
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] && echo "{version}" || echo {optimised}\n')
    path.chmod(0o755)
    return str(path)


def test_an_optimised_python_is_taken_wherever_it_stands_in_the_path(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_311() == ("", False)
    program(tmp_path, "python", "3.10.13 (main)")
    program(tmp_path, "python3", "3.13.0 (main)", optimised=True)
    assert python_311() == ("", False)
    slow = program(tmp_path, "python3.11", "3.11.7 (main)")
    assert python_311() == (slow, False)
    (tmp_path / "later").mkdir()
    fast = program(tmp_path / "later", "python3", "3.11.2 (main)", optimised=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:{tmp_path / 'later'}")
    assert python_311() == (fast, True)
