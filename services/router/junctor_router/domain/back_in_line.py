"""A contact goes back in line: because somebody wants it so, because its agent is lost, or because its customer came again."""

from __future__ import annotations

from junctor_router.domain import matching
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.reservation import REQUEUE_PAUSE_MS
from junctor_router.domain.task import Task
from junctor_router.domain.values import IN_HAND, Hold, ReservationState, TaskState

TRANSFER_HOLD_MS = 60_000
"""How long a contact waits for the agent whom it is transferred to, where the caller does not say."""


def back_in_line(
    pool: PoolState, task: Task, queue: str, cause: str, to_agent_id: str = "", hold_ms: int = TRANSFER_HOLD_MS
) -> None:
    """With its age; whoever had it, or was being offered it, is left out for a moment. With `to_agent_id` it is kept for
    that agent for `hold_ms`."""
    agents = [task.agent_id] if task.agent_id else []
    if task.hold is Hold.FOR_EDGE:
        task.hold, task.held_until = Hold.NONE, 0
    if task.state is TaskState.RESERVED:
        agents = pool.end_offers(task, ReservationState.RESCINDED, "requeued")
    elif agents:
        pool.release(pool.agents[task.agent_id], task, worked=True)
    else:
        pool.leave_line(task)
    if task.state in IN_HAND:
        task.waiting_since = pool.now
    if queue != task.queue or task.state in IN_HAND or to_agent_id:
        matching.to_queue(pool, task, queue)
    for agent_id in agents:
        pool.pause(task, agent_id, pool.now + REQUEUE_PAUSE_MS)
    pool.requeued(task, cause, agents[0] if agents else "", to_agent_id)
    if to_agent_id:
        task.paused.pop(to_agent_id, None)
        matching.keep_for(pool, task, to_agent_id, hold_ms)
    else:
        matching.again(pool, task)
