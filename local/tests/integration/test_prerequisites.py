"""The check runs before anything is installed, and fails by name."""

import subprocess
import sys
from pathlib import Path

from junctor_local import places

SCRIPT = places.repository() / "local" / "junctor_local" / "prerequisites.py"


def test_it_needs_nothing_but_python() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_a_bare_machine_everything_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for name in ("Python 3.11", "Java 17", "Maven", "Node 20", "npm", "make"):
        assert name in done.stderr
