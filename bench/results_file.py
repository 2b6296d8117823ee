"""Keeps a run's figures in `bench/results/`: one JSON file and one page with a table."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.samples import Summary

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `target` is text as promised; `met` None where nothing is promised."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None


@dataclass(slots=True)
class Result:
    """A figure's outcome. `how` says in a sentence or two how it was measured; `notes` what one should know to read it."""

    figure: str
    how: str
    rows: list[Row] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def latency(self, what: str, found: Summary, limit_ms: float | None = None) -> None:
        """A line of percentiles in milliseconds; the promise is on the 95th."""
        value = f"p50 {found.p50:.1f}, p95 {found.p95:.1f}, p99 {found.p99:.1f} ms ({found.count:,} samples)"
        met = None if limit_ms is None else found.p95 <= limit_ms
        self.rows.append(Row(what, value, "" if limit_ms is None else f"p95 <= {limit_ms:,.0f} ms", met))

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.met is False]


def keep(result: Result, machine: dict[str, Any], seconds: float) -> Path:
    """Writes both files and returns the page. Named by the moment and the figure, so that runs stay beside each other."""
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{result.figure}"
    content = {
        "figure": result.figure,
        "how": result.how,
        "machine": machine,
        "seconds": round(seconds, 1),
        "rows": [{"what": row.what, "value": row.value, "target": row.target, "met": row.met} for row in result.rows],
        "notes": result.notes,
        "data": result.data,
    }
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = stem.with_suffix(".md")
    page.write_text(as_page(result, machine), encoding="utf-8")
    return page


def as_page(result: Result, machine: dict[str, Any]) -> str:
    lines = [
        f"# {result.figure}",
        "",
        result.how,
        "",
        "| what | measured | target | met |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {row.what} | {row.value} | {row.target} | {_mark(row.met)} |" for row in result.rows]
    if result.notes:
        lines += ["", *(f"- {note}" for note in result.notes)]
    lines += ["", "Machine: " + _sentence(machine), ""]
    return "\n".join(lines)


def _mark(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "**no**"


def _sentence(machine: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    load = " / ".join(str(value) for value in machine["load_average"])
    during = f"during it the cores were busy for {machine['cpu_busy_percent']} % of the time"
    if "cpu_waited_percent" in machine:
        during += f", and for {machine['cpu_waited_percent']} % something waited for one"
    if "pace_ms" in machine:
        during += "; a loop of a million additions took {} ms before it and {} ms after".format(*machine["pace_ms"])
    nice = f"; run at niceness {machine['niceness']}" if machine["niceness"] else ""
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, {machine['kernel']}, "
        f"Python {machine['python']}, the router's core {machine['router']}, Java {machine['java']}, "
        f"Kafka {machine['kafka']}, {packages}; "
        f"commit {machine['commit']}; load average before the run {load} (1, 5, 15 minutes); {during}{nice}."
    )


def printed(rows: Sequence[Row]) -> str:
    width = max((len(row.what) for row in rows), default=0)
    return "\n".join(
        f"  {row.what:{width}}  {row.value}" + (f"   target {row.target}: {_mark(row.met)}" if row.target else "")
        for row in rows
    )
