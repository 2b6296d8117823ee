"""`junctor sql`: a question to ClickHouse in SQL."""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from junctor_cli.analyst import Answer, analyst_of, analyst_option


@click.command()
@click.argument("query")
@click.option(
    "--format", "shape", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Output."
)
@analyst_option
def command(query: str, shape: str, site: str, clickhouse: str | None, user: str, password: str) -> None:
    """Run QUERY (`-`: read from standard input) as the analyst's account, which can read and not write.

    Tables: events, contacts, segments, tasks, agent_states, recordings, queues, audit, otel_traces. Reports:
    queue_report(tenant=, from=, to=), agent_report(tenant=, from=, to=), contact_timeline(tenant=, contact=).

    Exit status 0 with an answer, 1 if ClickHouse refuses or does not answer, 2 for a wrong command line.
    """
    answer = analyst_of(site, clickhouse, user, password).ask(sys.stdin.read() if query == "-" else query)
    if shape == "json":
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        click.echo(json.dumps(rows, default=str, ensure_ascii=False, indent=1))
    elif shape == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(answer.columns)
        writer.writerows([["" if value is None else value for value in row] for row in answer.rows])
    else:
        _print(answer)


def _print(answer: Answer) -> None:
    table = Table(box=None, header_style="bold")
    for number, name in enumerate(answer.columns):
        numbers = any(isinstance(row[number], int | float) for row in answer.rows)
        table.add_column(Text(name), justify="right" if numbers else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*(Text(_shown(value)) for value in row))
    console = Console()
    if answer.columns:
        console.print(table)
    console.print(f"{len(answer.rows)} rows", style="dim")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
