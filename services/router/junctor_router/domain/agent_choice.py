"""Which of the agents who match a contact gets it. Ties go to the one who has been idle longest.

What the step prefers comes first: each preferring expression, in order, keeps those who meet it where there are any. Then
the order decides. Longest idle is exact: the first in rank. Most proficient is exact for one attribute; for several
(the sum of weight times proficiency), and for the other orders, the CANDIDATES agents who have been idle longest are
compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from junctor_router.domain.agent import Agent
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.idle_ranking import Found, highest, members_of, narrowed
from junctor_router.domain.picker import Picker
from junctor_router.domain.values import AgentOrder

CANDIDATES = 64
HOUR_MS = 3_600_000

Weight = tuple[str, int]
"""An attribute and how much its proficiency counts."""


def preferred(matching: Found, prefers: tuple[Picker, ...]) -> Found:
    """Those who meet the preferences best: the first expression counts before all others, and so on."""
    for pick in prefers:
        matching = narrowed(matching, pick) or matching
    return matching


def choose(
    matching: Found, order: AgentOrder, rated_by: tuple[Weight, ...], agents: Mapping[str, Agent], now: int
) -> str | None:
    """The agent's id, None where the set is empty."""
    if not matching:
        return None
    if order is AgentOrder.MOST_PROFICIENT and len(rated_by) == 1:
        matching = highest(matching, rated_by[0][0])
        order = AgentOrder.LONGEST_IDLE
    if order in (AgentOrder.LONGEST_IDLE, AgentOrder.UNSPECIFIED):
        return next(members_of(matching)).id
    candidates = list(islice(members_of(matching), CANDIDATES))
    match order:
        case AgentOrder.MOST_PROFICIENT:
            return max(candidates, key=lambda m: _proficiency(m, rated_by)).id
        case AgentOrder.LEAST_OCCUPIED:
            return min(candidates, key=lambda m: per_hour(agents[m.id], now)).id
        case _:
            return min(candidates, key=lambda m: agents[m.id].last_turn).id


def per_hour(agent: Agent, now: int) -> int:
    """Contacts accepted for each hour of the session, in thousandths; the first minute counts as a whole one."""
    return agent.handled * HOUR_MS * 1_000 // max(now - agent.logged_in_at, 60_000)


def _proficiency(member: Member, rated_by: tuple[Weight, ...]) -> int:
    total = 0
    for name, weight in rated_by:
        value = member.attributes.get(name)
        total += weight * value if isinstance(value, int) else 0
    return total
