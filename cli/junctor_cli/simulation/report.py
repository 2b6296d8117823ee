"""Many runs of one pool as one answer: means with their confidence, exact values beside them, points for the chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from junctor_router.application.erlang import Exact
from junctor_router.application.queue_figures import Interval, interval
from junctor_router.application.scenario import Scenario
from junctor_router.application.simulation import SLOT_MS, RunResult, Slot

from junctor_cli.simulation.chart import Point

FIGURES = (
    "offered",
    "answered",
    "abandoned",
    "overflowed",
    "waiting",
    "service_level",
    "abandonment",
    "asa_ms",
    "aht_ms",
)
COMPARED = ("service_level", "delayed", "abandonment", "asa_ms")


@dataclass(frozen=True, slots=True)
class Beside:
    """An exact value and the simulated one. Shares are of all who came, short abandons with them."""

    name: str
    exact: float
    simulated: Interval

    @property
    def inside(self) -> bool:
        return self.simulated.holds(self.exact)


def queue_rows(results: Sequence[RunResult]) -> dict[str, dict[str, Interval]]:
    names = sorted({queue for result in results for queue in result.queues})
    found: dict[str, dict[str, Interval]] = {}
    for queue in names:
        figures = [result.queues[queue] for result in results if queue in result.queues]
        found[queue] = {name: interval([getattr(one, name) for one in figures]) for name in FIGURES}
    return found


def occupancy(results: Sequence[RunResult]) -> Interval:
    return interval([result.occupancy for result in results])


def beside(exact: Exact, queue: str, results: Sequence[RunResult]) -> list[Beside]:
    rows = [
        Beside(name, getattr(exact, name), interval([getattr(result.steady[queue], name) for result in results]))
        for name in COMPARED
    ]
    return [*rows, Beside("occupancy", exact.occupancy, occupancy(results))]


def points(queue: str, scenario: Scenario, zone: str, results: Sequence[RunResult]) -> list[Point]:
    """One for each half hour of the scenario."""
    found = []
    for number in range(-(-(scenario.ends - scenario.begins) // SLOT_MS)):
        slots = [result.slots.get(queue, {}).get(number, Slot()) for result in results]
        moment = datetime.fromtimestamp((scenario.begins + number * SLOT_MS) / 1_000, ZoneInfo(zone))
        offered = sum(slot.offered for slot in slots)
        found.append(
            Point(
                f"{moment:%H:%M}",
                offered / len(slots),
                sum(slot.answered for slot in slots) / len(slots),
                sum(slot.abandoned for slot in slots) / len(slots),
                sum(slot.within for slot in slots) / offered if offered else math.nan,
            )
        )
    return found
