"""A queue's figures over waits, and their confidence over runs. Formulas as in docs/metrics.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from junctor_router.application.contact_waits import ABANDONED, ANSWERED, OVERFLOWED, WAITING, Wait

_T_995 = (
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947,
)  # fmt: skip
"""Student's t, 0.995 quantile, 1 to 15 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """Shares are 0 to 1, times ms; NaN where nothing was counted."""

    offered: int
    answered: int
    abandoned: int
    overflowed: int
    waiting: int
    service_level: float
    delayed: float
    """Share of those that count who were not answered in the moment they came."""
    abandonment: float
    asa_ms: float
    aht_ms: float


def figures(waits: Iterable[Wait], threshold_ms: int) -> QueueFigures:
    taken = list(waits)
    by_result = {result: [w for w in taken if w.result == result] for result in (ANSWERED, ABANDONED, OVERFLOWED)}
    answered = by_result[ANSWERED]
    counting = sum(w.counts for w in taken)
    handled = [w for w in answered if w.handled]
    return QueueFigures(
        offered=len(taken),
        answered=len(answered),
        abandoned=len(by_result[ABANDONED]),
        overflowed=len(by_result[OVERFLOWED]),
        waiting=sum(w.result == WAITING for w in taken),
        service_level=_share(sum(w.waited_ms <= threshold_ms for w in answered), counting),
        delayed=_share(sum(w.counts and (w.result != ANSWERED or w.waited_ms > 0) for w in taken), counting),
        abandonment=_share(sum(w.counts for w in by_result[ABANDONED]), counting),
        asa_ms=_share(sum(w.waited_ms for w in answered), len(answered)),
        aht_ms=_share(sum(w.handled - w.ended for w in handled), len(handled)),
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over runs and half the width of its 99 % confidence interval (NaN for a single run)."""

    mean: float
    half: float

    def holds(self, value: float) -> bool:
        return abs(value - self.mean) <= self.half


def interval(samples: Sequence[float]) -> Interval:
    """Student's interval over independent runs; runs without a value (NaN) are left out."""
    values = [value for value in samples if not math.isnan(value)]
    count = len(values)
    if not count:
        return Interval(math.nan, math.nan)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, math.nan)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, _quantile(count - 1) * math.sqrt(variance / count))


def _quantile(degrees: int) -> float:
    """Beyond the table by the expansion in Abramowitz and Stegun, 26.7.5."""
    if degrees <= len(_T_995):
        return _T_995[degrees - 1]
    z = NormalDist().inv_cdf(0.995)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def _share(part: float, whole: int) -> float:
    return part / whole if whole else math.nan
