"""Distributions are copied whole, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PICK = Path(__file__).parents[2] / "pick.py"


def environment(folder: Path, **distributions: str) -> Path:
    """An environment with packages of these names and versions, each a module, its compiled form and a command."""
    packages = folder / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    for name, version in distributions.items():
        info = f"{name}-{version}.dist-info"
        files = {
            f"shared/{name}/__init__.py": "",
            f"shared/{name}/__pycache__/__init__.cpython-311.pyc": "",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        }
        listed = [*files, f"{info}/RECORD", f"../../../bin/{name}", f"shared/{name}/gone.pyi"]
        files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in listed)
        for file, content in files.items():
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            (packages / file).write_text(content)
    return packages


def pick(wanted: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "wanted.txt").write_text(wanted)
    command = [sys.executable, str(PICK), *(str(folder / name) for name in ("wanted.txt", "all", "one"))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_wanted_is_copied_and_nothing_else(tmp_path: Path) -> None:
    environment(tmp_path / "all", some_thing="1.0", other="2.0")
    copied = environment(tmp_path / "one")
    done = pick("# Made.\nSome-Thing==1.0\n./libs/service\n", tmp_path)
    assert done.returncode == 0, done.stderr
    assert {str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()} == {
        "shared/some_thing/__init__.py",
        "shared/some_thing/__pycache__/__init__.cpython-311.pyc",
        "some_thing-1.0.dist-info/METADATA",
        "some_thing-1.0.dist-info/RECORD",
    }


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    environment(tmp_path / "all", other="2.0")
    environment(tmp_path / "one")
    done = pick("other==2.1\n", tmp_path)
    assert done.returncode == 1
    assert "other==2.1 is not installed in" in done.stderr
