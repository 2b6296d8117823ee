"""The memory of an idle site with the demonstration's tenant: the sum of its processes' PSS."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from junctor_cli.demonstration.tenant import apply
from junctor_local import places
from junctor_local.site import Site

from bench.results_file import Result, Row

LIMIT = 2 * 2**30
SETTLES, LOOKS, LOOK_EVERY = 20, 5, 2.0
"""Seconds after the tenant was applied; then so many looks, so far apart. The largest counts."""
HOW = (
    f"A whole site on free ports with the demonstration's tenant applied and nobody logged in; {SETTLES} s later, the "
    f"largest of {LOOKS} looks at the sum of PSS (/proc/PID/smaps_rollup) of all processes of the site and their supervisor, "
    "which is this bench."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("memory", HOW)
    for processes in (True, False):
        about = "one process per service" if processes else "all services in one process"
        found = await _idle(processes)
        result.rows += rows(about, found, LIMIT)
        result.data[about] = found
    return [result]


async def _idle(processes: bool) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as directory:
        async with Site(Path(directory), processes=processes, free_ports=True) as site:
            await apply(site, places.repository() / "demo" / "tenant.yaml")
            return await at_rest(site.pss_bytes)


async def at_rest(look: Callable[[], dict[str, int]]) -> dict[str, int]:
    """The largest of a few looks, once what was applied has settled; bytes by component."""
    await asyncio.sleep(SETTLES)
    largest: dict[str, int] = {}
    for _ in range(LOOKS):
        largest = max(largest, look(), key=lambda sizes: sum(sizes.values()))
        await asyncio.sleep(LOOK_EVERY)
    return largest


def rows(about: str, found: Mapping[str, int], limit: int) -> list[Row]:
    """The sum beside its limit, then each component, the largest first."""
    total = sum(found.values())
    parts = [Row(f"- {name}", f"{_mb(size)} MB") for name, size in sorted(found.items(), key=lambda part: -part[1])]
    return [Row(about, f"{_mb(total)} MB", f"<= {_mb(limit)} MB", total <= limit), *parts]


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f}"
