"""How near the router's assignments come to exact optima, on published seeds."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

from junctor_local import places

from bench.results_file import Result, Row

sys.path.insert(0, str(places.repository() / "services" / "router" / "tests" / "parts"))

from quality_worlds import SEEDS, SIZE, VALUED, Found, cardinality, value  # type: ignore[import-not-found]

HOW = (
    f"Seeds {SEEDS[0]} to {SEEDS[-1]}, the worlds of services/router/tests/parts/quality_worlds.py, through the router's "
    f"core. The router decides at once and for good; the optimum knows all contacts and agents beforehand. Number: {SIZE} "
    f"agents, {SIZE} contacts, by Hopcroft and Karp. Value: {VALUED} agents, {VALUED // 2} contacts, a score table, by the "
    "Hungarian method."
)


async def measure(given: argparse.Namespace) -> list[Result]:
    result = Result("router-quality", HOW)
    worlds: dict[str, Callable[[int], Found]] = {
        "contacts served, agents wait": lambda seed: cardinality(seed, agents_wait=True),
        "contacts served, contacts wait": lambda seed: cardinality(seed, agents_wait=False),
        "predicted value": value,
    }
    for about, world in worlds.items():
        found = [world(seed) for seed in SEEDS]
        ratios = [one.ratio for one in found]
        result.rows.append(
            Row(f"{about} / exact optimum", f"mean {statistics.mean(ratios):.3f}, worst seed {min(ratios):.3f}")
        )
        result.data[about] = [[seed, one.router, one.best] for seed, one in zip(SEEDS, found, strict=True)]
    return [result]
