"""How long people wait: `make demo` and `make test-unit`; on request the cold `make demo` and the whole `make test`."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from junctor_local import places

from bench.results_file import Result, Row

WARM_LIMIT, COLD_LIMIT, UNIT_LIMIT, TEST_LIMIT = 60, 8 * 60, 60, 12 * 60
"""Seconds."""
HOW = (
    "Wall time of the commands as people type them, started from a shell without a terminal (so `make demo` stops its site "
    "and exits). Warm: everything is downloaded. Cold: a fresh clone, and empty caches of pip, Maven and npm."
)


@dataclass(slots=True)
class Run:
    """What a command did. `lines`: seconds since the start, and what it printed."""

    seconds: float
    code: int
    lines: list[tuple[float, str]] = field(default_factory=list)

    def when(self, text: str) -> float | None:
        """Seconds until a line with the text was printed."""
        return next((at for at, line in self.lines if text in line), None)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("demo", HOW)
    if given.cold:
        _tell(result, "cold `make demo`", await _cold(), COLD_LIMIT)
    _tell(result, "warm `make demo`", await _run(["make", "demo"], places.repository()), WARM_LIMIT)
    _tell(result, "`make test-unit`", await _run(["make", "test-unit"], places.repository()), UNIT_LIMIT)
    if given.tests:
        _tell(result, "`make test`", await _run(["make", "test"], places.repository()), TEST_LIMIT)
    return [result]


async def _cold() -> Run:
    with tempfile.TemporaryDirectory() as directory:
        room = Path(directory)
        clone = await _run(["git", "clone", "--quiet", str(places.repository()), "clone"], room)
        if clone.code:
            return clone
        caches = {
            "PIP_CACHE_DIR": str(room / "pip"),
            "npm_config_cache": str(room / "npm"),
            "MAVEN_OPTS": f"{os.environ.get('MAVEN_OPTS', '')} -Dmaven.repo.local={room / 'maven'}".strip(),
        }
        environment = {
            name: value for name, value in os.environ.items() if name not in ("JUNCTOR_CACHE", "VIRTUAL_ENV")
        }
        return await _run(["make", "demo"], room / "clone", environment | caches)


async def _run(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> Run:
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    run = Run(0.0, 0)
    async for line in child.stdout:
        run.lines.append((time.monotonic() - began, line.decode(errors="replace").rstrip()))
    run.code = await child.wait()
    run.seconds = time.monotonic() - began
    return run


def _tell(result: Result, what: str, run: Run, limit: int) -> None:
    met = run.seconds <= limit and run.code == 0
    code = "" if run.code == 0 else f", exited with {run.code}"
    result.rows.append(Row(what, f"{run.seconds:.1f} s{code}", f"<= {limit} s", met))
    for text, about in (("Starting a site", "setting up"), ("The tenant is applied", "site started, tenant applied")):
        at = run.when(text)
        if at is not None:
            result.rows.append(Row(f"- {about}", f"after {at:.1f} s"))
    result.data[what] = {"seconds": round(run.seconds, 1), "code": run.code}
    if run.code:
        result.notes += [f"{what}: {line}" for _, line in run.lines[-12:] if "/" not in line]
