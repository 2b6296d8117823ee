"""A contact as the router has it, from its request to the end of wrap-up.

queued -> reserved -> assigned -> wrapping -> completed, or canceled; back to queued, with its age, after an offer that
led to nothing and after a requeue. Assigned and parked take turns while the agent has something that comes first. Times
are Unix milliseconds; 0 is "not yet" or "none".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from junctor_router.domain.reservation import Offer
from junctor_router.domain.values import Channel, Hold, TaskState

if TYPE_CHECKING:
    from junctor_router.domain.contact_choice import Line

Key = tuple[int, int, str]
"""A place in line: priority, arrival, contact. Smaller is served first. Priority 0: waited for too long."""
FIRST_OF_ALL = 0


@dataclass(slots=True)
class Task:
    contact_id: str
    channel: Channel
    queue: str
    requirements: tuple[str, ...]
    data: Mapping[str, str]
    priority: int
    arrived_at: int
    queued_at: int
    preferred_agents: tuple[str, ...]
    excluded_agents: tuple[str, ...]
    edge: str
    state: TaskState = TaskState.QUEUED
    step: int = 0
    step_entered_at: int = 0
    step_until: int = 0
    relaxed: int = 0
    """How many of the step's relaxing expressions are required no more."""
    relax_at: int = 0
    """When the next one is not."""
    agent_id: str = ""
    reservation_id: str = ""
    expires_at: int = 0
    assigned_at: int = 0
    ended_at: int = 0
    wrap_up_until: int = 0
    not_before: int = 0
    """Nobody is offered it before; its place in line is its arrival's all the same."""
    hold_ms: int = 0
    """How long it is to be kept for its preferred agents; 0 once that has begun."""
    hold: Hold = Hold.NONE
    held_until: int = 0
    waiting_since: int = 0
    """Since when nobody serves it."""
    chosen_by: str = ""
    """Why the agent who has it, or is being offered it, got it: for people."""
    others: tuple[Offer, ...] = ()
    """To whom else it is being offered at the same time."""
    paused: dict[str, int] = field(default_factory=dict)
    """Agents who get no offer of this contact, each until a moment."""
    share: int = -1
    """Which of the step's shares it belongs to; -1: none."""
    promised_ms: int = -1
    """The wait that was estimated at the request, until the first offer shows what it was; -1: none."""
    starves_at: int = 0
    """When it comes before all others; 0: never."""
    parked_at: int = 0
    parked_ms: int = 0
    """How long it has been parked, before the present time."""
    leg: int = 1
    """Counted by the contact's edges: one more after a redial or a reconnection to another site."""
    line: Line | None = None
    """Where it is in line (derived)."""

    @property
    def key(self) -> Key:
        return (self.priority, self.arrived_at, self.contact_id)

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The open ones; first the one that the task's own fields name."""
        if self.state is not TaskState.RESERVED:
            return ()
        return (Offer(self.agent_id, self.reservation_id, self.chosen_by), *self.others)

    def offer_to(self, agent_id: str) -> Offer | None:
        return next((offer for offer in self.offers if offer.agent_id == agent_id), None)

    def lead_with(self, offer: Offer, others: tuple[Offer, ...]) -> None:
        """Makes an offer the one that the task's own fields name."""
        self.agent_id, self.reservation_id, self.chosen_by = offer.agent_id, offer.reservation_id, offer.chosen_by
        self.others = others

    def excludes(self, agent_id: str) -> bool:
        return agent_id in self.paused or agent_id in self.excluded_agents

    def to_plain(self) -> list[Any]:
        return [
            self.contact_id,
            int(self.channel),
            self.queue,
            list(self.requirements),
            sorted(self.data.items()),
            self.priority,
            self.arrived_at,
            self.queued_at,
            list(self.preferred_agents),
            list(self.excluded_agents),
            self.edge,
            int(self.state),
            self.step,
            self.step_entered_at,
            self.step_until,
            self.agent_id,
            self.reservation_id,
            self.expires_at,
            self.assigned_at,
            self.ended_at,
            self.wrap_up_until,
            sorted(self.paused.items()),
            self.relaxed,
            self.relax_at,
            self.chosen_by,
            self.not_before,
            self.hold_ms,
            int(self.hold),
            self.held_until,
            self.waiting_since,
            self.starves_at,
            self.promised_ms,
            self.share,
            self.parked_at,
            self.parked_ms,
            [[other.agent_id, other.reservation_id, other.chosen_by] for other in self.others],
            self.leg,
        ]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Task:
        (contact_id, channel, queue, requirements, data, priority, arrived_at, queued_at, preferred, excluded, edge) = (
            plain[:11]
        )
        (state, step, step_entered_at, step_until, agent_id, reservation_id) = plain[11:17]
        expires_at, assigned_at, ended_at, wrap_up, paused, relaxed, relax_at, chosen_by = plain[17:25]
        not_before, hold_ms, hold, held_until, waiting_since, starves_at, promised_ms, share = plain[25:33]
        parked_at, parked_ms, others, leg = plain[33:]
        return cls(
            contact_id, Channel(channel), queue, tuple(requirements), dict(data), priority, arrived_at, queued_at,
            tuple(preferred), tuple(excluded), edge, TaskState(state), step, step_entered_at, step_until, relaxed,
            relax_at, agent_id, reservation_id, expires_at, assigned_at, ended_at, wrap_up, not_before, hold_ms,
            Hold(hold), held_until, waiting_since, chosen_by, tuple(Offer(*other) for other in others), dict(paused),
            share, promised_ms, starves_at,
            parked_at, parked_ms, leg,
        )  # fmt: skip
