"""Outcomes of talks to a score table: what each attribute value of agents adds for customers of each segment.

An agent's expected outcome is taken for a sum: the mean of all, what each of the agent's attribute values adds for
everybody, and what it adds for one segment. The parts are those of a ridge regression (A. E. Hoerl, R. W. Kennard, 1970),
found by coordinate descent: with one attribute value an effect is n * (mean - expected) / (n + prior), the mean of its n
contacts shrunk towards what was expected without it. So a value of few contacts adds little, a segment of few contacts
has the effects of all customers, and values that come together share what they bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SCALE = 100
"""Points for one unit of outcome."""
ROUNDS = 500
PRECISION = 1e-7

Feature = tuple[str, str]
"""An attribute and its value."""
Cell = tuple[str, str]
"""A segment and an agent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An agent's contacts of one segment: how many, and the sums of their service (0 to 100 each) and value."""

    segment: str
    agent_id: str
    contacts: int
    service: float
    sales: float


@dataclass(frozen=True, slots=True)
class Row:
    """`segment` empty: everybody. `service`, `sales`: what is added, in points; `mean_...` the plain means beneath it."""

    segment: str
    attribute: str
    value: str
    contacts: int
    mean_service: float
    mean_sales: float
    service: int
    sales: int


def learn(outcomes: Iterable[Outcome], agents: Mapping[str, Mapping[str, str]], prior: float) -> list[Row]:
    """The table's rows by segment and attribute value. `agents`: each one's attribute values; outcomes of others are
    left out. `prior`: how many contacts an effect of none counts as."""
    known = [outcome for outcome in outcomes if outcome.agent_id in agents and outcome.contacts]
    if not known:
        return []
    service, sales = (_effects(known, agents, prior, field) for field in ("service", "sales"))
    rows = []
    for segment, feature in sorted(service):
        mine = [o for o in known if segment in ("", o.segment) and feature in agents[o.agent_id].items()]
        contacts = sum(o.contacts for o in mine)
        rows.append(
            Row(
                segment,
                *feature,
                contacts,
                sum(o.service for o in mine) / contacts,
                sum(o.sales for o in mine) / contacts,
                round(SCALE * service[segment, feature]),
                round(SCALE * sales[segment, feature]),
            )
        )
    return rows


def _effects(
    outcomes: list[Outcome], agents: Mapping[str, Mapping[str, str]], prior: float, field: str
) -> dict[tuple[str, Feature], float]:
    """For everybody first; then, of what that leaves, for each segment."""
    left = {(o.segment, o.agent_id): (o.contacts, float(getattr(o, field))) for o in outcomes}
    found: dict[tuple[str, Feature], float] = {}
    for segment in ("", *sorted({o.segment for o in outcomes} - {""})):
        cells = {key: cell for key, cell in left.items() if segment in ("", key[0])}
        means = _means(cells)
        centred = {key: (contacts, total - means[key[0]] * contacts) for key, (contacts, total) in cells.items()}
        effects = _ridge(centred, agents, prior)
        for feature, effect in effects.items():
            found[segment, feature] = effect
        for key, (contacts, total) in cells.items():
            explained = sum(effects[feature] for feature in agents[key[1]].items())
            left[key] = (contacts, total - explained * contacts)
    return found


def _means(cells: Mapping[Cell, tuple[int, float]]) -> dict[str, float]:
    """Each segment's own: that young customers buy less is no fault of the agents who serve them."""
    sums: dict[str, tuple[int, float]] = {}
    for (segment, _), (contacts, total) in cells.items():
        count, whole = sums.get(segment, (0, 0.0))
        sums[segment] = (count + contacts, whole + total)
    return {segment: whole / count for segment, (count, whole) in sums.items()}


def _ridge(
    cells: Mapping[Cell, tuple[int, float]], agents: Mapping[str, Mapping[str, str]], prior: float
) -> dict[Feature, float]:
    features: dict[Feature, list[Cell]] = {}
    for key in sorted(cells):
        for feature in agents[key[1]].items():
            features.setdefault(feature, []).append(key)
    effects = dict.fromkeys(features, 0.0)
    residual = {key: total for key, (_, total) in cells.items()}
    for _ in range(ROUNDS):
        moved = 0.0
        for feature, keys in features.items():
            contacts = sum(cells[key][0] for key in keys)
            old = effects[feature]
            new = (sum(residual[key] for key in keys) + old * contacts) / (contacts + prior)
            for key in keys:
                residual[key] -= (new - old) * cells[key][0]
            effects[feature] = new
            moved = max(moved, abs(new - old))
        if moved < PRECISION:
            break
    return effects
