"""An agent: the session, the routing state and the contacts in hand. Times are Unix milliseconds.

Sessions count from 1 and never go back, so that a reservation of an earlier session is told from one of this. A state
asked for while contacts are in hand is pending (ECMA-269, "pendingAgentState") and is taken after the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from types import MappingProxyType
from typing import Any

from junctor_router.domain import capacity
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.capacity import MATRIX, Matrix
from junctor_router.domain.configuration import AgentValue, Interruption
from junctor_router.domain.expression import Scalar, read_value
from junctor_router.domain.lines_met import NO_PROFILE, Profile
from junctor_router.domain.values import AgentState, AttributeType, Channel, DeviceState

Attributes = dict[str, Scalar]
NO_SLOTS: Mapping[Channel, int] = MappingProxyType({})


@dataclass(slots=True)
class Agent:
    id: str
    value: AgentValue
    member: Member
    deleted: bool = False
    state: AgentState = AgentState.LOGGED_OUT
    pending: AgentState = AgentState.UNSPECIFIED
    reason: str = ""
    pending_reason: str = ""
    device: DeviceState = DeviceState.UNSPECIFIED
    session: int = 0
    since: int = 0
    channels: tuple[Channel, ...] = ()
    logged_in_at: int = 0
    handled: int = 0
    """Contacts accepted in this session."""
    last_turn: int = 0
    """The pool's count of reservations at the last one for this agent."""
    tasks: dict[str, Channel] = field(default_factory=dict)
    """Contacts offered to or with the agent: each takes a slot of its channel."""
    slots: Mapping[Channel, int] = field(default_factory=dict)
    empty_mask: int = 0
    """The channels of which it takes something (derived)."""
    load: dict[Channel, int] = field(default_factory=dict)
    holders: tuple[str, ...] = ()
    """The processes at which the agent's workspace has streams."""
    lost_until: int = 0
    """Since the last of them ended: when the agent is given up; 0 while there is one, or never was in this session."""
    edge: str = ""
    """Where the device is registered; "" for none, or one that is not watched over."""
    held: str = ""
    """A reservation that the slot holds and the pool does not know, as the edge says."""
    closed: int = 0
    """The channels that cannot be reached, as a mask (derived)."""
    matrix: Matrix = MATRIX
    """The tenant's, with what is the agent's own (derived)."""
    profile: Profile = NO_PROFILE
    """Shared with all agents of the same attributes (derived)."""

    @property
    def logged_in(self) -> bool:
        return self.state is not AgentState.LOGGED_OUT

    def open_channels(self) -> int:
        """Channels that may be offered now, as a mask of channel numbers."""
        if self.state is not AgentState.READY or self.pending is not AgentState.UNSPECIFIED or self.deleted:
            return 0
        if self.lost_until:
            return 0
        if not self.tasks:
            found = self.empty_mask & ~capacity.BLOCKED if self.device in capacity.BLOCKING else self.empty_mask
        else:
            found = capacity.open_channels(self.slots, self.load, self.device, self.matrix)
        return found & ~self.closed

    def set_slots(self) -> None:
        configured = tuple(sorted(self.value.capacity.items()))
        self.slots, self.empty_mask = capacity.of(configured, self.channels, bool(self.value.device))

    def resting(self) -> int:
        """The channels whose contacts are parked while the agent has what is in hand, as a mask."""
        found = 0
        for channel, count in self.load.items():
            if count:
                found |= self.matrix.parks[channel]
        return found

    def take(self, contact_id: str, channel: Channel) -> None:
        self.tasks[contact_id] = channel
        self.load[channel] = self.load.get(channel, 0) + 1

    def give_back(self, contact_id: str) -> None:
        channel = self.tasks.pop(contact_id)
        self.load[channel] -= 1

    def to_plain(self) -> list[Any]:
        return [
            self.id, self.deleted, int(self.state), int(self.pending), self.reason, self.pending_reason, int(self.device),
            self.session, self.since, [int(c) for c in self.channels], self.logged_in_at, self.handled, self.last_turn,
            [[contact_id, int(channel)] for contact_id, channel in sorted(self.tasks.items())], self.member.rank,
            [
                sorted(self.value.attributes.items()), self.value.device, sorted(self.value.capacity.items()),
                [interruption_to_plain(one) for one in self.value.interruptions],
            ],
            list(self.holders), self.lost_until, self.edge, self.held,
        ]  # fmt: skip

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Agent:
        """The agent, not yet in any index."""
        (id, deleted, state, pending, reason, pending_reason, device, session, since, channels) = plain[:10]
        logged_in_at, handled, last_turn, tasks, rank, (attributes, phone, slots, rules), holders, lost, edge, held = (
            plain[10:]
        )
        interruptions = tuple(interruption_from_plain(rule) for rule in rules)
        value = AgentValue(
            {intern(name): intern(text) for name, text in attributes},
            phone,
            {Channel(c): n for c, n in slots} if slots else NO_SLOTS,
            interruptions,
        )
        agent = cls(
            id, value, Member(id, {}, rank=rank), deleted, AgentState(state), AgentState(pending), reason, pending_reason,
            DeviceState(device), session, since, tuple(Channel(c) for c in channels), logged_in_at, handled, last_turn,
        )  # fmt: skip
        agent.holders, agent.lost_until, agent.edge, agent.held = tuple(holders), lost, edge, held
        for contact_id, channel in tasks:
            agent.take(contact_id, Channel(channel))
        agent.set_slots()
        return agent


def interruption_to_plain(one: Interruption) -> list[Any]:
    return [int(one.channel), [int(c) for c in one.beside], [int(c) for c in one.parks]]


def interruption_from_plain(plain: list[Any]) -> Interruption:
    channel, beside, parks = plain
    return Interruption(Channel(channel), tuple(Channel(c) for c in beside), tuple(Channel(c) for c in parks))


def read_attributes(value: AgentValue, types: Mapping[str, AttributeType]) -> tuple[Attributes, list[str]]:
    """The attributes as their declared types read them, and a sentence for each that cannot be read and is left out."""
    found: Attributes = {}
    problems = []
    for name, text in sorted(value.attributes.items()):
        declared = types.get(name, AttributeType.UNSPECIFIED)
        scalar = read_value(text, declared)
        if scalar is None:
            problems.append(f"{name} is {text!r}, which is no {declared.name.lower()}; it is left out.")
        else:
            found[name] = scalar
    return found, problems
