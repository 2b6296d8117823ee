"""Whether anybody of the pool could ever be offered a contact in line: those who are not logged in count as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from junctor_router.domain.expression import Node, Scalar, bind, conjunction, test_of
from junctor_router.domain.plan import CompiledPlan
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.task import Task
from junctor_router.domain.values import TaskState

NOBODY_EVER = "Nobody of the pool meets what is required, whoever logs in: neither now nor in a later step."


def hopeless(pool: PoolState, task: Task) -> bool:
    """True for a contact in line whom no agent of the directory fits, in this step or a later one. It waits until its plan
    overflows, or until agents or plan change."""
    if task.state is not TaskState.QUEUED or task.hold:
        return False
    plan = pool.plan_of(task.queue)
    tests = [
        test_of(wanted(pool, task, plan, step)) for step in range(min(task.step, len(plan.steps) - 1), len(plan.steps))
    ]
    return not any(test(attributes) for attributes in _attributes(pool) for test in tests)


def elsewhere(pool: PoolState, task: Task) -> list[str]:
    """Agents without a session who meet what the contact's step requires now, by id."""
    if task.line is None:
        return []
    away = [agent for agent in pool.agents.values() if not agent.logged_in]
    return sorted(agent.id for agent in away if task.line.test(agent.member.attributes))


def wanted(pool: PoolState, task: Task, plan: CompiledPlan, step: int) -> Node:
    """What the step requires when all that relaxes is relaxed, bound to the contact's data."""
    compiled = plan.steps[step]
    required = compiled.required(len(compiled.relaxing), -1)
    requirements = [pool.requirement_in_force(text) for text in task.requirements]
    return conjunction([bind(one.root, task.data, pool.attributes) for one in (*required, *requirements)])


def _attributes(pool: PoolState) -> Iterator[Mapping[str, Scalar]]:
    """Of all agents, each set of attributes once: many share theirs."""
    seen: set[int] = set()
    for agent in pool.agents.values():
        if id(agent.profile) not in seen:
            seen.add(id(agent.profile))
            yield agent.member.attributes
