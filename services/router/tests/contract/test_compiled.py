"""The two forms of the core, interpreted and compiled (`make compiled`), say the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from junctor_local import compiled, places

UNIT = Path(__file__).parents[1] / "unit"
COMPILED = places.cache() / "compiled"
RUNS = 60

pytestmark = pytest.mark.contract


def run(path: str, *arguments: object, **environment: str) -> str:
    """By another interpreter, whose packages come from `path` first."""
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def told(path: str, file: Path) -> list[str]:
    """Digests of random runs of all commands, plans, faults and restarts."""
    random_runs = [UNIT / "test_invariants.py", "--hypothesis-seed=11", "-q", "-n", "0", "-p", "no:cacheprovider"]
    run(path, "-m", "pytest", *random_runs, JUNCTOR_ROUTER_TOLD=str(file), JUNCTOR_ROUTER_RUNS=str(RUNS))
    return file.read_text().splitlines()


@pytest.fixture(scope="module")
def made() -> str:
    assert not compiled.make(places.repository(), COMPILED), "it was not of these sources: `make compiled` comes first"
    return str(COMPILED)


def test_what_is_to_be_compiled_is_what_runs_compiled(made: str) -> None:
    names = [
        ".".join(
            path.relative_to(path.parents[1 + (path.parent.name in {"domain", "application"})]).with_suffix("").parts
        )
        for path in compiled.modules(places.repository())
    ]
    assert "junctor_router.domain.matching" in names
    program = f"import importlib\nfor name in {names}: print(importlib.import_module(name).__file__)"
    forms = run(made, "-c", program).splitlines()
    assert [Path(form).suffix for form in forms] == [".so"] * len(names)
    assert all(Path(form).suffix == ".py" for form in run("", "-c", program).splitlines())


def test_random_days_are_told_bit_for_bit_the_same(made: str, tmp_path: Path) -> None:
    interpreted, as_compiled = told("", tmp_path / "interpreted"), told(made, tmp_path / "compiled")
    assert len(set(interpreted)) > RUNS // 2
    assert as_compiled == interpreted
