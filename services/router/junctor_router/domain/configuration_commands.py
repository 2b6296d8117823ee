"""What a changed directory value does to contacts in line and agents in their seats.

- queue: a new plan takes its contacts over at the step number they are in (the last step where it has fewer), with the
  time they have spent in it and their share's number; a changed service level or ratio holds at once, a changed
  priority, calendar, offer time or starvation limit for what comes. A deleted queue's contacts in line overflow with
  `message`; those with agents end as usual, without wrap-up.
- plan: as a queue that changed its plan.
- scores: hold for the offers that come.
- agent: attributes, capacity and phone hold at once; offers and contacts in hand stay. A deleted agent gets no more
  contacts and is logged out after those in hand. The first value of an agent makes it known, logged out.
- attribute: values of agents and plans are read again by its type.
- calendar, the tenant's time zone: hold for contacts that come; who is in line at closing time is served.
- the tenant's interruptions: hold for what is offered from then on; what is parked by them no longer is resumed.

Large changes are worked off in slices, SLICE tasks and agents at a time, agents first, so that no input waits for long
behind them; until its turn comes a contact stands in its old line and an agent is read as before (`sweeps`).
"""

from __future__ import annotations

from heapq import nsmallest

from junctor_router.domain import agent_commands, business_hours, matching, sweeps
from junctor_router.domain.agent import Agent, read_attributes
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.capacity import MATRIX
from junctor_router.domain.commands import ConfigurationChanged
from junctor_router.domain.configuration import (
    AgentValue,
    AttributeValue,
    CalendarValue,
    PlanValue,
    QueueValue,
    ScoresValue,
    TenantValue,
    Value,
)
from junctor_router.domain.events import ConfigurationApplied
from junctor_router.domain.plan import compile_plan, overflow_queue
from junctor_router.domain.pool_state import PoolState, Queue
from junctor_router.domain.sweeps import AttributeSweep, InterruptionSweep
from junctor_router.domain.values import AttributeType, TaskState, invalid

SLICE = 50
_QUEUE_GONE = "queue_gone"
_SWEPT = "value_changed"
KINDS: dict[str, type[Value]] = {
    "queue": QueueValue,
    "plan": PlanValue,
    "agent": AgentValue,
    "attribute": AttributeValue,
    "calendar": CalendarValue,
    "tenant": TenantValue,
    "scores": ScoresValue,
}


def change(pool: PoolState, command: ConfigurationChanged) -> None:
    """Takes a value over. The version that is in force already changes nothing, a lower one neither."""
    kind, id, value = command.kind, command.id, command.value
    expected = KINDS.get(kind)
    if expected is not None and value is not None and not isinstance(value, expected):
        raise invalid("VALUE_OF_ANOTHER_KIND", f"The value of {kind} {id} is of another kind.")
    held = pool.versions.get((kind, id), 0)
    if value is not None and command.version <= held:
        return
    if value is None and not held:
        return
    if value is None:
        del pool.versions[kind, id]
        pool.deletions += 1
    else:
        pool.versions[kind, id] = command.version
    pool.dirty.update(((kind, id), ("version", f"{kind}/{id}")))
    warnings: list[str] = []
    match kind:
        case "queue":
            warnings = _queue(pool, id, command.version, value if isinstance(value, QueueValue) else None)
        case "plan":
            warnings = _plan(pool, id, command.version, value if isinstance(value, PlanValue) else None)
        case "agent":
            warnings = _agent(pool, id, value if isinstance(value, AgentValue) else None)
        case "attribute":
            _attribute(pool, id, value if isinstance(value, AttributeValue) else None)
        case "scores":
            _scores(pool, id, value if isinstance(value, ScoresValue) else None)
        case "calendar":
            warnings = _calendar(pool, id, value if isinstance(value, CalendarValue) else None)
        case "tenant":
            _tenant(pool, value if isinstance(value, TenantValue) else TenantValue())
    pool.emit(ConfigurationApplied(kind, id, command.version, tuple(warnings)))
    work_off(pool)
    matching.settle(pool)


def work_off(pool: PoolState) -> None:
    """One slice of what changed values have left to do, in a fixed order."""
    found = nsmallest(SLICE, pool.rework)
    if pool.sweeps and (not found or found[0][0] != "agent"):
        _sweep(pool)
        found = nsmallest(SLICE, pool.rework)
    if pool.sweeps:
        found = [key for key in found if key[0] == "agent"]
    for kind, id in found:
        cause = pool.rework.pop((kind, id))
        pool.dirty.add((kind, id))
        if kind == "agent":
            agent = pool.agents.get(id)
            if agent is not None:
                _reread(pool, agent)
        else:
            task = pool.tasks[id]
            pool.leave_line(task)
            if cause == _QUEUE_GONE:
                matching.overflow_to_treatment(pool, task, "message", "")
            else:
                matching.again(pool, task)


def _sweep(pool: PoolState) -> None:
    """Marks those whom the oldest sweep concerns, of the next agents by id."""
    sweep = pool.sweeps[0]
    for id in sweeps.advance(pool.sweeps, pool.agent_ids):
        if sweep.concerns(pool.agents[id]):
            pool.rework["agent", id] = _SWEPT
            pool.dirty.add(("agent", id))


