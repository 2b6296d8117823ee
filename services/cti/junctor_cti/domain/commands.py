"""What the decider is told: requests of others, facts of the edge, and what ivr and router report. Names as in cti.proto."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EarlierLeg:
    """What is known of a contact whose site was lost; `queue`: empty where it never was in line."""

    site: str
    leg: int
    queue: str = ""
    segments: int = 0


@dataclass(frozen=True, slots=True)
class LegMoved:
    contact_id: str
    leg: int
    site: str


@dataclass(frozen=True, slots=True)
class CallArrived:
    tenant: str
    contact_id: str
    leg_id: str
    caller_number: str
    caller_hash: str
    called_number: str
    flow: str
    arrived_at: int
    leg_record: bytes
    language: str
    site: str
    sdp: str
    data: dict[str, str] = field(default_factory=dict)
    earlier: EarlierLeg | None = None


@dataclass(frozen=True, slots=True)
class CallAnswered:
    contact_id: str
    leg_id: str
    leg_record: bytes


@dataclass(frozen=True, slots=True)
class LegRecorded:
    contact_id: str
    leg_id: str
    leg_record: bytes


@dataclass(frozen=True, slots=True)
class AgentLegPrepared:
    contact_id: str
    leg_id: str
    reservation_id: str
    leg_record: bytes
    site: str = ""


@dataclass(frozen=True, slots=True)
class AgentLegAnswered:
    contact_id: str
    leg_id: str
    reservation_id: str
    leg_record: bytes
    sdp: str


@dataclass(frozen=True, slots=True)
class AgentLegFailed:
    contact_id: str
    leg_id: str
    reservation_id: str
    sip_code: int


@dataclass(frozen=True, slots=True)
class LegCleared:
    contact_id: str
    leg_id: str
    customer: bool
    cause: str


@dataclass(frozen=True, slots=True)
class CallBridged:
    contact_id: str
    reservation_id: str


@dataclass(frozen=True, slots=True)
class StepDone:
    contact_id: str
    step: str


@dataclass(frozen=True, slots=True)
class StepFailed:
    contact_id: str
    step: str
    reason: str
    reservation_id: str


@dataclass(frozen=True, slots=True)
class DigitHeard:
    contact_id: str
    digit: str


@dataclass(frozen=True, slots=True)
class PromptStarted:
    contact_id: str
    verb_id: str
    ends_at: int


@dataclass(frozen=True, slots=True)
class FlowReported:
    contact_id: str
    result: str
    queue: str
    priority: int
    wait_prompt: str
    language: str
    requirements: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OfferReported:
    contact_id: str
    reservation_id: str
    agent_id: str
    device: str
    expires_at: int
    queue: str
    partition: int = 0
    site_epoch: int = 0


@dataclass(frozen=True, slots=True)
class SetArrivalShare:
    request_id: str
    percent: int


@dataclass(frozen=True, slots=True)
class SetArrivalShareResponse:
    previous_percent: int


@dataclass(frozen=True, slots=True)
class FenceRaised:
    partition: int
    site_epoch: int


@dataclass(frozen=True, slots=True)
class ReservationReported:
    contact_id: str
    reservation_id: str
    accepted: bool
    cause: str


@dataclass(frozen=True, slots=True)
class OverflowReported:
    contact_id: str
    treatment: str
    prompt: str


@dataclass(frozen=True, slots=True)
class LeaderSilent:
    contact_id: str
    treatment: str
    prompt: str


@dataclass(frozen=True, slots=True)
class TaskReported:
    contact_id: str
    state: str
    disposition: str


@dataclass(frozen=True, slots=True)
class RequeueReported:
    contact_id: str
    queue: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class RelayArrived:
    tenant: str
    contact_id: str
    leg_id: str
    reservation_id: str
    agent_id: str
    device: str
    site: str
    caller_number: str
    sdp: str
    leg_record: bytes


@dataclass(frozen=True, slots=True)
class DeviceRegistered:
    tenant: str
    device: str
    contact_uri: str
    expires_at: int
    binding: bytes


@dataclass(frozen=True, slots=True)
class DeviceUnregistered:
    tenant: str
    device: str
    contact_uri: str


@dataclass(frozen=True, slots=True)
class DeviceReported:
    tenant: str
    device: str
    changes: int


@dataclass(frozen=True, slots=True)
class PromptAndCollect:
    contact_id: str
    verb_id: str
    language: str
    max_digits: int
    timeout_ms: int
    barge_in: bool
    secret: bool
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClearCall:
    contact_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment that `next_due` named has come."""
