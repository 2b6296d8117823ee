"""`junctor up`: starts a site and, unless told otherwise, leaves it running."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import click
from junctor_local import site_settings, site_state
from junctor_local.site import Site
from junctor_local.site_ports import SitePorts
from junctor_local.site_process import chosen_ports, run
from junctor_local.site_state import SiteState
from rich.console import Console
from rich.table import Table

from junctor_cli.site_option import directory, kept_state, site_option

_READY_LIMIT = 240.0


@click.command()
@click.option("--all-in-one", is_flag=True, help="All services in one process.")
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C instead of leaving the site running.")
@click.option("--ports-from", type=int, metavar="N", help="Use a block of ports that begins at N.")
@click.option("--free-ports", is_flag=True, help="Use any free ports.")
@site_option
def command(site: str, all_in_one: bool, foreground: bool, ports_from: int | None, free_ports: bool) -> None:
    """Start a site on this machine and print its addresses."""
    known = kept_state(site)
    if known is not None and known.up:
        raise click.ClickException(
            f"Site {site} is {known.phase} already, process {known.supervisor.pid}. See it with `junctor status`, "
            "stop it with `junctor down`, or start another one with `junctor up --site NAME --ports-from 21000`."
        )
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
    print_addresses(_started(site, options))


def print_addresses(state: SiteState) -> None:
    """The addresses of a site as a table, and what to do next."""
    table = Table("component", "address", box=None, header_style="bold")
    for name, address in state.addresses.items():
        table.add_row(name, address)
    console = Console()
    console.print(table)
    console.print(f"Site {state.site} is up, process {state.supervisor.pid}: `junctor status`, `junctor down`.")


def _run_here(site: str, all_in_one: bool, ports: SitePorts) -> int:
    given = site_settings.configured(os.environ)
    made = Site(directory(site), name=site, processes=not all_in_one, ports=ports, settings=given)

    def ready(_: Site) -> None:
        state = kept_state(site)
        if state is not None:
            print_addresses(state)

    with asyncio.Runner() as runner:
        return runner.run(run(made, ready))


def _started(site: str, options: list[str]) -> SiteState:
    """Starts the site's process and waits until it says that the site is ready; ClickException if it is not."""
    folder = directory(site)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "supervisor.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "junctor_local.site_process", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _ready(site, folder, process)
    except BaseException:
        # Ctrl-C too: a site that did not come up is not left half started.
        process.terminate()
        process.wait()
        raise


def _ready(site: str, folder: Path, process: subprocess.Popen[bytes]) -> SiteState:
    deadline = time.monotonic() + _READY_LIMIT
    with Console().status("") as progress:
        while time.monotonic() < deadline:
            state = site_state.read(folder)
            if state is not None and state.supervisor.pid == process.pid:
                if state.phase == "ready":
                    return state
                running = [name for name, component in state.components.items() if component.process]
                progress.update(f"Starting site {site}: {', '.join(running)}")
            if process.poll() is not None:
                raise click.ClickException(_why_not(folder / "supervisor.log", site))
            time.sleep(0.1)
    raise click.ClickException(f"Site {site} was not ready within {_READY_LIMIT:.0f} s: see {folder}/logs.")


def _why_not(log: Path, site: str) -> str:
    """What the site's process said last, without its log lines (JSON)."""
    said = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("{")]
    return f"Site {site} did not come up.\n" + "\n".join(said[-30:])
