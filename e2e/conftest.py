"""One site for the tests of a file: real parts, free ports, a folder that is thrown away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from junctor_local.site import Site

from e2e.stage import Stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory) -> AsyncIterator[Stage]:
    directory: Path = tmp_path_factory.mktemp("site")
    opened = Stage(Site(directory, processes=True, free_ports=True))
    try:
        yield await opened.open()
    finally:
        await opened.close()
