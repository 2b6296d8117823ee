"""Durations by chance: what a scenario may say about handle times, patience and answers. Milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from junctor_router.application.draws import Draws

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Constant:
    mean_ms: float

    def draw(self, draws: Draws) -> int:
        return round(self.mean_ms)


@dataclass(frozen=True, slots=True)
class Exponential:
    mean_ms: float

    def draw(self, draws: Draws) -> int:
        return round(-self.mean_ms * math.log1p(-draws.uniform()))


@dataclass(frozen=True, slots=True)
class LogNormal:
    """By its mean and its coefficient of variation (standard deviation ÷ mean): what handle times look like."""

    mean_ms: float
    variation: float

    def draw(self, draws: Draws) -> int:
        variance = math.log1p(self.variation**2)
        middle = math.log(self.mean_ms) - variance / 2
        normal = _NORMAL.inv_cdf(max(draws.uniform(), 2.0**-53))
        return round(math.exp(middle + math.sqrt(variance) * normal))


@dataclass(frozen=True, slots=True)
class Uniform:
    low_ms: float
    high_ms: float

    @property
    def mean_ms(self) -> float:
        return (self.low_ms + self.high_ms) / 2

    def draw(self, draws: Draws) -> int:
        return round(self.low_ms + (self.high_ms - self.low_ms) * draws.uniform())


@dataclass(frozen=True, slots=True)
class Recorded:
    """Any of the recorded values, each as likely."""

    values_ms: Sequence[int]

    @property
    def mean_ms(self) -> float:
        return sum(self.values_ms) / len(self.values_ms)

    def draw(self, draws: Draws) -> int:
        return self.values_ms[int(draws.uniform() * len(self.values_ms))]


Distribution = Constant | Exponential | LogNormal | Uniform | Recorded
