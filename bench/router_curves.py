"""What an input and its match step cost as the centre grows: in agents, waiting contacts, attributes, expressions.

One size changes, the others stay. Each point is a state of its own, with the least of several passes over the same inputs
(`router_core`). The picture goes to `docs/router-cost.svg`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from junctor_local import places

from bench.cost_plot import Curve, Panel, picture
from bench.results_file import Result, Row
from bench.router_load import Size
from bench.router_passes import Measured, State, passes
from bench.samples import summary

INPUTS, PASSES = 5_000, 3
PICTURE = "docs/router-cost.svg"
BASE = Size(agents=5_000, waiting=2_000, queues=100)
HOW = (
    f"As router_core, with {INPUTS:,} inputs and {PASSES} passes a point. What does not change is {BASE.agents:,} agents, "
    f"{BASE.waiting:,} waiting contacts (where contacts wait), {BASE.queues} queues, {BASE.attributes} attributes, "
    f"{BASE.clauses} clauses."
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """`field` of `Size` takes these values; `busy`: contacts wait for agents, else agents for contacts."""

    title: str
    axis: str
    field: str
    values: Sequence[int]
    busy: bool


SWEEPS = (
    Sweep("Agents, who wait for contacts", "agents", "agents", (500, 2_000, 8_000, 32_000), False),
    Sweep("Contacts, who wait for agents", "waiting contacts", "waiting", (125, 500, 2_000, 8_000), True),
    Sweep("Attributes of the tenant (10 an agent)", "attributes", "attributes", (30, 100, 300, 1_000), False),
    Sweep("Clauses of a queue's expression", "clauses", "clauses", (1, 2, 4, 8, 16), False),
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router_curves", HOW)
    panels = []
    for sweep in SWEEPS:
        found = [_point(replace(BASE, **{sweep.field: value}), sweep.busy) for value in sweep.values]
        curves = _curves(found)
        panels.append(Panel(sweep.title, sweep.axis, sweep.values, curves))
        result.data[sweep.field] = {"sizes": sweep.values, **{curve.name: curve.values for curve in curves}}
        for number, value in enumerate(sweep.values):
            figures = ", ".join(f"{curve.name} {curve.values[number]:.1f}" for curve in curves)
            result.rows.append(Row(f"{sweep.axis} {value:,}", f"{figures} us"))
    if not given.discard:
        svg = picture("Cost of the router's core", "microseconds; axes of sizes are logarithmic", panels)
        (places.repository() / PICTURE).write_text(svg, encoding="utf-8")
    return [result]


def _point(size: Size, busy: bool) -> Measured:
    print(f"  {size.agents:,} agents, {size.attributes} attributes, {size.clauses} clauses ...", flush=True)
    return passes(State.of(size, busy), INPUTS, PASSES)


def _curves(found: Sequence[Measured]) -> list[Curve]:
    matches = [summary(one.matches) for one in found]
    return [
        Curve("input, mean", [sum(one.inputs) / len(one.inputs) for one in found]),
        Curve("match step, half of them below", [one.p50 for one in matches]),
        Curve("match step, 99 % below", [one.p99 for one in matches]),
    ]
