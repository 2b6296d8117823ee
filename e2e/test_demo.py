"""The demonstration as a user starts it: one command, twenty calls, five chats, nothing missing."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from junctor_local.places import site_directory

LIMIT = 240


async def test_the_demonstration_shows_everything_and_exits_with_0():
    junctor = Path(sys.executable).parent / "junctor"
    site = f"demo-{os.getpid()}"
    process = await asyncio.create_subprocess_exec(
        junctor,
        "demo",
        "--free-ports",
        "--stop",
        "--site",
        site,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT):
            output = (await process.communicate())[0].decode()
    finally:
        shutil.rmtree(site_directory(site), ignore_errors=True)
    assert process.returncode == 0, output
    assert "20 calls (17 served), 5 chats, 0 things missing." in output
    assert "junctor contact " in output
