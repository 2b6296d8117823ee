"""`junctor status`: what runs, where, and how it is."""

import asyncio
import sys
import time

import click
from junctor_local import health, memory
from junctor_local.child import tcp_answers
from junctor_local.ng_ping import ng_answers
from junctor_local.site_ports import SERVICES
from junctor_local.site_state import ComponentState, SiteState
from rich.console import Console
from rich.table import Table

from junctor_cli import two_local_sites
from junctor_cli.site_option import kept_state, site_option


@click.command()
@click.option("--sites", is_flag=True, help="Both of two sites, and the witness.")
@site_option
def command(site: str, sites: bool) -> None:
    """Show a site's components: process, address, health, time since its start, memory (PSS).

    Exit status 0 if all are healthy, 3 if one is not, 4 if the site, or one of the two, is not up.
    """
    found = [_show(name, "junctor up --sites" if sites else "junctor up") for name in _names(site, sites)]
    if sites:
        click.echo(f"{_megabytes(sum(used for _, used in found))} for both sites and the witness.")
    sys.exit(max(status for status, _ in found))


def _names(site: str, sites: bool) -> tuple[str, ...]:
    return two_local_sites.ALL if sites else (site,)


def _show(site: str, start: str) -> tuple[int, int]:
    """Prints it; the exit status and its memory in bytes."""
    state = kept_state(site)
    if state is None or not state.up:
        click.echo(f"Site {site} is not up. Start it with `{start}`.")
        if state is not None and state.failure:
            click.echo(f"It ended with: {state.failure}")
        return 4, 0
    found = asyncio.run(_health(state))
    used = _print(state, found)
    return 0 if all(found.values()) else 3, used


async def _health(state: SiteState) -> dict[str, bool]:
    names = list(state.components)
    answers = await asyncio.gather(*(_answers(name, state) for name in names))
    return dict(zip(names, answers, strict=True))


async def _answers(name: str, state: SiteState) -> bool:
    component = state.components[name]
    if component.process is None or not component.process.alive:
        return False
    if name == "services":
        return all(await asyncio.gather(*(health.serving(state.addresses[service]) for service in SERVICES)))
    if name in SERVICES:
        return await health.serving(component.address)
    host, _, port = component.address.removeprefix("http://").rpartition(":")
    return await (ng_answers(host, int(port)) if name == "media" else tcp_answers(host, int(port)))


def _print(state: SiteState, healthy: dict[str, bool]) -> int:
    """The table; gives the memory of all in bytes."""
    table = Table(
        "component", "process", "address", "health", "up for", "restarts", "memory", box=None, header_style="bold"
    )
    total = 0
    for name, component in state.components.items():
        process = component.process
        used = memory.pss_bytes(process.pid) if process else 0
        total += used
        table.add_row(
            name,
            str(process.pid) if process else "-",
            component.address,
            _word(component, healthy[name]),
            _duration(time.time() - process.started) if process else "-",
            str(component.restarts),
            _megabytes(used),
        )
    if state.supervisor not in [component.process for component in state.components.values()]:
        used = memory.pss_bytes(state.supervisor.pid, descendants=False)
        total += used
        age = _duration(time.time() - state.supervisor.started)
        table.add_row("supervisor", str(state.supervisor.pid), "-", state.phase, age, "-", _megabytes(used))
    console = Console()
    console.print(table)
    console.print(f"Site {state.site}, {state.directory}: {_megabytes(total)} in all.")
    return total


def _word(component: ComponentState, healthy: bool) -> str:
    if healthy:
        return "[green]healthy[/]"
    if component.process is not None:
        return "[red]not ready[/]"
    return "[red]restarting[/]" if component.wanted else "[yellow]stopped[/]"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
