"""`junctor trace`: the spans of a trace as a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from junctor_cli.analyst import analyst_of, analyst_option

_SPANS = """
SELECT SpanId, ParentSpanId, ServiceName, SpanName, toUnixTimestamp64Nano(Timestamp), Duration, StatusCode, StatusMessage,
    SpanAttributes['step']
FROM otel_traces WHERE TraceId = %(trace)s ORDER BY Timestamp, SpanId LIMIT 5000
"""


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are nanoseconds."""

    id: str
    parent: str
    service: str
    name: str
    started: int
    duration: int
    status: str
    message: str
    step: str = ""


@click.command()
@click.argument("trace_id")
@analyst_option
def command(trace_id: str, site: str, clickhouse: str | None, user: str, password: str) -> None:
    """Show the trace TRACE_ID (32 hex digits, or a contact's id: each contact has one trace).

    Each span is told by service and name, when it began after the first, and how long it took. Exit status 1 if
    ClickHouse has no span of it.
    """
    trace = trace_id.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", trace):
        raise click.UsageError("A trace id has 32 hex digits; a contact's id is a UUID.")
    found = analyst_of(site, clickhouse, user, password).ask(_SPANS, {"trace": trace}).rows
    spans = [Span(*row) for row in found]
    if not spans:
        raise click.ClickException(f"There are no spans of trace {trace}.")
    Console().print(tree(trace, spans))


def tree(trace: str, spans: Sequence[Span]) -> Tree:
    """Spans below their parents, in order; a span whose parent is not there stands at the top."""
    known = {span.id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent if span.parent in known and span.parent != span.id else "", []).append(span)
    first = min(span.started for span in spans)
    last = max(span.started + span.duration for span in spans)
    services = len({span.service for span in spans})
    root = Tree(Text(f"trace {trace}: {len(spans)} spans of {services} services, {_ms(last - first)}", style="bold"))
    left = [(root, span) for span in reversed(children.get("", []))]
    while left:
        above, span = left.pop()
        node = above.add(_line(span, first))
        left += [(node, child) for child in reversed(children.get(span.id, []))]
    return root


def _line(span: Span, first: int) -> Text:
    line = Text.assemble(
        (f"{span.service} ", "cyan"),
        f"{span.name} {span.step} ".replace("  ", " "),
        (f"+{_ms(span.started - first)}, ", "dim"),
        _ms(span.duration),
    )
    if span.status == "Error":
        line.append(f" failed: {span.message}", "red")
    return line


def _ms(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.1f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"
