"""What a pool is asked, and what it answers. `Foo` is junctor.router.v1.FooRequest, `FooResponse` its response.

Times are Unix milliseconds, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from junctor_router.domain.configuration import Value
from junctor_router.domain.record import record
from junctor_router.domain.values import AgentState, Channel, DeviceState, TaskState


@record
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


@record
class CancelTask:
    contact_id: str
    cause: str = ""
    leg: int = 0


@record
class RequeueTask:
    contact_id: str
    queue: str = ""
    cause: str = ""
    agent_id: str = ""
    to_agent_id: str = ""
    hold_ms: int = 0
    leg: int = 0


@record
class EndContact:
    contact_id: str
    cause: str = ""
    leg: int = 0


@record
class AcceptReservation:
    agent_id: str
    reservation_id: str
    contact_id: str


@record
class RejectReservation:
    agent_id: str
    reservation_id: str
    contact_id: str
    cause: str = ""


@record
class CompleteTask:
    agent_id: str
    contact_id: str
    disposition: str = ""
    outcome_value: int = 0


@record
class ExtendWrapUp:
    agent_id: str
    contact_id: str
    extend_ms: int


@record
class LogIn:
    agent_id: str
    channels: tuple[Channel, ...] = ()
    state: AgentState = AgentState.UNSPECIFIED


@record
class LogOut:
    agent_id: str
    reason: str = ""


@record
class SetAgentState:
    agent_id: str
    state: AgentState
    reason: str = ""


@record
class ReportDevice:
    """`edge`: where the device is registered; "" is not watched over."""

    agent_id: str
    state: DeviceState
    cause: str = ""
    edge: str = ""


@record
class ConfigurationChanged:
    """The directory's value is this one from now on; None where it was deleted."""

    kind: str
    id: str
    version: int
    value: Value | None


@record
class AgentStreamOpened:
    """The agent's workspace has a stream of offers at this process, by its name."""

    agent_id: str
    holder: str


@record
class AgentStreamClosed:
    """The last one at this process has ended, for whatever reason."""

    agent_id: str
    holder: str


@record
class StreamHolderAlive:
    """The process is there, and so are the streams that it told of."""

    holder: str


@record
class EdgeReported:
    """The edge was heard a moment ago, or was not. `holds_slots`: it answers roll calls."""

    edge: str
    reachable: bool
    holds_slots: bool = False


@record
class Slot:
    """What the slot of an agent holds at the agent's edge. `talking`: else it rings."""

    agent_id: str
    contact_id: str
    reservation_id: str
    talking: bool


@record
class RollCallAnswered:
    """All slots of the edge that hold something of this pool, where the edge has learnt of that site epoch."""

    edge: str
    site_epoch: int
    slots: tuple[Slot, ...] = ()


@record
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


@record
class RequestTaskResponse:
    state: TaskState
    position: int
    estimated_wait_ms: int
    agent_id: str = ""
    reservation_id: str = ""


@record
class CancelTaskResponse:
    state: TaskState


@record
class RequeueTaskResponse:
    state: TaskState


@record
class EndContactResponse:
    state: TaskState


@record
class AcceptReservationResponse:
    contact_id: str


@record
class RejectReservationResponse:
    pass


@record
class CompleteTaskResponse:
    pass


@record
class ExtendWrapUpResponse:
    wrap_up_until: int


@record
class LogInResponse:
    session: int


@record
class LogOutResponse:
    pending: bool


@record
class SetAgentStateResponse:
    state: AgentState
    pending: AgentState


@record
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
