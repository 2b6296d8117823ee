"""What happened in a pool: the messages of the same names in junctor.router.v1. Times are Unix milliseconds."""

from __future__ import annotations

from junctor_router.domain.record import record
from junctor_router.domain.values import AgentState, Channel, ConnectionState, DeviceState, ReservationState


@record
class TaskQueued:
    contact_id: str
    channel: Channel
    queue: str
    priority: int
    arrived_at: int
    plan_version: int


@record
class StepEntered:
    contact_id: str
    step: int
    cause: str


@record
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


@record
class ReservationAccepted:
    reservation_id: str
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    edge: str


@record
class ReservationEnded:
    reservation_id: str
    contact_id: str
    agent_id: str
    state: ReservationState
    cause: str
    edge: str


@record
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


@record
class TaskRequeued:
    contact_id: str
    queue: str
    cause: str
    agent_id: str
    edge: str
    to_agent_id: str = ""


@record
class TaskOverflowed:
    contact_id: str
    queue: str
    treatment: str
    edge: str
    prompt: str


@record
class TaskParked:
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    for_channel: Channel
    edge: str


@record
class TaskResumed:
    contact_id: str
    agent_id: str
    channel: Channel
    queue: str
    parked_ms: int
    edge: str


@record
class TaskWrapping:
    contact_id: str
    agent_id: str
    wrap_up_until: int
    queue: str


@record
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


@record
class TaskCanceled:
    contact_id: str
    queue: str
    cause: str
    waited_ms: int
    edge: str


@record
class AgentStateChanged:
    agent_id: str
    state: AgentState
    previous: AgentState
    reason: str
    session: int
    previous_since: int
    pending: AgentState


@record
class AgentDeviceChanged:
    agent_id: str
    state: DeviceState


@record
class AgentConnectionChanged:
    agent_id: str
    state: ConnectionState
    session: int
    lost_until: int


@record
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
