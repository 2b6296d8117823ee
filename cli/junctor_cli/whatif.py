"""`junctor whatif`: recorded contacts once more, under other plans."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from junctor_router.application.comparison import Comparison, Pair, compare, unknowable
from junctor_router.application.contact_waits import ANSWERED, Wait
from junctor_router.application.queue_figures import QueueFigures
from junctor_router.application.whatif import Rerun
from rich.console import Console
from rich.table import Table

from junctor_cli.kafka_option import kafka_option, with_log
from junctor_cli.moment_option import Moment
from junctor_cli.recorded_pools import RecordedPool, read_pools
from junctor_cli.router_values import changes_for, pools_of, read_file, thresholds_of
from junctor_cli.site_option import site_option
from junctor_cli.tenant_file import TenantFile

_END_OF_TIME = 1 << 60


@dataclass(frozen=True, slots=True)
class Found:
    pool: str
    comparison: Comparison
    sentences: list[str]
    warnings: list[str]


@click.command()
@click.option(
    "--plans", "path", type=click.Path(path_type=Path), required=True, help="A tenant file; what it has holds."
)
@click.option("--from", "begins", type=Moment(), default=0, help="Contacts that came from then on (all).")
@click.option("--to", "ends", type=Moment(), default=_END_OF_TIME, help="... and before then (all).")
@click.option("--tenant", default="demo", show_default=True, help="Whose contacts.")
@click.option("--contacts", default=20, show_default=True, help="So many changed contacts are shown.")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@kafka_option
@site_option
def command(
    path: Path, begins: int, ends: int, tenant: str, contacts: int, as_json: bool, kafka: str | None, site: str
) -> None:
    """Route recorded contacts again under the plans, queues and agents of a file, and show what would have changed.

    Reads only. Arrivals, patience, answering, handle times and shifts are those of the journal; attributes, plans,
    queues and agents that the file does not have stay as recorded.

    Exit status 0 with a comparison, 1 if the file or the journal cannot be used, 2 for a wrong command line.
    """
    file = read_file(path)
    pools = with_log(kafka, site, lambda log: read_pools(log, tenant, begins))
    if not pools:
        raise click.ClickException(f"The router's journal has nothing of the tenant {tenant}.")
    strange = sorted(set(pools_of(file)) - {pool.name for pool in pools})
    if strange:
        raise click.ClickException(f"The journal has no pool {', '.join(strange)} of the tenant {tenant}.")
    found = [compared(pool, file, begins, ends) for pool in pools]
    if as_json:
        click.echo(json.dumps([_plain(one) for one in found], indent=1))
        return
    for one in found:
        _show(one, contacts)


def compared(pool: RecordedPool, file: TenantFile, begins: int, ends: int) -> Found:
    changes = {(change.kind, change.id): change.value for change in changes_for(file, pool.name) if change.value}
    rerun = Rerun(pool.behaviour, pool.begin or pool.behaviour.begin(), changes)
    rerun.play(ends, pool.ended)
    thresholds = pool.thresholds_ms | thresholds_of(file)
    comparison = compare(pool.behaviour.waits, rerun.waits, begins, ends, thresholds)
    return Found(pool.name, comparison, unknowable(comparison, rerun), rerun.warnings)


def _show(found: Found, contacts: int) -> None:
    console = Console()
    changed = found.comparison.changed
    console.print(f"Pool {found.pool}: {len(changed)} of {len(found.comparison.pairs)} waits differ.")
    table = Table(box=None, header_style="bold")
    for number, name in enumerate(
        ("queue", "", "offered", "answered", "abandoned", "overflowed", "waiting", "SL", "ASA")
    ):
        table.add_column(name, justify="right" if number > 1 else "left")
    for queue, pair in found.comparison.queues.items():
        for name, figures in zip(("recorded", "re-run"), pair, strict=True):
            table.add_row(queue if name == "recorded" else "", name, *_cells(figures))
    console.print(table)
    if changed and contacts:
        _show_contacts(console, changed, contacts)
    for warning in found.warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    if changed:
        click.echo("What this comparison cannot know:")
        for sentence in found.sentences:
            click.echo(f"- {sentence}")


def _show_contacts(console: Console, changed: list[Pair], contacts: int) -> None:
    table = Table("contact", "recorded", "re-run", box=None, header_style="bold")
    for pair in changed[:contacts]:
        table.add_row(pair.contact_id, told(pair.recorded), told(pair.rerun))
    console.print(table)
    if len(changed) > contacts:
        console.print(f"... and {len(changed) - contacts} more (--contacts, --json)", style="dim")


def told(wait: Wait | None) -> str:
    if wait is None:
        return "-"
    if not wait.ended:
        return f"{wait.queue}: waits still"
    by = f" by {wait.agent_id}" if wait.result == ANSWERED else ""
    return f"{wait.queue}: {wait.result}{by} after {wait.waited_ms / 1_000:.1f} s"


def _cells(figures: QueueFigures) -> list[str]:
    counts = (figures.offered, figures.answered, figures.abandoned, figures.overflowed, figures.waiting)
    level = "-" if math.isnan(figures.service_level) else f"{figures.service_level:.1%}"
    answer = "-" if math.isnan(figures.asa_ms) else f"{figures.asa_ms / 1_000:.1f} s"
    return [*map(str, counts), level, answer]


def _plain(found: Found) -> dict[str, Any]:
    queues = {
        queue: {"recorded": _finite(before), "rerun": _finite(after)}
        for queue, (before, after) in found.comparison.queues.items()
    }
    contacts = [
        {
            "contact_id": pair.contact_id,
            "recorded": None if pair.recorded is None else asdict(pair.recorded),
            "rerun": None if pair.rerun is None else asdict(pair.rerun),
            "differs": pair.differs,
        }
        for pair in found.comparison.pairs
    ]
    return {"pool": found.pool, "queues": queues, "contacts": contacts, "cannot_know": found.sentences}


def _finite(figures: QueueFigures) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(figures).items()
    }
