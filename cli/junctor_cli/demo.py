"""`junctor demo`: a site, a tenant, twenty calls and five chats, and the report."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click
from junctor_local import places
from junctor_local.child import NotReady
from junctor_local.site import Site, SiteIsUp
from junctor_local.site_ports import PortInUse, free_site_ports, standard_ports
from rich.console import Console

from junctor_cli.demonstration.show import Shown, show
from junctor_cli.demonstration.tenant import apply
from junctor_cli.site_option import DEFAULT, directory, kept_state, refuse_one_of_two, site_option


@click.command()
@click.option("--free-ports", is_flag=True, help="Use any free ports.")
@click.option("--all-in-one", is_flag=True, help="All services in one process.")
@click.option(
    "--stop/--stay", default=None, help="Stop afterwards, or stay up until Ctrl-C (default: stay on a terminal)."
)
@site_option
def command(site: str, free_ports: bool, all_in_one: bool, stop: bool | None) -> None:
    """Start a site, let 20 people call and 5 write, and show the report.

    Exits with 1 if the audio, recording, events or row of any call is missing.
    """
    known = kept_state(site)
    if known is not None and known.up:
        raise click.ClickException(f"Site {site} is {known.phase} already; stop it with `junctor down` first.")
    refuse_one_of_two(site)
    stays = sys.stdout.isatty() if stop is None else not stop
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    ports = free_site_ports() if free_ports else standard_ports()
    made = Site(directory(site), name=site, processes=not all_in_one, ports=ports)
    sys.exit(asyncio.run(_run(made, Console(), stays)))


async def _run(site: Site, console: Console, stays: bool) -> int:
    console.print("Starting a site: Kafka, ClickHouse, media, token issuer and eight services ...")
    try:
        await site.start()
    except (SiteIsUp, PortInUse, NotReady, OSError) as error:
        console.print(str(error), style="red", soft_wrap=True)
        return 1
    try:
        tenant = demo_tenant()
        await apply(site, tenant)
        console.print("The tenant is applied. Agents log in, customers call and write ...")
        shown = await show(site, tenant, console)
        _next_steps(console, site, shown)
        if stays:
            console.print("The site stays up until Ctrl-C.")
            await _interrupted()
        return 1 if shown.problems else 0
    finally:
        await site.stop()


def demo_tenant() -> Path:
    """The tenant of the demonstration."""
    return places.repository() / "demo" / "tenant.yaml"


def _next_steps(console: Console, site: Site, shown: Shown) -> None:
    for problem in shown.problems:
        console.print(f"missing: {problem}", style="red", soft_wrap=True)
    served = sum(1 for call in shown.calls if call.agent_id)
    console.print(
        f"{len(shown.calls)} calls ({served} served), {len(shown.chats)} chats, {len(shown.problems)} things missing.",
        style="red" if shown.problems else "green",
    )
    console.print("What to try next, in another terminal (after `. .venv/bin/activate`):")
    which = "" if site.name == DEFAULT else f" --site {site.name}"
    for line in (
        f"junctor contact {shown.example}{which}",
        f"junctor trace {shown.example}{which}",
        f'junctor sql "SELECT queue, count() FROM junctor.segments GROUP BY queue"{which}',  # noqa: S608 shown, not run
        f"gRPC (reflection): {site.address('router')} router, {site.address('cti')} cti",
        f"a token for it: junctor token --role supervisor{which}",
        f"HTTP (OpenAPI): {site.address('http')}/docs",
    ):
        console.print(f"  {line}", soft_wrap=True, highlight=False)


async def _interrupted() -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
