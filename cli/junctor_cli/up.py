"""`junctor up`: starts a site and, unless told otherwise, leaves it running."""

import asyncio
import os
import sys

import click
from junctor_local import site_settings
from junctor_local.site import Site
from junctor_local.site_ports import SitePorts
from junctor_local.site_process import chosen_ports, run

from junctor_cli import two_local_sites
from junctor_cli.site_option import directory, kept_state, refuse_one_of_two, site_option
from junctor_cli.site_start import begin, print_addresses, started


@click.command()
@click.option("--all-in-one", is_flag=True, help="All services in one process.")
@click.option("--sites", is_flag=True, help="Two sites, a and b, with mirrors, and the witness; starts what is not up.")
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C instead of leaving the site running.")
@click.option("--ports-from", type=int, metavar="N", help="Use a block of ports that begins at N.")
@click.option("--free-ports", is_flag=True, help="Use any free ports.")
@site_option
def command(
    site: str, all_in_one: bool, sites: bool, foreground: bool, ports_from: int | None, free_ports: bool
) -> None:
    """Start a site on this machine and print its addresses."""
    if sites:
        if foreground or free_ports:
            raise click.UsageError("--sites goes with --all-in-one and --ports-from only.")
        two_local_sites.start(all_in_one, ports_from)
        return
    known = kept_state(site)
    if known is not None and known.up:
        raise click.ClickException(
            f"Site {site} is {known.phase} already, process {known.supervisor.pid}. See it with `junctor status`, "
            "stop it with `junctor down`, or start another one with `junctor up --site NAME --ports-from 21000`."
        )
    refuse_one_of_two(site)
    if ports_from is not None and free_ports:
        raise click.UsageError("--ports-from and --free-ports exclude each other.")
    try:
        ports = chosen_ports(ports_from, free_ports)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ports-from") from error
    if foreground:
        sys.exit(_run_here(site, all_in_one, ports))
    options = ["--name", site, "--directory", str(directory(site))]
    options += ["--all-in-one"] if all_in_one else []
    options += ["--ports-from", str(ports_from)] if ports_from is not None else []
    options += ["--free-ports"] if free_ports else []
    print_addresses(started(site, begin(site, options)))


def _run_here(site: str, all_in_one: bool, ports: SitePorts) -> int:
    given = site_settings.configured(os.environ)
    made = Site(directory(site), name=site, processes=not all_in_one, ports=ports, settings=given)

    def ready(_: Site) -> None:
        state = kept_state(site)
        if state is not None:
            print_addresses(state)

    with asyncio.Runner() as runner:
        return runner.run(run(made, ready))
