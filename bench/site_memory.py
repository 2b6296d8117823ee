"""The memory of two idle sites with their mirrors, voters and witness, and the demonstration's tenant: the sum of PSS."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from junctor_cli.demonstration.tenant import apply
from junctor_local import places
from junctor_local.two_sites import TwoSites

from bench.memory import at_rest, rows
from bench.results_file import Result

LIMIT = 6 * 2**30
HOW = (
    "Two whole sites on free ports, the mirrors both ways, a voter in each and the witness, with the demonstration's tenant "
    "applied and nobody logged in, at rest; the largest of a few looks at the sum of PSS (/proc/PID/smaps_rollup) of all "
    "processes, of which this bench is the one parent."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("site_memory", HOW)
    for processes in (True, False):
        about = "one process per service" if processes else "all services of a site in one process"
        with tempfile.TemporaryDirectory() as directory:
            async with TwoSites(Path(directory), processes=processes) as sites:
                await apply(sites["a"], places.repository() / "demo" / "tenant.yaml")
                found = await at_rest(sites.pss_bytes)
        result.rows += rows(about, found, LIMIT)
        result.data[about] = found
    return [result]
