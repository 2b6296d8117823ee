"""`junctor contact`: what became of one contact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from junctor_cli.analyst import Analyst, Answer, analyst_of, analyst_option

_CONTACT = """
SELECT channel, direction, entry_point, arrived_at, ended_at, closed_at, cause, disposition, site, detail
FROM contacts WHERE tenant = %(tenant)s AND contact_id = %(contact)s
"""
_SEGMENTS = """
SELECT segment, kind, queue, agent_id, flow, started_at, ended_at, result
FROM segments WHERE tenant = %(tenant)s AND contact_id = %(contact)s ORDER BY segment
"""
_RECORDINGS = """
SELECT state, path, duration_ms, bytes, sha256
FROM recordings WHERE tenant = %(tenant)s AND contact_id = %(contact)s ORDER BY requested_at
"""
_TIMELINE = (
    "SELECT time, service, if(void, concat(type, ' (void)'), type), data"
    " FROM contact_timeline(tenant = %(tenant)s, contact = %(contact)s)"
)
_SELF_EVIDENT = {"tenant", "contact_id"}
_WIDEST = 100
_BESIDE = 56


@click.command()
@click.argument("contact_id")
@click.option("--tenant", default="demo", show_default=True, help="Whose contact.")
@analyst_option
def command(contact_id: str, tenant: str, site: str, clickhouse: str | None, user: str, password: str) -> None:
    """Show the contact CONTACT_ID: its segments, its recordings, and its events across all services in order.

    Exit status 1 if ClickHouse does not know it (a contact is there about a second after its first event).
    """
    analyst = analyst_of(site, clickhouse, user, password)
    asked = {"tenant": tenant, "contact": contact_id}
    timeline = analyst.ask(_TIMELINE, asked)
    if not timeline.rows:
        raise click.ClickException(f"Tenant {tenant} has no contact {contact_id}.")
    console = Console()
    _contact(console, contact_id, analyst.ask(_CONTACT, asked))
    _segments(console, analyst.ask(_SEGMENTS, asked))
    _recordings(console, analyst, asked)
    show_timeline(console, timeline.rows)
    console.print(f"Its trace: junctor trace {contact_id}", style="dim")


def _contact(console: Console, contact_id: str, answer: Answer) -> None:
    console.print(Text(f"Contact {contact_id}", style="bold"))
    for row in answer.rows:
        known = dict(zip(answer.columns, row, strict=True))
        shown = Table(box=None, show_header=False)
        shown.add_row("came", Text(f"{_time(known['arrived_at'])} {known['direction']} {known['channel']}, "
                                   f"{known['entry_point']}, site {known['site']}"))  # fmt: skip
        if known["ended_at"] is not None:
            shown.add_row("ended", Text(f"{_time(known['ended_at'])} by {known['cause']} {known['detail']}".rstrip()))
        if known["closed_at"] is not None:
            shown.add_row("closed", Text(f"{_time(known['closed_at'])} {known['disposition']}".rstrip()))
        console.print(shown)


def _segments(console: Console, answer: Answer) -> None:
    table = Table(
        "", "segment", "with", "began", "lasted", "result", box=None, header_style="bold", title_justify="left"
    )
    for number, kind, queue, agent, flow, started, ended, result in answer.rows:
        place = {"flow": flow, "queue": queue, "agent": f"{agent} for {queue}" if queue else agent}.get(kind, "")
        lasted = "goes on" if ended is None else _seconds((ended - started).total_seconds())
        table.add_row(str(number), kind, Text(place), _time(started), lasted, result)
    console.print(table)


def _recordings(console: Console, analyst: Analyst, asked: dict[str, str]) -> None:
    found = analyst.ask(_RECORDINGS, asked).rows
    if not found:
        return
    table = Table("recording", "path", "lasts", "bytes", "sha256", box=None, header_style="bold")
    for state, path, duration_ms, size, sha256 in found:
        table.add_row(state, Text(path), _seconds(duration_ms / 1000), f"{size:,}", sha256[:16])
    console.print(table)


def show_timeline(console: Console, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of time, service, type and data, in the order of the view `contact_timeline`; at least one."""
    table = Table("after", "service", "event", "", box=None, header_style="bold")
    room = max(20, console.width - _BESIDE)
    first = rows[0][0]
    for time, service, kind, data in rows:
        told = _told(data)
        table.add_row(
            f"+{_seconds((time - first).total_seconds())}",
            service,
            kind.rpartition(".")[2],
            Text(told if len(told) <= room else f"{told[: room - 1]}…"),
        )
    console.print(table)


def _told(data: str) -> str:
    """The event's values without what each event of a contact has."""
    values: dict[str, Any] = json.loads(data)
    words = ", ".join(
        f"{name} {value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
        if name not in _SELF_EVIDENT and not name.endswith("_at")
    )
    return words if len(words) <= _WIDEST else f"{words[: _WIDEST - 1]}…"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:.0f} s"
