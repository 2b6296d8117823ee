"""What a list of measured values says: only values that were really measured, no interpolation between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """Of `count` samples. A percentile is the smallest sample that at least so many percent of them do not exceed."""

    count: int
    p50: float
    p95: float
    p99: float
    largest: float

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}


def summary(samples: Iterable[float]) -> Summary:
    """Raises `ValueError` where nothing was measured."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("nothing was measured")
    return Summary(len(ordered), percentile(ordered, 50), percentile(ordered, 95), percentile(ordered, 99), ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
