"""The process that runs a local site until SIGTERM or SIGINT: `python -m junctor_local.site_process --directory DIR`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from junctor_service import logs

from junctor_local import site_settings, two_sites_plan
from junctor_local.child import NotReady
from junctor_local.site import Site, SiteIsUp
from junctor_local.site_of_two import site_of_two
from junctor_local.site_ports import PortInUse, SitePorts, free_site_ports, ports_from, standard_ports

log = logging.getLogger(__name__)


async def run(site: Site, ready: Callable[[Site], None] | None = None) -> int:
    """Runs the site until SIGTERM or SIGINT; 1 if it does not come up, with the reason on the standard error output."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    starting = asyncio.create_task(site.start())
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait({starting, asking}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return 1
    try:
        await starting
    except (SiteIsUp, PortInUse, NotReady, OSError) as error:
        asking.cancel()
        print(error, file=sys.stderr, flush=True)
        return 1
    log.info("site ready", extra={"site": site.name})
    if ready is not None:
        ready(site)
    await asking
    await site.stop()
    return 0


def chosen_ports(first: int | None, free: bool) -> SitePorts:
    """The ports that the options --ports-from and --free-ports mean. ValueError for a block out of range."""
    if free:
        return free_site_ports()
    return standard_ports() if first is None else ports_from(first)


def main() -> int:
    """Exit status 0 after a signal, 1 if the site did not come up."""
    options = argparse.ArgumentParser(prog="python -m junctor_local.site_process", description=__doc__)
    options.add_argument("--directory", type=Path, required=True)
    options.add_argument("--name", required=True)
    options.add_argument("--all-in-one", action="store_true")
    options.add_argument("--ports-from", type=int)
    options.add_argument("--free-ports", action="store_true")
    options.add_argument("--of-two", action="store_true", help="As the plan of two sites above the directory says.")
    given = options.parse_args()
    logs.configure("info", "json")
    with asyncio.Runner() as runner:
        return runner.run(run(_site(given)))


def _site(given: argparse.Namespace) -> Site:
    settings, processes = site_settings.configured(os.environ), not given.all_in_one
    if given.of_two:
        plan = two_sites_plan.kept(given.directory.parent)
        assert plan is not None, "who starts a site of two keeps the plan first"
        return site_of_two(given.directory.parent, given.name, plan, settings=settings, processes=processes)
    ports = chosen_ports(given.ports_from, given.free_ports)
    return Site(given.directory, name=given.name, processes=processes, ports=ports, settings=settings)


if __name__ == "__main__":
    sys.exit(main())
