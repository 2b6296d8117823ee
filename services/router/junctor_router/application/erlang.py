"""Exact figures of a queue with Poisson arrivals, exponential handle times and one group of equal agents.

Erlang-C: nobody gives up (M/M/c). Erlang-A: patience is exponential (M/M/c+M; Palm 1957, Garnett, Mandelbaum and Reiman
2002). Rates are per millisecond, times milliseconds. The service level counts all who came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_NEGLIGIBLE = 1e-15
_LARGE = 1e200


@dataclass(frozen=True, slots=True)
class Exact:
    model: str
    service_level: float
    delayed: float
    abandonment: float
    asa_ms: float
    occupancy: float


def erlang_c(arrivals: float, mean_handle_ms: float, agents: int, threshold_ms: float) -> Exact | None:
    """None where the agents cannot keep up: there is no steady state."""
    load = arrivals * mean_handle_ms
    if load >= agents:
        return None
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = load * blocked / (number + load * blocked)
    waits = agents * blocked / (agents - load * (1 - blocked))
    spare = agents / mean_handle_ms - arrivals
    within = 1 - waits * math.exp(-spare * threshold_ms)
    return Exact("Erlang-C", within, waits, 0.0, waits / spare, load / agents)


def erlang_a(
    arrivals: float, mean_handle_ms: float, mean_patience_ms: float, agents: int, threshold_ms: float
) -> Exact:
    """With k in line before it, a contact's virtual wait S has exp(-S/patience) ~ Beta(a, k + 1), a = agents × patience
    ÷ handle time: the order statistics of k + 1 impatient ones. All figures are finite sums over that."""
    serving, leaving = 1 / mean_handle_ms, 1 / mean_patience_ms
    weights = [1.0]
    while len(weights) <= agents or weights[-1] > _NEGLIGIBLE * max(weights):
        busy = len(weights)
        weights.append(weights[-1] * arrivals / (min(busy, agents) * serving + max(busy - agents, 0) * leaving))
        if weights[-1] > _LARGE:
            weights = [weight / _LARGE for weight in weights]
    total = math.fsum(weights)
    share = [weight / total for weight in weights]
    a = agents * serving / leaving
    x = math.exp(-leaving * threshold_ms)
    within = math.fsum(share[:agents])
    answered_wait = 0.0
    for state in range(agents, len(share)):
        ahead = state - agents
        within += share[state] * a / (a + ahead + 1) * (1 - _beta(x, a + 1, ahead + 1))
        answered_wait += share[state] * _mean_wait(a, ahead, leaving)
    waiting = math.fsum((state - agents) * share[state] for state in range(agents, len(share)))
    abandonment = leaving * waiting / arrivals
    occupancy = math.fsum(min(state, agents) * part for state, part in enumerate(share)) / agents
    return Exact(
        "Erlang-A",
        within,
        math.fsum(share[agents:]),
        abandonment,
        answered_wait / (1 - abandonment),
        occupancy,
    )


def _mean_wait(a: float, ahead: int, leaving: float) -> float:
    """E[S; answered] = E[S exp(-leaving S)], by the derivative of the Beta's moment."""
    answered = a / (a + ahead + 1)
    return answered * math.fsum(1 / (a + 1 + j) for j in range(ahead + 1)) / leaving


def _beta(x: float, a: float, b: int) -> float:
    """The regularised incomplete beta function for a whole b (DLMF 8.17.21, from b = 0 on)."""
    term, total = 1.0, 0.0
    for j in range(b):
        total += term
        term *= (a + j) / (j + 1) * (1 - x)
    return min(math.pow(x, a) * total, 1.0)
