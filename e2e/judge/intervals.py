"""Talks as intervals: who was with whom at the same time, and who was served before whom. Shares no code with the services.

A talk lasts from the moment its contact's edge wrote that it was bound to the moment it was unbound, hung up, or lost with
its site; assignment records are not looked at, since decisions that were not mirrored are made again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Interval(NamedTuple):
    """A talk in seconds of one clock; `until` is infinite while it lasts."""

    contact: str
    agent: str
    since: float
    until: float = math.inf


@dataclass
class Overlaps:
    """What must be empty: contacts with two agents at once, agents with more contacts at once than `slots`."""

    with_two_agents: list[str] = field(default_factory=list)
    slots_with_two: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.with_two_agents) + len(self.slots_with_two)


def overlaps(talks: Iterable[Interval], slots: int = 1) -> Overlaps:
    """Judges all talks; one that ends in the moment in which another begins does not overlap it."""
    by_contact: dict[str, list[Interval]] = defaultdict(list)
    by_agent: dict[str, list[Interval]] = defaultdict(list)
    for talk in talks:
        by_contact[talk.contact].append(talk)
        by_agent[talk.agent].append(talk)
    return Overlaps(
        sorted(contact for contact, found in by_contact.items() if _most_at_once(found) > 1),
        sorted(agent for agent, found in by_agent.items() if _most_at_once(found) > slots),
    )


def out_of_order(line: Sequence[str], talks: Iterable[Interval]) -> list[tuple[str, str]]:
    """Pairs of which the later in `line` (all of one queue and priority, by arrival) was served before the earlier."""
    first: dict[str, float] = {}
    for talk in talks:
        first[talk.contact] = min(talk.since, first.get(talk.contact, math.inf))
    served = [(contact, first[contact]) for contact in line if contact in first]
    return [
        (earlier, later)
        for place, (earlier, at) in enumerate(served)
        for later, before in served[place + 1 :]
        if before < at
    ]


def _most_at_once(talks: Sequence[Interval]) -> int:
    moments = sorted([(talk.since, 1) for talk in talks] + [(talk.until, -1) for talk in talks])
    now = most = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most
