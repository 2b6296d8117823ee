"""What happened in a pool: the messages of the same names in junctor.router.v1. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_router.domain.values import AgentState, Channel, ConnectionState, DeviceState, ReservationState


@dataclass(frozen=True, slots=True)
class TaskQueued:
    contact_id: str
    channel: Channel
    queue: str
    priority: int
    arrived_at: int
    plan_version: int


@dataclass(frozen=True, slots=True)
class StepEntered:
    contact_id: str
    step: int
    cause: str


@dataclass(frozen=True, slots=True)
class ReservationCreated:
    reservation_id: str
    contact_id: str
    agent_id: str
    session: int
    channel: Channel
    queue: str
    expires_at: int
    device: str
    edge: str
    chosen_by: str


@dataclass(frozen=True, slots=True)
class ReservationAccepted:
    reservation_id: str
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    edge: str


@dataclass(frozen=True, slots=True)
class ReservationEnded:
    reservation_id: str
    contact_id: str
    agent_id: str
    state: ReservationState
    cause: str
    edge: str


@dataclass(frozen=True, slots=True)
class ReservationReissued:
    tenant: str
    pool: str
    previous_reservation_id: str
    reservation_id: str
    contact_id: str
    agent_id: str
    session: int
    channel: Channel
    queue: str
    expires_at: int
    device: str
    edge: str
    chosen_by: str


@dataclass(frozen=True, slots=True)
class TaskRequeued:
    contact_id: str
    queue: str
    cause: str
    agent_id: str
    edge: str
    to_agent_id: str = ""


@dataclass(frozen=True, slots=True)
class TaskOverflowed:
    contact_id: str
    queue: str
    treatment: str
    edge: str
    prompt: str


@dataclass(frozen=True, slots=True)
class TaskParked:
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    for_channel: Channel
    edge: str


@dataclass(frozen=True, slots=True)
class TaskResumed:
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    parked_ms: int
    edge: str


@dataclass(frozen=True, slots=True)
class TaskWrapping:
    contact_id: str
    agent_id: str
    wrap_up_until: int
    queue: str


@dataclass(frozen=True, slots=True)
class TaskCompleted:
    contact_id: str
    agent_id: str
    disposition: str
    queue: str
    channel: Channel
    assigned_at: int
    ended_at: int
    completed_at: int
    by_timer: bool
    edge: str
    parked_ms: int
    outcome_value: int
    segment: str


@dataclass(frozen=True, slots=True)
class TaskCanceled:
    contact_id: str
    queue: str
    cause: str
    waited_ms: int
    edge: str


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    agent_id: str
    state: AgentState
    previous: AgentState
    reason: str
    session: int
    previous_since: int
    pending: AgentState


@dataclass(frozen=True, slots=True)
class AgentDeviceChanged:
    agent_id: str
    state: DeviceState


@dataclass(frozen=True, slots=True)
class AgentConnectionChanged:
    agent_id: str
    state: ConnectionState
    session: int
    lost_until: int


@dataclass(frozen=True, slots=True)
class ConfigurationApplied:
    kind: str
    id: str
    version: int
    warnings: tuple[str, ...]


Event = (
    TaskQueued
    | StepEntered
    | ReservationCreated
    | ReservationAccepted
    | ReservationEnded
    | TaskRequeued
    | TaskOverflowed
    | TaskParked
    | TaskResumed
    | TaskWrapping
    | TaskCompleted
    | TaskCanceled
    | AgentStateChanged
    | AgentDeviceChanged
    | AgentConnectionChanged
    | ConfigurationApplied
)
