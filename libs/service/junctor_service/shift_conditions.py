"""Whether partitions may be passed on to the other site now: pure, and a sentence for each thing that is in the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from junctor_service.heartbeats import Heard, Standing

MOST_LAG_SECONDS = 1.0
_KEPT = 240


@dataclass(frozen=True, slots=True)
class Lead:
    """A partition, the site that leads it by the journal, and by how many seconds the other site is behind; None: not known."""

    partition: int
    site: str
    lag: float | None


class Lags:
    """How far the other site's processes are behind, from what they say that they have read and when this one read that."""

    def __init__(self) -> None:
        self._here: deque[tuple[float, Sequence[int]]] = deque(maxlen=_KEPT)
        self._lags: dict[str, Sequence[float]] = {}

    def see(self, process: str, there: Sequence[int], here: Sequence[int], now: float) -> None:
        """A process says that it has read up to `there`; this one has read up to `here`, by partition. `now`: monotonic
        seconds. What is measured holds the way back, and may be longer by the time between two heartbeats."""
        self._lags[process] = [
            self._behind(number, *both, now) for number, both in enumerate(zip(there, here, strict=False))
        ]
        self._here.append((now, tuple(here)))

    def of(self, partition: int, processes: Iterable[str]) -> float | None:
        """Seconds, of the process among these that is behind the most; None where none has told."""
        told = [self._lags[process] for process in processes if process in self._lags]
        return max((lags[partition] for lags in told if partition < len(lags)), default=None)

    def _behind(self, partition: int, there: int, here: int, now: float) -> float:
        if there >= here:
            return 0.0
        known = [at for at, positions in self._here if partition < len(positions) and positions[partition] <= there]
        return now - known[-1] if known else math.inf


def in_the_way(
    site: str,
    to_site: str,
    leads: Sequence[Lead],
    heard: Sequence[Heard],
    standing: Standing,
    away: Mapping[str, str] | None,
) -> list[str]:
    """`heard`: what the other site's processes said a moment ago; `away`: voters that did not answer, None where this site has
    no seat yet."""
    if all(lead.site == to_site for lead in leads):
        return [f"Site {to_site} leads {_these(leads)} already."]
    found = []
    others = [lead for lead in leads if lead.site not in (site, to_site)]
    if others or site == to_site:
        names = ", ".join(sorted({lead.site or "nobody" for lead in (others or leads)}))
        found.append(f"Site {site} does not lead {_these(others or leads)}: {names} does. Ask there.")
    if away is None:
        found.append(f"Site {site} has no seat in the register yet.")
    found += [f"Voter {voter} does not answer: {why}" for voter, why in sorted((away or {}).items())]
    if site == to_site:
        return found
    if not heard:
        return [*found, f"No process of site {to_site} was heard a moment ago: it is down, or the mirror stands still."]
    for what, own, theirs in (
        ("version", standing.version, {one.beat.version for one in heard}),
        ("configuration", standing.configuration, {one.beat.configuration for one in heard}),
    ):
        if theirs != {own}:
            told = ", ".join(sorted(theirs))
            found.append(f"The {what} at site {to_site} is {told}, here it is {own}; they must be equal.")
    slow = [lead for lead in leads if lead.site == site and (lead.lag is None or lead.lag >= MOST_LAG_SECONDS)]
    if slow:
        most = max(lead.lag or 0.0 for lead in slow)
        word = f"{most:.1f} s behind" if 0 < most < math.inf else "not known to be up to date"
        found.append(f"Site {to_site} is {word} on {_these(slow)}; less than {MOST_LAG_SECONDS:.0f} s is needed.")
    return found


def _these(leads: Sequence[Lead]) -> str:
    numbers = [lead.partition for lead in leads]
    return f"partition {numbers[0]}" if len(numbers) == 1 else f"partitions {', '.join(map(str, numbers))}"
