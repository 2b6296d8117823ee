"""One site with Junctor installed, for this folder's tests; JUNCTOR_TEST__KEEP_CLUSTER leaves it up and finds it again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest_asyncio

from e2e.cluster.figures import Figures
from e2e.cluster.kubernetes import Cluster
from e2e.cluster.release import InstalledSite, images_archive, next_version, version
from e2e.stage import Stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def figures() -> AsyncIterator[Figures]:
    """What the tests measure; kept in bench/results at the end."""
    measured = Figures()
    yield measured
    measured.keep()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(figures: Figures) -> AsyncIterator[InstalledSite]:
    """Profile `single` in a cluster that has the images."""
    cluster, kept = Cluster("a"), bool(os.environ.get("JUNCTOR_TEST__KEEP_CLUSTER"))
    site = InstalledSite(cluster)
    try:
        if not (kept and await cluster.has(f"junctor-kafka:{next_version()}")):
            await cluster.up()
            await cluster.load(images_archive())
        if not (kept and await site.found()):
            figures.installed(await site.install(version()))
        yield site
    finally:
        if not kept:
            await cluster.down()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(installed: InstalledSite) -> AsyncIterator[Stage]:
    """The end-to-end tests' tenant on the installed site, and phones and agents outside of it."""
    opened = Stage(installed)  # type: ignore[arg-type]
    try:
        yield await opened.open()
    finally:
        await opened.close()