def _queue(pool: PoolState, id: str, version: int, value: QueueValue | None) -> list[str]:
    known = pool.queues.get(id)
    if value is None:
        pool.queues.pop(id, None)
        pool.lines.ratios.pop(id, None)
        _rework_tasks(pool, {id}, _QUEUE_GONE)
        return []
    if known is None:
        queue = pool.queues[id] = Queue(id, value, version)
        in_states = [task.state for task in pool.tasks.values() if task.queue == id]
        queue.offered = in_states.count(TaskState.RESERVED)
        queue.active = in_states.count(TaskState.ASSIGNED)
        queue.wrapping = in_states.count(TaskState.WRAPPING)
        pool.set_objective(queue)
        _rework_tasks(pool, {id}, matching.PLAN_CHANGED)
    else:
        moved = known.value.plan != value.plan
        known.value, known.version = value, version
        pool.set_objective(known)
        if moved:
            _rework_tasks(pool, {id}, matching.PLAN_CHANGED)
    warnings = []
    if value.plan and value.plan not in pool.plans:
        warnings.append(f"The plan {value.plan} is not known (yet); nobody is matched without it.")
    if value.calendar and value.calendar not in pool.calendars:
        warnings.append(f"The calendar {value.calendar} is not known (yet); the queue is open without it.")
    return warnings


def _plan(pool: PoolState, id: str, version: int, value: PlanValue | None) -> list[str]:
    if value is None:
        pool.plans.pop(id, None)
    else:
        pool.plans[id] = compile_plan(id, version, value, pool.parse, pool.attributes)
    _rework_tasks(pool, {queue.id for queue in pool.queues.values() if queue.value.plan == id}, matching.PLAN_CHANGED)
    if value is None:
        users = sorted(queue.id for queue in pool.queues.values() if queue.value.plan == id)
        return [f"Queues that use it match nobody now: {', '.join(users)}."] if users else []
    warnings = list(pool.plans[id].warnings)
    target = overflow_queue(pool.plans[id])
    if target and target not in pool.queues:
        warnings.append(f"The overflow queue {target} is not known (yet); a message is used without it.")
    return warnings


def _agent(pool: PoolState, id: str, value: AgentValue | None) -> list[str]:
    agent = pool.agents.get(id)
    if value is None:
        if agent is not None:
            agent.deleted = True
            if agent.logged_in:
                agent_commands.leave(pool, agent, "deleted")
            else:
                pool.forget_agent(agent)
        return []
    if agent is None:
        agent = Agent(id, value, Member(id, {}), since=pool.now)
        pool.know_agent(agent)
    agent.value, agent.deleted = value, False
    agent.set_slots()
    return _reread(pool, agent)


def _attribute(pool: PoolState, id: str, value: AttributeValue | None) -> None:
    before = pool.attributes.get(id, AttributeType.UNSPECIFIED)
    if value is None:
        pool.attributes.pop(id, None)
    else:
        pool.attributes[id] = value.type
    if before is pool.attributes.get(id, AttributeType.UNSPECIFIED) and value is not None:
        return
    pool.forget_compiled()
    pool.lines.retire()
    for name, plan in pool.plans.items():
        if plan.looks_at(id):
            pool.plans[name] = compile_plan(name, plan.version, plan.value, pool.parse, pool.attributes)
    pool.sweeps.append(AttributeSweep(id, before))
    _rework_tasks(pool, set(pool.queues), matching.PLAN_CHANGED)


def _scores(pool: PoolState, id: str, value: ScoresValue | None) -> None:
    if value is None:
        pool.scores.pop(id, None)
    else:
        pool.scores[id] = value.rows


def _calendar(pool: PoolState, id: str, value: CalendarValue | None) -> list[str]:
    if value is None:
        pool.calendars.pop(id, None)
        return []
    pool.calendars[id] = value
    return business_hours.problems(value)


def _tenant(pool: PoolState, value: TenantValue) -> None:
    moved = value.interruptions != pool.tenant_value.interruptions
    if moved:
        pool.sweeps.append(InterruptionSweep(pool.tenant_value.interruptions))
    pool.tenant_value, pool.matrix = value, MATRIX.changed(value.interruptions)


def _reread(pool: PoolState, agent: Agent) -> list[str]:
    attributes, warnings = read_attributes(agent.value, pool.read_by(agent))
    if attributes != agent.member.attributes:
        pool.ranking.set_attributes(agent.member, attributes)
        pool.index.set_attributes(agent.member, attributes)
    pool.set_profile(agent, attributes)
    pool.take_rules(agent)
    pool.park(agent)
    pool.refresh(agent)
    return warnings


def _rework_tasks(pool: PoolState, queues: set[str], cause: str) -> None:
    """Who is in line, line by line: they are far fewer than all contacts."""
    for queue in queues:
        for line in pool.lines.by_queue.get(queue, {}).values():
            rows = [("task", contact_id) for _, _, contact_id in line.entries]
            pool.rework.update(dict.fromkeys(rows, cause))
            pool.dirty.update(rows)
