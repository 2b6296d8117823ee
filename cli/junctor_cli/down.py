"""`junctor down`: stops a site."""

import time

import click
import psutil
from junctor_local import site_state
from junctor_local.site_state import SiteState

from junctor_cli import two_local_sites
from junctor_cli.site_option import directory, kept_state, site_option

_LIMIT = 60.0


@click.command()
@click.option("--sites", is_flag=True, help="Both of two sites, and the witness.")
@site_option
def command(site: str, sites: bool) -> None:
    """Stop a site: its services, then what they use. What it stored stays."""
    for name in two_local_sites.ALL if sites else (site,):
        _down(name)


def _down(site: str) -> None:
    state = kept_state(site)
    if state is None or not state.up:
        click.echo(f"Site {site} is not up.")
        return
    stop(state)
    click.echo(f"Site {site} is down.")


def stop(state: SiteState) -> None:
    """SIGTERM to the site's process, SIGKILL after a minute; its children end with it in any case.

    ClickException if one of them still runs, with its id.
    """
    last = site_state.read(directory(state.site)) or state
    supervisor = psutil.Process(state.supervisor.pid)
    supervisor.terminate()
    try:
        supervisor.wait(_LIMIT)
    except psutil.TimeoutExpired:
        supervisor.kill()
        supervisor.wait(5)
    processes = {name: c.process for name, c in last.components.items() if c.process is not None}
    deadline = time.monotonic() + 5
    while left := [f"{name} ({process.pid})" for name, process in processes.items() if process.alive]:
        if time.monotonic() > deadline:
            raise click.ClickException(f"Still running: {', '.join(left)}.")
        time.sleep(0.05)
