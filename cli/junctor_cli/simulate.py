"""`junctor simulate`: a day that may be, played through the router's own core in virtual time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from junctor_router.application.directory_values import kind_of
from junctor_router.application.erlang_conditions import exact_for
from junctor_router.application.queue_figures import Interval
from junctor_router.application.scenario import Scenario
from junctor_router.application.simulation import PlanMistake, RunResult, Simulation
from junctor_router.domain.commands import ConfigurationChanged
from rich.console import Console
from rich.table import Table

from junctor_cli.router_values import changes_for, pools_of, read_file, thresholds_of
from junctor_cli.simulation import report, scenario_file
from junctor_cli.simulation.chart import chart
from junctor_cli.simulation.scenario_file import ScenarioMistake
from junctor_cli.tenant_file import TenantFile

_HEADS = ("offered", "answered", "abandoned", "overflowed", "waiting", "SL %", "abandonment %", "ASA s", "AHT s")
_TABLE_WIDTH = 120
_SHARES = frozenset({"service_level", "abandonment", "delayed", "occupancy"})
_WORDS = {"service_level": "SL %", "delayed": "had to wait %", "abandonment": "abandonment %", "asa_ms": "ASA s"}


@dataclass(slots=True)
class _Played:
    pool: str
    scenario: Scenario
    results: list[RunResult]
    beside: list[report.Beside] = field(default_factory=list)
    model: str = ""
    why_not: str = ""


@click.command()
@click.option("-f", "--file", "path", type=click.Path(path_type=Path), required=True, help="The tenant file (YAML).")
@click.option("--scenario", "scenario_path", type=click.Path(path_type=Path), required=True, help="The day (YAML).")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same day.")
@click.option(
    "--runs", default=10, show_default=True, type=click.IntRange(1, 10_000), help="Days of independent chance."
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for charts (SVG) and result.json.")
def command(path: Path, scenario_path: Path, seed: int, runs: int, out: Path | None) -> None:
    """Play a day of arrivals, patience, handle times and shifts through the router, many times.

    Figures are means over the runs with half the width of their 99 % confidence interval; docs/metrics.md defines them.
    Where the day is one that Erlang-C or Erlang-A describe, the exact values stand beside the simulated ones.

    Exit status 0 with a result, 1 if a file cannot be used, 2 for a wrong command line.
    """
    began = time.monotonic()
    file = read_file(path)
    zone = next((v.tenant.time_zone for v in file.values if kind_of(v) == "tenant"), "") or "UTC"
    try:
        played = _play(file, scenario_file.read(scenario_path, zone), seed, runs)
    except OSError as error:
        raise click.ClickException(f"{scenario_path} cannot be read: {error.strerror or error}") from error
    except (ScenarioMistake, PlanMistake) as mistake:
        raise click.ClickException(str(mistake)) from mistake
    for one in played:
        _show(one)
    if out is not None:
        _write(out, played, file, zone, seed)
    inputs = sum(result.inputs for one in played for result in one.results)
    took = time.monotonic() - began
    click.echo(f"{runs} runs with seed {seed}: {inputs} inputs to the core in {took:.1f} s.")


def _play(file: TenantFile, scenario: scenario_file.ScenarioFile, seed: int, runs: int) -> list[_Played]:
    ids = {kind: {v.id for v in file.values if kind_of(v) == kind} for kind in ("queue", "agent")}
    if unknown := scenario.unknown(ids["queue"], ids["agent"]):
        raise ScenarioMistake("\n".join(unknown))
    thresholds = thresholds_of(file)
    found: list[_Played] = []
    for pool in pools_of(file):
        told, part = scenario.for_pool(changes_for(file, pool))
        if part.traffic:
            found.append(_play_pool(pool, told, part, seed, runs, thresholds))
    if not found:
        raise ScenarioMistake("queues: the scenario has no queue with arrivals")
    return found


def _play_pool(
    pool: str,
    told: list[ConfigurationChanged],
    scenario: Scenario,
    seed: int,
    runs: int,
    thresholds: dict[str, int],
) -> _Played:
    with click.progressbar(range(runs), label=f"pool {pool}") as numbers:
        results = [Simulation(told, scenario, seed, number, thresholds).play() for number in numbers]
    for warning in results[0].warnings:
        click.secho(f"Warning: {warning}", fg="yellow", err=True)
    played = _Played(pool, scenario, results)
    queue = scenario.traffic[0].queue
    probe = Simulation(told, scenario, seed, 0, thresholds)
    exact, played.why_not = exact_for(probe, scenario, thresholds.get(queue, 0))
    if exact is not None:
        played.model, played.beside = exact.model, report.beside(exact, queue, results)
    return played


def _show(played: _Played) -> None:
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    table = Table(box=None, header_style="bold")
    for name in ("queue", *_HEADS):
        table.add_column(name, justify="left" if name == "queue" else "right")
    for queue, row in report.queue_rows(played.results).items():
        table.add_row(queue, *(_shown(name, row[name]) for name in report.FIGURES))
    console.print(table)
    busy = report.occupancy(played.results)
    console.print(f"Occupancy of the agents of pool {played.pool}: {_shown('occupancy', busy)} %")
    if not played.beside:
        console.print(f"No exact values: {played.why_not}.", style="dim")
    for one in played.beside:
        inside = "inside" if one.inside else "outside"
        exact = _shown(one.name, Interval(one.exact, math.nan))
        name = _WORDS.get(one.name, f"{one.name} %")
        console.print(f"{played.model}: {name} {exact}, simulated {_shown(one.name, one.simulated)}: {inside}")


def _shown(name: str, found: Interval) -> str:
    """`80.1 ±0.7`: shares in percent, times in seconds."""
    scale = 100.0 if name in _SHARES else 0.001 if name.endswith("_ms") else 1.0
    if math.isnan(found.mean):
        return "-"
    half = "" if math.isnan(found.half) else f" ±{found.half * scale:.2g}"
    return f"{found.mean * scale:.1f}{half}"


def _write(out: Path, played: Sequence[_Played], file: TenantFile, zone: str, seed: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    goals = {v.id: v.queue.service_level_percent / 100 for v in file.values if kind_of(v) == "queue"}
    answer: dict[str, Any] = {"seed": seed, "pools": {}}
    for one in played:
        rows = report.queue_rows(one.results)
        answer["pools"][one.pool] = {
            "runs": len(one.results),
            "queues": {queue: {name: _plain(found) for name, found in row.items()} for queue, row in rows.items()},
            "occupancy": _plain(report.occupancy(one.results)),
            "model": one.model,
            "exact": [
                {"name": b.name, "exact": b.exact, "simulated": _plain(b.simulated), "inside": b.inside}
                for b in one.beside
            ],
            "hashes": [result.hash.hex() for result in one.results],
        }
        for queue in rows:
            drawn = chart(
                f"{queue} ({one.pool})", report.points(queue, one.scenario, zone, one.results), goals.get(queue, 0)
            )
            (out / f"{one.pool}-{queue}.svg").write_text(drawn, encoding="utf-8")
    (out / "result.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")
    click.echo(f"Charts and result.json are in {out}.")


def _plain(found: Interval) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(found).items()}
