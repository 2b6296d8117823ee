"""The command line on two sites, as a person types it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from junctor_local.two_sites import TwoSites

_LIMIT = 300.0


async def junctor(sites: TwoSites, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Exit status and what it wrote. `answer`: what the person types. The sites lie in a folder named `site`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "junctor_cli",
        *arguments,
        env={**os.environ, "JUNCTOR_CACHE": str(sites.directory.parent), "COLUMNS": "200"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        written, _ = await asyncio.wait_for(process.communicate(answer.encode()), _LIMIT)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    return process.returncode or 0, written.decode()
