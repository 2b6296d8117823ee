"""What a pool is asked, and what it answers. `Foo` is junctor.router.v1.FooRequest, `FooResponse` its response.

Times are Unix milliseconds, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from junctor_router.domain.configuration import Value
from junctor_router.domain.values import AgentState, Channel, DeviceState, TaskState


@dataclass(frozen=True, slots=True)
class RequestTask:
    contact_id: str
    channel: Channel
    queue: str
    requirements: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0
    arrived_at: int = 0
    preferred_agents: tuple[str, ...] = ()
    excluded_agents: tuple[str, ...] = ()
    edge: str = ""
    hold_ms: int = 0
    not_before: int = 0
    leg: int = 0


@dataclass(frozen=True, slots=True)
class CancelTask:
    contact_id: str
    cause: str = ""
    leg: int = 0


@dataclass(frozen=True, slots=True)
class RequeueTask:
    contact_id: str
    queue: str = ""
    cause: str = ""
    agent_id: str = ""
    to_agent_id: str = ""
    hold_ms: int = 0
    leg: int = 0


@dataclass(frozen=True, slots=True)
class EndContact:
    contact_id: str
    cause: str = ""
    leg: int = 0


@dataclass(frozen=True, slots=True)
class AcceptReservation:
    agent_id: str
    reservation_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class RejectReservation:
    agent_id: str
    reservation_id: str
    contact_id: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CompleteTask:
    agent_id: str
    contact_id: str
    disposition: str = ""
    outcome_value: int = 0


@dataclass(frozen=True, slots=True)
class ExtendWrapUp:
    agent_id: str
    contact_id: str
    extend_ms: int


@dataclass(frozen=True, slots=True)
class LogIn:
    agent_id: str
    channels: tuple[Channel, ...] = ()
    state: AgentState = AgentState.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class LogOut:
    agent_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetAgentState:
    agent_id: str
    state: AgentState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReportDevice:
    """`edge`: where the device is registered; "" is not watched over."""

    agent_id: str
    state: DeviceState
    cause: str = ""
    edge: str = ""


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """The directory's value is this one from now on; None where it was deleted."""

    kind: str
    id: str
    version: int
    value: Value | None


@dataclass(frozen=True, slots=True)
class AgentStreamOpened:
    """The agent's workspace has a stream of offers at this process, by its name."""

    agent_id: str
    holder: str


@dataclass(frozen=True, slots=True)
class AgentStreamClosed:
    """The last one at this process has ended, for whatever reason."""

    agent_id: str
    holder: str


@dataclass(frozen=True, slots=True)
class StreamHolderAlive:
    """The process is there, and so are the streams that it told of."""

    holder: str


@dataclass(frozen=True, slots=True)
class EdgeReported:
    """The edge was heard a moment ago, or was not. `holds_slots`: it answers roll calls."""

    edge: str
    reachable: bool
    holds_slots: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """What the slot of an agent holds at the agent's edge. `talking`: else it rings."""

    agent_id: str
    contact_id: str
    reservation_id: str
    talking: bool


@dataclass(frozen=True, slots=True)
class RollCallAnswered:
    """All slots of the edge that hold something of this pool, where the edge has learnt of that site epoch."""

    edge: str
    site_epoch: int
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Some moment that `next_due` named has come."""


Command = (
    RequestTask
    | CancelTask
    | RequeueTask
    | EndContact
    | AcceptReservation
    | RejectReservation
    | CompleteTask
    | ExtendWrapUp
    | LogIn
    | LogOut
    | SetAgentState
    | ReportDevice
    | AgentStreamOpened
    | AgentStreamClosed
    | StreamHolderAlive
    | EdgeReported
    | RollCallAnswered
    | ConfigurationChanged
    | Tick
)


@dataclass(frozen=True, slots=True)
class RequestTaskResponse:
    state: TaskState
    position: int
    estimated_wait_ms: int
    agent_id: str = ""
    reservation_id: str = ""


@dataclass(frozen=True, slots=True)
class CancelTaskResponse:
    state: TaskState


@dataclass(frozen=True, slots=True)
class RequeueTaskResponse:
    state: TaskState


@dataclass(frozen=True, slots=True)
class EndContactResponse:
    state: TaskState


@dataclass(frozen=True, slots=True)
class AcceptReservationResponse:
    contact_id: str


@dataclass(frozen=True, slots=True)
class RejectReservationResponse:
    pass


@dataclass(frozen=True, slots=True)
class CompleteTaskResponse:
    pass


@dataclass(frozen=True, slots=True)
class ExtendWrapUpResponse:
    wrap_up_until: int


@dataclass(frozen=True, slots=True)
class LogInResponse:
    session: int


@dataclass(frozen=True, slots=True)
class LogOutResponse:
    pending: bool


@dataclass(frozen=True, slots=True)
class SetAgentStateResponse:
    state: AgentState
    pending: AgentState


@dataclass(frozen=True, slots=True)
class ReportDeviceResponse:
    pass


Response = (
    RequestTaskResponse
    | CancelTaskResponse
    | RequeueTaskResponse
    | EndContactResponse
    | AcceptReservationResponse
    | RejectReservationResponse
    | CompleteTaskResponse
    | ExtendWrapUpResponse
    | LogInResponse
    | LogOutResponse
    | SetAgentStateResponse
    | ReportDeviceResponse
)
