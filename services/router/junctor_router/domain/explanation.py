"""Why a contact waits or was given to its agent, and why an agent has nothing: read from the state as it is now."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_router.domain import capacity, matching
from junctor_router.domain.agent import Agent
from junctor_router.domain.attribute_index import AttributeIndex
from junctor_router.domain.edge_reach import ALL_CHANNELS
from junctor_router.domain.expression import (
    Attribute,
    Compare,
    Constant,
    Has,
    In,
    Node,
    Not,
    bind,
    clauses,
    describe,
    select,
)
from junctor_router.domain.plan import CompiledPlan
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.reach import NOBODY_EVER, elsewhere, hopeless
from junctor_router.domain.task import FIRST_OF_ALL, Task
from junctor_router.domain.values import CHANNELS, FOR_SOMEBODY, AgentState, Channel, DeviceState, Hold, TaskState

NAMED = 10
"""Agents that get a sentence of their own; the rest is counted."""


@dataclass(frozen=True, slots=True)
class ClauseExplanation:
    """`matching`: logged-in agents who meet this clause alone; `remaining`: who meet it and all before it."""

    clause: str
    matching: int
    remaining: int


@dataclass(frozen=True, slots=True)
class StepExplanation:
    step: int
    expression: str
    current: bool
    clauses: tuple[ClauseExplanation, ...]
    available: int


@dataclass(frozen=True, slots=True)
class Explanation:
    summary: str
    steps: tuple[StepExplanation, ...] = ()
    reasons: tuple[str, ...] = ()


def explain_contact(pool: PoolState, task: Task) -> Explanation:
    """Steps with the contact's own requirements added; the reasons are those of the step it is in."""
    plan = pool.plan_of(task.queue)
    steps = tuple(_step(pool, task, plan, number) for number in range(len(plan.steps)))
    if task.state is not TaskState.QUEUED:
        return Explanation(_not_waiting(pool, task), steps)
    position, wait = matching.estimated_wait(pool, task)
    current = steps[min(task.step, len(steps) - 1)]
    left = current.clauses[-1].remaining if current.clauses else 0
    who = f"{_people(left)} of those logged in match" if left else "nobody who is logged in matches"
    summary = f"The contact is number {position} in {task.queue}, in step {task.step}: {who}, so it waits."
    if wait >= 0:
        summary += f" Estimated wait: {wait // 1000} s."
        queue = pool.queues.get(task.queue)
        if queue is not None and queue.errors.count:
            summary += f" Such estimates were wrong by {queue.errors.mean_absolute_ms // 1000} s on average."
    return Explanation(
        summary, steps, (*_urgency(pool, task), *_relaxing(pool, task, plan), *_why_not(pool, task, left))
    )


def explain_agent(pool: PoolState, agent: Agent) -> Explanation:
    """Why the agent has no (more) contacts."""
    reasons = [f"Has {task_id} ({pool.tasks[task_id].state.name.lower()})." for task_id in sorted(agent.tasks)]
    blocked = _blocked(agent)
    if blocked is not None:
        return Explanation(f"{agent.id} gets no contacts: {blocked}.", (), tuple(reasons))
    mask = agent.open_channels()
    for channel in CHANNELS:
        if not mask >> channel & 1:
            reasons.append(f"Takes no {channel.name.lower()} now: {_closed(agent, channel)}.")
    waiting = pool.waiting()
    open_to = [task for task in waiting if mask >> task.channel & 1]
    reasons += [
        f"{len(waiting)} contacts wait in the pool, {len(open_to)} of them on channels that the agent can take now."
    ]
    for task in open_to[:NAMED]:
        reasons.append(f"{task.contact_id} in {task.queue}: {_unmet(pool, task, agent)}.")
    return Explanation(f"{agent.id} is ready; no contact in line matches.", (), tuple(reasons))


def _step(pool: PoolState, task: Task, plan: CompiledPlan, number: int) -> StepExplanation:
    compiled = plan.steps[number]
    current = task.state is TaskState.QUEUED and number == task.step
    required = compiled.required(task.relaxed if current else 0, task.share if current else -1)
    roots = [
        *(expression.root for expression in required),
        *(pool.requirement_in_force(text).root for text in task.requirements),
    ]
    everyone = pool.index.everyone
    remaining = everyone
    found = []
    for root in roots:
        for clause in clauses(root):
            bound = bind(clause, task.data, pool.attributes)
            alone = select(bound, pool.index) & everyone
            remaining &= alone
            text = "everyone" if clause == Constant(True) else describe(clause)
            found.append(ClauseExplanation(text, alone.bit_count(), remaining.bit_count()))
    free = sum(1 for member in pool.index.at(remaining) if member.open >> task.channel & 1)
    return StepExplanation(number, compiled.step.expression, current, tuple(found), free)


