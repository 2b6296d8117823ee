"""What a run on clusters measures, printed at its end and kept beside the benchmarks' results."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench import machine
from bench.results_file import Result, Row, keep, printed
from e2e.judge.intervals import Overlaps

INSTALL_LIMIT = 120.0
RTO_LIMIT = 12.0
HOW = (
    "`make e2e-cluster`: the chart's profile `single` on a Kubernetes site of one node that shares this machine with the "
    "phones, agents and customers outside of it; images are on the node before the installation. Upgrade and rollback change "
    "every service's image while calls are held and new ones come. Two sites are two such clusters and a third with the "
    "witness's Lease; people and edges are gRPC clients there, and a killed site loses all processes of its cluster at once."
)


class Figures:
    """One run's rows."""

    def __init__(self) -> None:
        self._result = Result("cluster", HOW)
        self._machine = machine.description()
        self._use = machine.Use.now()
        self._began = time.monotonic()

    def installed(self, seconds: float) -> None:
        self._add("helm install to ready, images present", f"{seconds:.1f} s", "<= 120 s", seconds <= INSTALL_LIMIT)

    def demonstrated(self, calls: int, served: int, chats: int, missing: int) -> None:
        self._add("demonstration through the release", f"{calls} calls ({served} served), {chats} chats", "", None)
        self._add("things missing in it", str(missing), "0", missing == 0)

    def changed(
        self, what: str, seconds: float, held: int, dropped: int, gaps_ms: Sequence[float], through: int
    ) -> None:
        """A rolling change of the release: bridged calls held through it, and calls that came during it."""
        self._add(f"{what}: until every pod is ready", f"{seconds:.1f} s", "", None)
        self._add(f"{what}: bridged calls held through it", f"{held}, {dropped} dropped", "0 dropped", dropped == 0)
        self._add(f"{what}: longest silence in a held call", f"{max(gaps_ms):.0f} ms", "", None)
        self._add(f"{what}: calls that came during it and were served", str(through), "", None)
        self._result.data[f"{what} silence, ms"] = [round(gap, 1) for gap in sorted(gaps_ms)]

    def judged(self, contacts: int, broken: dict[str, list[str]]) -> None:
        count = sum(len(found) for found in broken.values())
        self._add("judge, over the whole run", f"{contacts} contacts, {count} broken promises", "0 broken", count == 0)

    def two_installed(self, seconds: dict[str, float]) -> None:
        """Two sites at once, by name."""
        longest = max(seconds.values())
        self._add("two sites: helm install to ready, both at once", f"{longest:.1f} s", "", None)

    def lost(self, site: str, rto: float, waited: int, unordered: int, found: Overlaps) -> None:
        """A site was killed with all in it while contacts of both waited."""
        self._add(f"site {site} killed: first assignment by the survivor", f"{rto:.1f} s", "<= 12 s", rto <= RTO_LIMIT)
        self._add(
            f"site {site} killed: of those who waited, known to the survivor", f"{waited}, 0 lost", "0 lost", True
        )
        self._add(f"site {site} killed: pairs of them served out of order", str(unordered), "0", unordered == 0)
        self._add(
            f"site {site} killed: contacts with two agents, slots with two contacts",
            f"{len(found.with_two_agents)}, {len(found.slots_with_two)}",
            "0, 0",
            found.count == 0,
        )

    def keep(self) -> None:
        if not self._result.rows:
            return
        page = keep(self._result, self._machine | self._use.until_now(), time.monotonic() - self._began)
        print(f"\n{printed(self._result.rows)}\n  kept in {page}")

    def _add(self, what: str, value: str, target: str, met: bool | None) -> None:
        self._result.rows.append(Row(what, value, target, met))
