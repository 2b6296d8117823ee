"""The directory's values as the router uses them: no names of people, no secrets. Durations are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from junctor_router.domain.values import AgentOrder, AttributeType, Channel, Objective

DEFAULT_PRIORITY = 5
DEFAULT_OFFER_MS = 20_000
DEFAULT_OBJECTIVE_MS = 20_000
"""The service level's time of a queue that names none."""
DEFAULT_STARVATION_MS = 30 * 60_000
DEFAULT_CONNECTION_GRACE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Score:
    """What an agent's attribute is worth for customers of a segment; `segment` empty: for all. `value` empty: the points
    count for each of the attribute's whole number."""

    segment: str
    attribute: str
    value: str
    service: int
    sales: int


@dataclass(frozen=True, slots=True)
class QueueValue:
    """`plan` empty: everyone may take its contacts. `calendar` empty: always open. `wrap_up_ms` 0: no wrap-up.

    `service_level_ms` 0: DEFAULT_OBJECTIVE_MS. `ratio` is the queue's part of the offers among the queues of the pool that
    have one; 0: none. `offer_agents`: to how many agents at once a contact is offered that no phone rings for; 0 is 1.
    `starvation_ms` is the wait after which a contact comes before all others; 0: never.
    """

    plan: str = ""
    priority: int = DEFAULT_PRIORITY
    wrap_up_ms: int = 0
    offer_timeout_ms: int = DEFAULT_OFFER_MS
    calendar: str = ""
    closed_prompt: str = ""
    service_level_ms: int = 0
    ratio: int = 0
    starvation_ms: int = DEFAULT_STARVATION_MS
    objective: Objective = Objective.SERVICE
    explore_percent: int = 0
    offer_agents: int = 1


@dataclass(frozen=True, slots=True)
class ScoresValue:
    """What agents are worth for the contacts of the queue of its id: the sum of the rows that fit."""

    rows: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Relaxing:
    """Required until the contact has been in the step for `after_ms`; from then on it only ranks, as `prefer` does."""

    expression: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Share:
    """Agents who get a part of a step's contacts: `part` in the sum of all parts, as percent where they add up to 100."""

    expression: str
    part: int


@dataclass(frozen=True, slots=True)
class Step:
    """`duration_ms` 0: until served. `priority` 0: as before. `skip_if_wait_above_ms`, `skip_if_wait_below_ms` 0:
    never; an estimate that there is not skips nothing.

    `prefer` ranks those who match, the first expression first. `weights` (attribute, weight) say what counts, and how
    much, for the most proficient; empty counts the expression's attributes alike. `shares` divide the contacts who enter
    the step among groups of agents.
    """

    expression: str = ""
    duration_ms: int = 0
    order: AgentOrder = AgentOrder.LONGEST_IDLE
    skip_if_no_agent: bool = False
    skip_if_wait_above_ms: int = 0
    priority: int = 0
    prefer: tuple[str, ...] = ()
    relax: tuple[Relaxing, ...] = ()
    weights: tuple[tuple[str, int], ...] = ()
    shares: tuple[Share, ...] = ()
    skip_if_wait_below_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlanValue:
    """`overflow`: `message`, `voicemail`, `callback`, `disconnect` or `queue:<slug>`; empty keeps the last step."""

    steps: tuple[Step, ...] = ()
    overflow: str = ""
    overflow_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Interruption:
    """What an agent may have in hand when a contact of the channel comes: `beside` goes on, `parks` is parked for it."""

    channel: Channel
    beside: tuple[Channel, ...] = ()
    parks: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentValue:
    """Attributes as the directory writes them (`8`, `true`, `north`); capacity and interruptions only where they are not
    the default: the tenant's for the latter."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    capacity: Mapping[Channel, int] = field(default_factory=dict)
    interruptions: tuple[Interruption, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeValue:
    type: AttributeType = AttributeType.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class OpenHours:
    """`days` are 0 (Monday) to 6; minutes since midnight, `until` exclusive and up to 1,440."""

    days: tuple[int, ...]
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class CalendarValue:
    """`time_zone` is an IANA name, empty for the tenant's; `closed_dates` are ISO dates in that zone."""

    time_zone: str = ""
    hours: tuple[OpenHours, ...] = ()
    closed_dates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TenantValue:
    """`interruptions`: only those that are not the default. `connection_grace_ms`: how long an agent whose workspace is
    gone is waited for; negative: for ever. `not_ready_reasons`, `dispositions`: those there are; empty allows any."""

    time_zone: str = ""
    interruptions: tuple[Interruption, ...] = ()
    connection_grace_ms: int = DEFAULT_CONNECTION_GRACE_MS
    not_ready_reasons: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolValue:
    """Nothing of it decides inside the pool: the partition only says which owner has it."""


Value = QueueValue | PlanValue | AgentValue | AttributeValue | CalendarValue | TenantValue | PoolValue | ScoresValue