def _urgency(pool: PoolState, task: Task) -> list[str]:
    """What decides between the contact and those of other queues that the same agent may have."""
    value = pool.queue_value(task.queue)
    found = []
    if task.priority == FIRST_OF_ALL:
        found.append("It has waited for longer than the queue allows and comes before all others.")
    elif task.hold:
        return []
    if value.service_level_ms:
        left = task.arrived_at + value.service_level_ms - pool.now
        what = f"{left // 1000} s are left" if left >= 0 else f"missed by {-left // 1000} s"
        found.append(f"Of the service level of {value.service_level_ms // 1000} s {what}.")
    if value.ratio:
        others = sorted(id for id in pool.lines.ratios if id != task.queue)
        found.append(f"The queue takes turns with {', '.join(others) or 'no other'}; its part is {value.ratio}.")
    return found


def _relaxing(pool: PoolState, task: Task, plan: CompiledPlan) -> list[str]:
    """What of the contact's step is not required for ever, and what only ranks."""
    if task.step >= len(plan.steps):
        return []
    compiled = plan.steps[task.step]
    found = [
        f"{expression.text} is required for the first {after // 1000} s of the step; {(at - pool.now) // 1000} s are left."
        for after, expression in compiled.relaxing[task.relaxed :]
        if (at := task.step_entered_at + after) > pool.now
    ]
    if 0 <= task.share < len(compiled.shares):
        part, expression = compiled.shares[task.share]
        of = sum(other for other, _ in compiled.shares)
        found.append(f"It is one of the {part} in {of} contacts of the step for {expression.text or 'everyone'}.")
    preferred = compiled.preferred(task.relaxed)
    if preferred:
        found.append(f"Preferred, not required: {', then '.join(expression.text for expression in preferred)}.")
    return found


def _why_not(pool: PoolState, task: Task, matching_count: int) -> list[str]:
    line = task.line
    if line is None:
        return []
    left = max(task.held_until - pool.now, 0) // 1000
    if line.hold is Hold.NOT_YET:
        return [f"It is for later: nobody is offered it in the next {left} s."]
    if line.hold is Hold.UNREACHABLE:
        return [
            f"Its edge {task.edge} is not reached: it keeps its place, and nobody is offered it until that is heard again."
        ]
    if line.hold is Hold.FOR_EDGE:
        return [
            f"Its agent's phone had nothing of it any more: it waits {left} s more for a word from its edge {task.edge}."
        ]
    if line.hold in FOR_SOMEBODY:
        kept = f"It is kept for {', '.join(task.preferred_agents)} for {left} s more."
        known = [pool.agents[id] for id in task.preferred_agents if id in pool.agents]
        return [kept, *(f"{agent.id}: {_why_agent_not(task, agent)}." for agent in known)]
    plan = pool.queue_value(task.queue).plan
    if plan and plan not in pool.plans:
        return [f"The plan {plan} of the queue is not known, so nobody matches."]
    if not matching_count:
        return [
            *_hopeless(pool, line.wanted),
            "Nobody who is logged in meets the requirement.",
            *_who_could(pool, task),
        ]
    found = []
    members = pool.index.at(select(line.wanted, pool.index))
    for member in members[:NAMED]:
        agent = pool.agents[member.id]
        found.append(f"{agent.id}: {_why_agent_not(task, agent)}.")
    if len(members) > NAMED:
        found.append(f"{len(members) - NAMED} more agents match and are not free for it.")
    return found


def _why_agent_not(task: Task, agent: Agent) -> str:
    if agent.id in task.excluded_agents:
        return "is excluded by the request"
    if agent.id in task.paused:
        return "did not take this contact a moment ago"
    return _blocked(agent) or _closed(agent, task.channel)


