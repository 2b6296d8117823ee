"""A changed value that may concern any agent. All are looked at by their ids, some at a time; until its turn comes an agent is
read as before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from junctor_router.domain.agent import Agent, interruption_from_plain, interruption_to_plain
from junctor_router.domain.capacity import MATRIX, Matrix
from junctor_router.domain.configuration import Interruption
from junctor_router.domain.values import AttributeType

SWEPT = 2_000
"""Agents looked at in an input: a millisecond."""


@dataclass(slots=True)
class AttributeSweep:
    """That attribute's type was `before`."""

    id: str
    before: AttributeType
    after: str = ""
    """The last agent that was looked at."""

    def concerns(self, agent: Agent) -> bool:
        return self.id in agent.value.attributes

    def to_plain(self) -> list[Any]:
        return ["attribute", self.id, int(self.before), self.after]


@dataclass(slots=True)
class InterruptionSweep:
    """The tenant's interruptions were `before`."""

    before: tuple[Interruption, ...]
    after: str = ""
    matrix: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.matrix = MATRIX.changed(self.before)

    def concerns(self, agent: Agent) -> bool:
        return True

    def to_plain(self) -> list[Any]:
        return ["interruptions", "", [interruption_to_plain(one) for one in self.before], self.after]


Sweep = AttributeSweep | InterruptionSweep


def from_plain(plain: list[Any]) -> Sweep:
    kind, id, before, after = plain
    if kind == "attribute":
        return AttributeSweep(id, AttributeType(before), after)
    return InterruptionSweep(tuple(interruption_from_plain(one) for one in before), after)


def advance(sweeps: list[Sweep], ids: Sequence[str]) -> Sequence[str]:
    """The next of these sorted ids for the oldest sweep, which alone goes on: what it has yet to reach, no later one has
    reached. With the last of them it is over."""
    sweep = sweeps[0]
    start = bisect_right(ids, sweep.after)
    found = ids[start : start + SWEPT]
    if start + SWEPT < len(ids):
        sweep.after = found[-1]
    else:
        del sweeps[0]
    return found


def types_for(
    agent_id: str, sweeps: Sequence[Sweep], types: Mapping[str, AttributeType]
) -> Mapping[str, AttributeType]:
    """The attributes' types by which the agent is read."""
    before = {s.id: s.before for s in reversed(sweeps) if isinstance(s, AttributeSweep) and agent_id > s.after}
    return {**types, **before} if before else types


def matrix_for(agent_id: str, sweeps: Sequence[Sweep], matrix: Matrix) -> Matrix:
    """What may come on top of what, for an agent without rules of its own."""
    for sweep in sweeps:
        if isinstance(sweep, InterruptionSweep) and agent_id > sweep.after:
            return sweep.matrix
    return matrix
