"""What agents, supervisors and devices ask. Each function checks first and changes only then."""

from __future__ import annotations

from junctor_router.domain import matching
from junctor_router.domain.agent import Agent
from junctor_router.domain.commands import (
    LogIn,
    LogInResponse,
    LogOut,
    LogOutResponse,
    ReportDevice,
    ReportDeviceResponse,
    SetAgentState,
    SetAgentStateResponse,
)
from junctor_router.domain.events import AgentDeviceChanged
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.values import (
    AgentState,
    DeviceState,
    TaskState,
    invalid,
    not_found,
    precondition,
)

SETTABLE = (AgentState.NOT_READY, AgentState.READY)
LEAVING = "agent_leaving"


def log_in(pool: PoolState, command: LogIn) -> LogInResponse:
    """A new session, not ready unless it says ready. Offers of an earlier session end; contacts in hand stay in hand."""
    agent = known(pool, command.agent_id)
    if agent.deleted:
        raise not_found("AGENT_UNKNOWN", f"The agent {agent.id!r} is no longer in the directory.")
    state = command.state or AgentState.NOT_READY
    if state not in SETTABLE:
        raise invalid("STATE_NOT_SETTABLE", "A session begins ready or not ready.")
    rescind_offers(pool, agent, "new_session")
    pool.clear_grace(agent)
    agent.session += 1
    agent.channels = tuple(sorted(set(command.channels)))
    agent.logged_in_at, agent.handled = pool.now, 0
    agent.set_slots()
    pool.change_state(agent, state, "")
    matching.settle(pool)
    return LogInResponse(agent.session)


def log_out(pool: PoolState, command: LogOut) -> LogOutResponse:
    """At once, or after the last contact in hand; offers end at once. Said again it changes nothing."""
    agent = known(pool, command.agent_id)
    if not agent.logged_in:
        return LogOutResponse(pending=False)
    pending = leave(pool, agent, command.reason)
    matching.settle(pool)
    return LogOutResponse(pending)


def set_state(pool: PoolState, command: SetAgentState) -> SetAgentStateResponse:
    """Ready is taken at once and ends what was pending. Not ready waits for the contacts in hand; offers end at once."""
    agent = known(pool, command.agent_id)
    if command.state not in SETTABLE:
        raise invalid("STATE_NOT_SETTABLE", "An agent can be set to ready or not ready; log_out ends the session.")
    reasons = pool.tenant_value.not_ready_reasons
    if command.reason and reasons and command.reason not in reasons:
        what = f"The reason {command.reason!r} is none of the tenant's: {', '.join(reasons)}."
        raise invalid("REASON_UNKNOWN", what)
    if not agent.logged_in:
        raise precondition("AGENT_NOT_LOGGED_IN", f"The agent {agent.id} is not logged in.")
    if command.state is AgentState.READY:
        if agent.state is not AgentState.READY or agent.pending is not AgentState.UNSPECIFIED:
            pool.change_state(agent, AgentState.READY, "")
    else:
        _move_to(pool, agent, command.state, command.reason)
    matching.settle(pool)
    return SetAgentStateResponse(agent.state, agent.pending)


def report_device(pool: PoolState, command: ReportDevice) -> ReportDeviceResponse:
    """Busy or unregistered blocks voice and video until the device is idle; offers that ring are answered by the edge."""
    agent = known(pool, command.agent_id)
    if command.state is DeviceState.UNSPECIFIED:
        raise invalid("DEVICE_STATE_MISSING", "state does not say what the device does.")
    gone = command.state is DeviceState.UNREGISTERED
    if gone and command.edge and agent.edge not in ("", command.edge):
        return ReportDeviceResponse()  # It is registered at another edge by now.
    moved = bool(command.edge) and command.edge != agent.edge
    if moved:
        agent.edge = command.edge
    if agent.device is not command.state or moved:
        if agent.device is not command.state:
            agent.device = command.state
            pool.emit(AgentDeviceChanged(agent.id, command.state))
        pool.refresh(agent)
        matching.settle(pool)
    return ReportDeviceResponse()


def leave(pool: PoolState, agent: Agent, reason: str) -> bool:
    """Ends the session now or after the contacts in hand; true where it is pending."""
    _move_to(pool, agent, AgentState.LOGGED_OUT, reason)
    return agent.logged_in


def not_responding(pool: PoolState, agent: Agent) -> None:
    """The agent did not answer: no more offers until asked to be ready. What was asked for before is kept pending. Whose
    workspace is gone could not answer, and gets none anyway."""
    if agent.lost_until:
        return
    if agent.state is AgentState.READY and agent.pending is AgentState.UNSPECIFIED:
        pool.change_state(agent, AgentState.NOT_RESPONDING, "no_answer")
    rescind_offers(pool, agent, "not_responding")


def rescind_offers(pool: PoolState, agent: Agent, cause: str) -> None:
    """Takes back what the agent is being offered; the contacts are in line again with their age."""
    for contact_id in sorted(agent.tasks):
        task = pool.tasks[contact_id]
        if task.state is TaskState.RESERVED:
            matching.take_back(pool, task, agent, cause)


def known(pool: PoolState, agent_id: str) -> Agent:
    agent = pool.agents.get(agent_id)
    if agent is None or (agent.deleted and not agent.logged_in):
        raise not_found("AGENT_UNKNOWN", f"The agent {agent_id!r} is not known in the pool {pool.name}.")
    return agent


def _move_to(pool: PoolState, agent: Agent, state: AgentState, reason: str) -> None:
    """Away from ready: offers end, the state is taken at once or after the contacts in hand."""
    if pool.busy(agent) and (state is AgentState.LOGGED_OUT or agent.state is AgentState.READY):
        if (agent.pending, agent.pending_reason) != (state, reason):
            pool.set_pending(agent, state, reason)
        rescind_offers(pool, agent, LEAVING)
    elif any(pool.tasks[contact_id].state is TaskState.RESERVED for contact_id in agent.tasks):
        agent.pending, agent.pending_reason = state, reason
        rescind_offers(pool, agent, LEAVING)
    elif (agent.state, agent.reason, agent.pending) != (state, reason, AgentState.UNSPECIFIED):
        pool.change_state(agent, state, reason)
