"""A contact's legs: its customer is lost with a site and comes again at another one (docs/two-sites.md, sections 3 and 5)."""

from __future__ import annotations

from junctor_router.domain import matching
from junctor_router.domain.back_in_line import back_in_line
from junctor_router.domain.commands import RequestTask
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.task import Task
from junctor_router.domain.values import Channel, TaskState, precondition

REATTACHED = "reattached"
_LIVE_MEDIA = frozenset({Channel.VOICE, Channel.VIDEO})
_TALKS = frozenset({TaskState.ASSIGNED, TaskState.PARKED})


def check(task: Task, leg: int) -> None:
    """What is said of a leg is history once the contact has a later one. 0: not said of which."""
    if 0 < leg < task.leg:
        raise precondition(
            "LEG_MOVED",
            f"The contact {task.contact_id} came again as leg {task.leg}, to {task.edge}; this is leg {leg}.",
        )


def reattach(pool: PoolState, task: Task, command: RequestTask) -> None:
    """The contact is the new leg's edge's, with its arrival, priority and requirements. Who had media with the lost one goes
    back in line; who writes keeps the agent."""
    if task.state is TaskState.WRAPPING:
        raise precondition(
            "TASK_WRAPPING", f"The customer of {task.contact_id} was gone before; there is nobody to put in line."
        )
    task.leg, task.edge = command.leg, command.edge
    if task.state in _TALKS and task.channel not in _LIVE_MEDIA:
        pool.touch_task(task)
        return
    back_in_line(pool, task, task.queue, REATTACHED)
    matching.settle(pool)
