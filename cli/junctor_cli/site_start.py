"""Starts a site's process and waits for the site."""

import subprocess
import sys
import time
from pathlib import Path

import click
from junctor_local import site_state
from junctor_local.site_state import SiteState
from rich.console import Console
from rich.table import Table

from junctor_cli.site_option import directory

READY_LIMIT = 240.0


def print_addresses(state: SiteState) -> None:
    """The addresses of a site as a table, and what to do next."""
    table = Table("component", "address", box=None, header_style="bold")
    for name, address in state.addresses.items():
        table.add_row(name, address)
    console = Console()
    console.print(table)
    console.print(f"Site {state.site} is up, process {state.supervisor.pid}: `junctor status`, `junctor down`.")


def begin(site: str, options: list[str]) -> subprocess.Popen[bytes]:
    """The site's process, which outlives this one."""
    folder = directory(site)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "supervisor.log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "junctor_local.site_process", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def started(site: str, process: subprocess.Popen[bytes], limit: float = READY_LIMIT) -> SiteState:
    """Waits for `limit` seconds until the process says that the site is ready; ClickException if it is not."""
    try:
        return _ready(site, directory(site), process, limit)
    except BaseException:
        # Ctrl-C too: a site that did not come up is not left half started.
        process.terminate()
        process.wait()
        raise


def _ready(site: str, folder: Path, process: subprocess.Popen[bytes], limit: float) -> SiteState:
    deadline = time.monotonic() + limit
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
    raise click.ClickException(f"Site {site} was not ready within {limit:.0f} s: see {folder}/logs.")


def _why_not(log: Path, site: str) -> str:
    """What the site's process said last, without its log lines (JSON)."""
    said = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("{")]
    return f"Site {site} did not come up.\n" + "\n".join(said[-30:])
