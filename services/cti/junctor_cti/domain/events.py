"""What happened to a call. Names as in cti.proto and contact.proto."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from junctor_cti.domain.call import CloseCause, SegmentKind, SegmentResult, State

Channel = Literal["voice"]


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
    channel: Channel = "voice"
    direction: Literal["inbound"] = "inbound"


@dataclass(frozen=True, slots=True)
class Reattached:
    tenant: str
    contact_id: str
    leg: int
    site: str
    previous_site: str
    customer_hash: str
    arrived_at: int
    at: int
    entry_point: str
    channel: Channel = "voice"


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
    channel: Channel = "voice"


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
    channel: Channel = "voice"


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
    channel: Channel = "voice"


@dataclass(frozen=True, slots=True)
class CallStateChanged:
    tenant: str
    contact_id: str
    state: State
    queue: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class MediaVerbEnded:
    tenant: str
    contact_id: str
    verb_id: str
    cause: str
    digits: str


@dataclass(frozen=True, slots=True)
class Bound:
    tenant: str
    contact_id: str
    agent_id: str
    reservation_id: str
    generation: int
    channel: Channel = "voice"


@dataclass(frozen=True, slots=True)
class Unbound:
    tenant: str
    contact_id: str
    agent_id: str
    reservation_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class DeviceStateChanged:
    tenant: str
    device: str
    state: str


@dataclass(frozen=True, slots=True)
class RelayStateChanged:
    tenant: str
    contact_id: str
    reservation_id: str
    agent_id: str
    device: str
    site: str
    state: str


@dataclass(frozen=True, slots=True)
class ArrivalShareChanged:
    tenant: str
    percent: int