def _hopeless(pool: PoolState, wanted: Node) -> list[str]:
    """Attributes that nobody logged in has."""
    names = sorted({name for clause in clauses(wanted) for name in _names(clause)})
    return [f"Nobody who is logged in has the attribute {name}." for name in names if not pool.index.having(name)]


def _who_could(pool: PoolState, task: Task) -> list[str]:
    if hopeless(pool, task):
        return [NOBODY_EVER]
    away = elsewhere(pool, task)
    more = f" and {len(away) - NAMED} more" if len(away) > NAMED else ""
    return [f"Not logged in, and would meet it: {', '.join(away[:NAMED])}{more}."] if away else []


def _names(node: Node) -> list[str]:
    match node:
        case Compare(_, Attribute(name), _) | In(Attribute(name), _) | Has(Attribute(name)):
            return [name]
        case Not(part):
            return _names(part)
        case _:
            return [name for part in getattr(node, "parts", ()) for name in _names(part)]


def _blocked(agent: Agent) -> str | None:
    if agent.deleted:
        return "is no longer in the directory"
    if agent.pending is not AgentState.UNSPECIFIED:
        return f"will be {agent.pending.name.lower()} after the contacts in hand"
    if agent.lost_until:
        return "has lost the connection"
    if agent.state is not AgentState.READY:
        return f"is {agent.state.name.lower()}" + (f" ({agent.reason})" if agent.reason else "")
    return None


def _closed(agent: Agent, channel: Channel) -> str:
    name = channel.name.lower()
    if agent.closed >> channel & 1:
        return _cut_off(agent)
    slots = agent.slots.get(channel, 0)
    if not slots:
        if channel in capacity.NEEDS_DEVICE and not agent.value.device:
            return "has no phone"
        return f"serves no {name} in this session"
    if agent.load.get(channel, 0) >= slots:
        return f"has as many {name} contacts as allowed ({slots})"
    if channel in capacity.NEEDS_DEVICE and agent.device in (DeviceState.BUSY, DeviceState.UNREGISTERED):
        return f"the phone is {agent.device.name.lower()}"
    allowed = agent.matrix.allows[channel]
    others = sorted(other.name.lower() for other, count in agent.load.items() if count and not allowed >> other & 1)
    if others:
        return f"has {', '.join(others)} in hand, which {name} does not interrupt"
    return "is being matched"


def _cut_off(agent: Agent) -> str:
    if agent.closed == ALL_CHANNELS:
        return "the workspace's edge is not reached"
    if agent.held:
        return f"the phone has {agent.held}, which is not known here"
    return f"the phone's edge {agent.edge} is not reached, or has not said what its phones hold"


def _unmet(pool: PoolState, task: Task, agent: Agent) -> str:
    if task.excludes(agent.id):
        return _why_agent_not(task, agent)
    if task.line is None:
        return "is not in line"
    lonely = AttributeIndex()
    member = type(agent.member)(agent.id, agent.member.attributes)
    lonely.add(member)
    unmet = [describe(clause) for clause in clauses(task.line.wanted) if not select(clause, lonely)]
    return f"does not meet {' && '.join(unmet)}" if unmet else "another agent comes first"


def _not_waiting(pool: PoolState, task: Task) -> str:
    agent = pool.agents.get(task.agent_id)
    who = task.agent_id + (f" (session {agent.session})" if agent is not None else "")
    match task.state:
        case TaskState.RESERVED:
            also = [f"{other.agent_id} ({other.chosen_by})" for other in task.others]
            first = f"The contact is being offered to {who}, who matched step {task.step}: {task.chosen_by}."
            return f"{first} At the same time to {', '.join(also)}: the first who accepts has it." if also else first
        case TaskState.ASSIGNED:
            return f"{who} has the contact and matched step {task.step}: {task.chosen_by}."
        case TaskState.PARKED:
            return f"{who} has the contact; it is parked for {_what_comes_first(pool, task)} and goes on after that."
        case _:
            return f"The customer is gone; {who} is in wrap-up."


def _what_comes_first(pool: PoolState, task: Task) -> str:
    agent = pool.agents[task.agent_id]
    first = [id for id, channel in sorted(agent.tasks.items()) if agent.matrix.parks[channel] >> task.channel & 1]
    return ", ".join(f"{id} ({pool.tasks[id].channel.name.lower()})" for id in first)


def _people(count: int) -> str:
    return "one agent" if count == 1 else f"{count} agents"
