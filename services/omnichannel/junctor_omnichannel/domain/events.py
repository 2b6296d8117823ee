"""What happened to a conversation. Names as in omnichannel.proto and contact.proto; times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from junctor_omnichannel.domain.commands import Author, EntryPoint, Message, State

__all__ = ["Author", "Message", "State"]

Channel = Literal["chat"]
SegmentKind = Literal["flow", "queue", "agent"]
SegmentResult = Literal["completed", "abandoned", "transferred", "overflowed", "failed"]
CloseCause = Literal["", "customer", "agent", "flow", "overflow", "lost_leg", "failure", "supervisor"]


@dataclass(frozen=True, slots=True)
class ConversationOpened:
    tenant: str
    contact_id: str
    widget: str
    entry: EntryPoint
    site: str
    arrived_at: int


@dataclass(frozen=True, slots=True)
class ConversationAdopted:
    tenant: str
    contact_id: str
    leg: int
    site: str
    widget: str
    entry: EntryPoint
    arrived_at: int
    at: int
    messages: tuple[Message, ...] = ()
    data: dict[str, str] = field(default_factory=dict)
    queue: str = ""
    routed: int = 0
    missed: int = 0
    segments: int = 0


@dataclass(frozen=True, slots=True)
class ConversationMoved:
    tenant: str
    contact_id: str
    leg: int
    site: str
    at: int


@dataclass(frozen=True, slots=True)
class ArrivalShareChanged:
    tenant: str
    percent: int


@dataclass(frozen=True, slots=True)
class FenceRaised:
    partition: int
    site_epoch: int


@dataclass(frozen=True, slots=True)
class ProcessGreeted:
    site: str
    process: str


@dataclass(frozen=True, slots=True)
class BotTurnTaken:
    tenant: str
    contact_id: str
    missed: int
    set: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomerPresenceChanged:
    tenant: str
    contact_id: str
    connection: str
    present: bool
    at: int


@dataclass(frozen=True, slots=True)
class StepOwed:
    tenant: str
    contact_id: str
    step: str


@dataclass(frozen=True, slots=True)
class StepCleared:
    tenant: str
    contact_id: str
    step: str


@dataclass(frozen=True, slots=True)
class TaskEnded:
    tenant: str
    contact_id: str
    disposition: str


@dataclass(frozen=True, slots=True)
class ConversationEnded:
    tenant: str
    contact_id: str
    ended_at: int
    cause: CloseCause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConversationForgotten:
    tenant: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class MessageAdded:
    tenant: str
    contact_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class ConversationStateChanged:
    tenant: str
    contact_id: str
    state: State
    agent_id: str
    queue: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    tenant: str
    contact_id: str
    queue: str
    requirements: tuple[str, ...]
    data: dict[str, str]
    routed: int


@dataclass(frozen=True, slots=True)
class Bound:
    tenant: str
    contact_id: str
    agent_id: str
    reservation_id: str
    generation: int
    channel: Channel = "chat"


@dataclass(frozen=True, slots=True)
class Unbound:
    tenant: str
    contact_id: str
    agent_id: str
    reservation_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class ContactOpened:
    tenant: str
    contact_id: str
    arrived_at: int
    customer_address: str
    customer_hash: str
    entry_point: str
    site: str
    journey_id: str = ""
    previous_contact_id: str = ""
    channel: Channel = "chat"
    direction: Literal["inbound"] = "inbound"


@dataclass(frozen=True, slots=True)
class Reattached:
    tenant: str
    contact_id: str
    leg: int
    site: str
    previous_site: str
    arrived_at: int
    at: int
    customer_hash: str = ""
    entry_point: str = ""
    channel: Channel = "chat"


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    tenant: str
    contact_id: str
    segment: int
    kind: SegmentKind
    started_at: int
    queue: str = ""
    agent_id: str = ""
    flow: str = ""
    reservation_id: str = ""
    channel: Channel = "chat"


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    tenant: str
    contact_id: str
    segment: int
    kind: SegmentKind
    started_at: int
    ended_at: int
    result: SegmentResult
    queue: str = ""
    agent_id: str = ""
    channel: Channel = "chat"


@dataclass(frozen=True, slots=True)
class ContactClosed:
    tenant: str
    contact_id: str
    arrived_at: int
    ended_at: int
    closed_at: int
    cause: CloseCause
    disposition: str
    detail: str
    channel: Channel = "chat"


Event = (
    ConversationOpened
    | ConversationAdopted
    | ConversationMoved
    | ArrivalShareChanged
    | FenceRaised
    | ProcessGreeted
    | Reattached
    | BotTurnTaken
    | CustomerPresenceChanged
    | StepOwed
    | StepCleared
    | TaskEnded
    | ConversationEnded
    | ConversationForgotten
    | MessageAdded
    | ConversationStateChanged
    | HandedOver
    | Bound
    | Unbound
    | ContactOpened
    | SegmentStarted
    | SegmentEnded
    | ContactClosed
)
