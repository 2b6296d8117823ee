"""Whether an agent's workspace is there: told by the processes that have its streams, which may die without a word.

An agent who never had a stream in this pool is not watched over. Once the last stream has ended there are no offers, and
the agent has the tenant's grace to come back with everything kept. After it contacts go back in line with their age;
calls stay, for it is the phone that has them. A process that is not heard of for HOLDER_MS has lost its streams.
"""

from __future__ import annotations

from junctor_router.domain import matching
from junctor_router.domain.agent import Agent
from junctor_router.domain.agent_commands import known, leave, rescind_offers
from junctor_router.domain.back_in_line import back_in_line
from junctor_router.domain.capacity import NEEDS_DEVICE
from junctor_router.domain.commands import AgentStreamClosed, AgentStreamOpened, StreamHolderAlive
from junctor_router.domain.events import AgentConnectionChanged
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.task_commands import completed
from junctor_router.domain.timers import GRACE, HOLDER
from junctor_router.domain.values import ConnectionState, TaskState

HOLDER_MS = 30_000
AT_ONCE = 100
"""Agents of a lost process that one tick looks at."""
LOST = "connection_lost"


def opened(pool: PoolState, command: AgentStreamOpened) -> None:
    """Ends the grace. Said again it changes nothing."""
    agent = known(pool, command.agent_id)
    _heard_of(pool, command.holder)
    first = not agent.holders
    pool.hold_stream(agent, command.holder)
    if first:
        pool.clear_grace(agent)
        pool.emit(AgentConnectionChanged(agent.id, ConnectionState.CONNECTED, agent.session, 0))
    if first or pool.silent:
        pool.refresh(agent)
        matching.settle(pool)


def closed(pool: PoolState, command: AgentStreamClosed) -> None:
    """The grace begins with the last one."""
    agent = known(pool, command.agent_id)
    _closed(pool, agent, command.holder)
    matching.settle(pool)


def alive(pool: PoolState, command: StreamHolderAlive) -> None:
    """Of a process that has no agent here it means nothing."""
    if pool.streams.get(command.holder):
        _heard_of(pool, command.holder)


def holder_gone(pool: PoolState, holder: str) -> None:
    """Nobody closed its streams. A slice at a time; the rest is due at once again."""
    agents = sorted(pool.streams.get(holder, ()))
    for agent_id in agents[:AT_ONCE]:
        _closed(pool, pool.agents[agent_id], holder)
    if len(agents) > AT_ONCE:
        pool.holders[holder] = pool.now + 1
        pool.timers.set(HOLDER, holder, pool.now + 1)
    else:
        del pool.holders[holder]
        pool.streams.pop(holder, None)


def give_up(pool: PoolState, agent: Agent) -> None:
    """The grace is over: the session ends, after the call in hand if there is one."""
    rescind_offers(pool, agent, LOST)
    leave(pool, agent, LOST)
    for contact_id in sorted(agent.tasks):
        task = pool.tasks[contact_id]
        if task.state is TaskState.WRAPPING:
            completed(pool, task, "", by_timer=True)
        elif task.channel not in NEEDS_DEVICE:
            back_in_line(pool, task, task.queue, LOST)
    pool.clear_grace(agent)
    pool.touch_agent(agent)


def _closed(pool: PoolState, agent: Agent, holder: str) -> None:
    if holder not in agent.holders:
        return
    pool.drop_stream(agent, holder)
    grace_ms = pool.tenant_value.connection_grace_ms
    if agent.holders and pool.silent:
        pool.refresh(agent)
    if agent.holders or not agent.logged_in or grace_ms < 0:
        return
    agent.lost_until = pool.now + grace_ms
    pool.timers.set(GRACE, agent.id, agent.lost_until)
    pool.emit(AgentConnectionChanged(agent.id, ConnectionState.LOST, agent.session, agent.lost_until))
    pool.refresh(agent)


def _heard_of(pool: PoolState, holder: str) -> None:
    pool.holders[holder] = pool.now + HOLDER_MS
    pool.timers.set(HOLDER, holder, pool.now + HOLDER_MS)
