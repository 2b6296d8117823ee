"""The way of a contact into line, through its plan's steps, and to an agent.

Before and after each input no waiting contact matches an agent who could take it, so an input only looks at the agents
and the contacts that it touched: first the agents, each taking the best contact in line, then the contacts.
"""

from __future__ import annotations

from itertools import islice

from junctor_router.domain.agent import Agent
from junctor_router.domain.agent_choice import CANDIDATES, choose, preferred
from junctor_router.domain.capacity import NEEDS_DEVICE
from junctor_router.domain.contact_choice import Line
from junctor_router.domain.events import StepEntered, TaskOverflowed, TaskRequeued
from junctor_router.domain.expression import Expression, bind, conjunction, describe, holds, select
from junctor_router.domain.idle_ranking import Found, members_of
from junctor_router.domain.plan import CompiledPlan, overflow_queue, treatment
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.predicted_value import SEGMENT, best, lot, value_of
from junctor_router.domain.task import FIRST_OF_ALL, Key, Task
from junctor_router.domain.timers import HOLD, RELAX, STARVE, STEP
from junctor_router.domain.values import (
    OFFERED_TO_NOBODY,
    OUT_OF_LINE,
    AgentOrder,
    Hold,
    ReservationState,
    TaskState,
)
from junctor_router.domain.wait_estimate import UNKNOWN, estimate

ELAPSED = "elapsed"
SKIPPED_NO_AGENT = "skipped_no_agent"
SKIPPED_WAIT = "skipped_wait"
PLAN_CHANGED = "plan_changed"
RELAXED = "relaxed"
RELEASED = "released"
YIELDED = "yielded"
STARVING = "starving"
NO_SHARE = -1

NEXT_IN_LINE = "first in line when the agent became free"
WISHED = "preferred by the request"
ORDERS = {order: order.name.lower().replace("_", " ") for order in AgentOrder} | {
    AgentOrder.UNSPECIFIED: "longest idle"
}
LONGEST_IDLE = (AgentOrder.LONGEST_IDLE, AgentOrder.UNSPECIFIED)


def begin(pool: PoolState, task: Task) -> None:
    """Held until its time has come, then for its preferred agents, then at the plan's first step."""
    if task.not_before > pool.now:
        _hold(pool, task, Hold.NOT_YET, task.not_before)
    elif task.hold_ms and pool.can_be_held(task):
        until, task.hold_ms = pool.now + task.hold_ms, 0
        _hold(pool, task, Hold.FOR_PREFERRED, until)
    else:
        enter(pool, task, 0, RELEASED if task.hold else "")


def keep_for(pool: PoolState, task: Task, agent_id: str, hold_ms: int) -> None:
    """In line for this agent alone, for so long; then, or when the agent is gone, at the first step of its queue's plan."""
    pool.unwish(task)
    task.preferred_agents = (agent_id,)
    pool.wish(task)
    _hold(pool, task, Hold.FOR_NAMED, pool.now + hold_ms)


def keep_out(pool: PoolState, task: Task, until: int) -> None:
    """Out of line until its own edge says something of it."""
    _hold(pool, task, Hold.FOR_EDGE, until)


def release(pool: PoolState, task: Task) -> None:
    """It has been held for long enough."""
    pool.leave_line(task)
    if task.queue in pool.queues:
        begin(pool, task)
    else:
        again(pool, task)


def _allocate(pool: PoolState, task: Task, plan: CompiledPlan, step: int) -> int:
    """The share of the step that is furthest behind its part, of those of which somebody is logged in."""
    shares = plan.steps[step].shares
    if not shares or task.priority == FIRST_OF_ALL:
        return NO_SHARE
    queue = pool.queues[task.queue]
    place = f"{plan.id}/{step}"
    pool.touch_queue(queue.id)
    for old in [place for place in queue.shared if not place.startswith(f"{plan.id}/")]:
        del queue.shared[old]
    given = queue.shared.get(place, [])
    if len(given) != len(shares):
        given = queue.shared[place] = [0] * len(shares)
    total = sum(part for part, _ in shares)
    behind = [part * (sum(given) + 1) - total * count for (part, _), count in zip(shares, given, strict=True)]
    relaxed = len(plan.steps[step].relaxing)
    here = [n for n in range(len(shares)) if select(line_for(pool, task, plan, step, relaxed, n).wanted, pool.index)]
    if not here:
        return NO_SHARE
    share = max(here, key=lambda n: (behind[n], -n))
    given[share] += 1
    return share


def starve(pool: PoolState, task: Task) -> None:
    """It has waited for so long that it comes before all others, and anyone who meets the step may have it."""
    changed = ("task", task.contact_id) in pool.rework
    pool.leave_line(task)
    task.priority, task.share = FIRST_OF_ALL, NO_SHARE
    pool.emit(StepEntered(task.contact_id, task.step, STARVING))
    if changed:
        again(pool, task)
    else:
        line_up(pool, task, pool.plan_of(task.queue))


def _hold(pool: PoolState, task: Task, why: Hold, until: int) -> None:
    """The plan's time does not run meanwhile."""
    task.hold, task.held_until, task.starves_at = why, until, 0
    stand(pool, task, line_for(pool, task, pool.plan_of(task.queue), 0, 0, NO_SHARE))


def enter(pool: PoolState, task: Task, step: int, cause: str, been: frozenset[str] = frozenset()) -> None:
    """Puts a contact in line at this step or the first one after it that is not skipped; at the plan's end it overflows.

    `been`: the queues it has already overflowed from in this input; one of them again ends the chain with a message.
    """
    plan = pool.plan_of(task.queue)
    task.hold, task.held_until = Hold.NONE, 0
    last = len(plan.steps) - 1
    while step <= last:
        reason = _skip(pool, task, plan, step)
        if reason is None or (step == last and not plan.value.overflow):
            break
        cause, step = reason, step + 1
    if step > last:
        overflow(pool, task, plan, been)
        return
    if step != task.step or cause in (ELAPSED, RELEASED):
        pool.emit(StepEntered(task.contact_id, step, cause))
    compiled = plan.steps[step].step
    if step != task.step or task.step_entered_at == 0:
        task.step, task.step_entered_at = step, pool.now
        task.share = _allocate(pool, task, plan, step)
        if task.priority != FIRST_OF_ALL:
            task.priority = compiled.priority or task.priority
    ends = compiled.duration_ms and (step < last or plan.value.overflow)
    task.step_until = task.step_entered_at + compiled.duration_ms if ends else 0
    line_up(pool, task, plan)


def line_up(pool: PoolState, task: Task, plan: CompiledPlan) -> None:
    """In the line of what the step requires after the time that the contact has been in it."""
    compiled = plan.steps[task.step]
    task.relaxed = compiled.relaxed(pool.now - task.step_entered_at)
    left = compiled.relaxing[task.relaxed :]
    task.relax_at = task.step_entered_at + left[0][0] if left else 0
    limit = pool.queue_value(task.queue).starvation_ms
    task.starves_at = task.waiting_since + limit if limit and task.priority != FIRST_OF_ALL else 0
    stand(pool, task, line_for(pool, task, plan, task.step, task.relaxed, task.share))


def relax(pool: PoolState, task: Task) -> None:
    """Something that the step required only ranks from now on."""
    changed = ("task", task.contact_id) in pool.rework
    pool.leave_line(task)
    if changed:
        again(pool, task)
        return
    pool.emit(StepEntered(task.contact_id, task.step, RELAXED))
    line_up(pool, task, pool.plan_of(task.queue))


def stand(pool: PoolState, task: Task, line: Line) -> None:
    """In line, with the step's timer running, to be matched at the end of the input."""
    task.line = line
    pool.lines.add(line, task.key)
    if task.step_until:
        pool.timers.set(STEP, task.contact_id, task.step_until)
    if task.relax_at:
        pool.timers.set(RELAX, task.contact_id, task.relax_at)
    if task.hold:
        pool.timers.set(HOLD, task.contact_id, task.held_until)
    if task.starves_at:
        pool.timers.set(STARVE, task.contact_id, task.starves_at)
    pool.tasks_to_match.add(task.contact_id)
    pool.touch_task(task)


def again(pool: PoolState, task: Task) -> None:
    """Back in line, with its age, at the step it was in, as far as its queue's plan still has it."""
    if task.queue not in pool.queues:
        overflow_to_treatment(pool, task, "message", "")
        return
    if task.hold and task.held_until > pool.now and (task.hold in OUT_OF_LINE or pool.can_be_held(task)):
        _hold(pool, task, task.hold, task.held_until)
        return
    last = len(pool.plan_of(task.queue).steps) - 1
    enter(pool, task, min(task.step, last), PLAN_CHANGED)


def to_queue(pool: PoolState, task: Task, queue: str) -> None:
    """Changes the queue of a contact that stands in no line; it begins at the first step, with its age."""
    pool.count(task.queue, task.state, -1)
    task.queue = queue
    pool.count(task.queue, task.state, 1)
    task.step, task.step_entered_at, task.step_until = 0, 0, 0
    task.relaxed, task.relax_at, task.share = 0, 0, NO_SHARE
    task.promised_ms = UNKNOWN
    task.hold, task.held_until, task.hold_ms = Hold.NONE, 0, 0


def overflow(pool: PoolState, task: Task, plan: CompiledPlan, been: frozenset[str]) -> None:
    """The plan has no step left: another queue, or the treatment that the contact's edge gives."""
    target = overflow_queue(plan)
    if target in pool.queues and target not in been and target != task.queue:
        been |= {task.queue}
        to_queue(pool, task, target)
        pool.emit(TaskRequeued(task.contact_id, target, "overflow", "", task.edge))
        enter(pool, task, 0, "overflow", been)
    else:
        overflow_to_treatment(pool, task, treatment(plan), plan.value.overflow_prompt)


def overflow_to_treatment(pool: PoolState, task: Task, name: str, prompt: str) -> None:
    pool.emit(TaskOverflowed(task.contact_id, task.queue, name, task.edge, prompt))
    pool.finish(task, TaskState.CANCELED, name)


def line_for(pool: PoolState, task: Task, plan: CompiledPlan, step: int, relaxed: int, share: int) -> Line:
    """The line of the contacts that want exactly what this one wants at that step, so far relaxed."""
    compiled = plan.steps[step]

    def required() -> list[Expression]:
        if task.hold is Hold.FOR_NAMED:
            return []
        own = (pool.requirement_in_force(text) for text in task.requirements)
        return [*compiled.required(relaxed, share), *own]

    def ranking() -> list[Expression]:
        return [] if task.hold is Hold.FOR_NAMED else compiled.preferred(relaxed)

    hold = Hold.UNREACHABLE if task.edge in pool.silent and task.hold not in OUT_OF_LINE else task.hold
    place = (task.queue, step, relaxed, int(hold), share, int(task.channel), plan.id, task.requirements)
    data = task.data
    key = (*place, tuple([data.get(name) for name in pool.lines.data_keys(place, lambda: [*required(), *ranking()])]))
    line = pool.lines.find(key)
    if line is None:
        expressions = required()
        wanted = conjunction([bind(expression.root, data, pool.attributes) for expression in expressions])
        names = dict.fromkeys(name for expression in expressions for name in expression.attributes)
        rated_by = compiled.step.weights or tuple((name, 1) for name in names)
        prefers = tuple(bind(expression.root, data, pool.attributes) for expression in ranking())
        line = pool.lines.open(key, wanted, compiled.step.order, rated_by, prefers)
    return line


def settle(pool: PoolState) -> None:
    """Matches what the input has touched; then offers to more agents, who are free all the same, what is to be."""
    if not (pool.agents_to_match or pool.tasks_to_match or pool.to_widen):
        return
    if pool.watch is None:
        _settle(pool)
        return
    pool.watch(True)
    _settle(pool)
    pool.watch(False)


def _settle(pool: PoolState) -> None:
    while pool.agents_to_match or pool.tasks_to_match or pool.to_widen:
        if pool.agents_to_match:
            agents = [pool.agents[id] for id in pool.agents_to_match if id in pool.agents]
            pool.agents_to_match.clear()
            if len(agents) > 1:
                agents.sort(key=lambda agent: agent.member.rank)
            for agent in agents:
                match_agent(pool, agent)
                pool.ranking.settle(agent.member)
            for id in pool.agents_to_match:
                pool.ranking.settle(pool.agents[id].member)
        if pool.tasks_to_match:
            tasks = [pool.tasks[id] for id in pool.tasks_to_match if id in pool.tasks]
            pool.tasks_to_match.clear()
            if len(tasks) > 1:
                tasks.sort(key=lambda task: task.line.rank(task.key) if task.line is not None else task.key)
            for task in tasks:
                match_task(pool, task)
        if not (pool.agents_to_match or pool.tasks_to_match):
            widened = [(pool.tasks[id], line) for id, line in pool.to_widen.items() if id in pool.tasks]
            pool.to_widen.clear()
            for task, line in sorted(widened, key=lambda found: found[1].rank(found[0].key)):
                widen(pool, task, line)


def match_agent(pool: PoolState, agent: Agent) -> None:
    """Fills the agent's free slots with the best contacts in line."""
    while agent.member.open:
        key = pool.lines.best(agent.profile, agent.member.open, lambda id: pool.tasks[id].excludes(agent.id))
        wished = _who_wishes(pool, agent)
        chosen_by = NEXT_IN_LINE
        if wished is not None and (key is None or wished[0] <= key[0]):
            key, chosen_by = wished, WISHED
        if key is None:
            break
        offer(pool, pool.tasks[key[2]], agent, chosen_by)


def offer(pool: PoolState, task: Task, agent: Agent, chosen_by: str) -> None:
    """Reserves the slot. A queue may offer at once to more agents, whom `settle` finds when all else is matched."""
    line = task.line
    make_way(pool, task, agent)
    pool.reserve(task, agent, chosen_by)
    if line is not None and chosen_by != WISHED and pool.queue_value(task.queue).offer_agents > 1:
        pool.to_widen[task.contact_id] = line


def make_way(pool: PoolState, task: Task, agent: Agent) -> None:
    """What rings at the agent goes back in line where it yields to this. (What is in hand is parked by the reservation.)"""
    parks = agent.matrix.parks[task.channel]
    if agent.tasks and parks:
        for contact_id in sorted(agent.tasks):
            other = pool.tasks[contact_id]
            if other.state is TaskState.RESERVED and parks >> other.channel & 1:
                take_back(pool, other, agent, YIELDED)


def take_back(pool: PoolState, task: Task, agent: Agent, cause: str) -> None:
    """Rescinds the agent's offer; the contact is in line again with its age, unless others are being offered it."""
    offer = task.offer_to(agent.id)
    if offer is not None and pool.end_offer(task, offer, ReservationState.RESCINDED, cause):
        pool.requeued(task, cause, agent.id)
        again(pool, task)


def widen(pool: PoolState, task: Task, line: Line) -> None:
    """Offers it to as many agents more as its queue says and as are free: the first who accepts has it."""
    if task.state is not TaskState.RESERVED or task.channel in NEEDS_DEVICE:
        return
    while len(task.others) + 1 < pool.queue_value(task.queue).offer_agents:
        found = _choose(pool, task, line, [held.agent_id for held in task.offers])
        if found is None:
            return
        agent, why = found
        make_way(pool, task, agent)
        pool.reserve_too(task, agent, why)


def match_task(pool: PoolState, task: Task) -> None:
    """Offers the contact to the agent whom it prefers, else whom its step's order chooses, if anyone is free."""
    line = task.line
    if line is None or line.hold in OFFERED_TO_NOBODY:
        return
    for agent_id in task.preferred_agents:
        agent = pool.agents.get(agent_id)
        if agent is not None and _fits(task, line, agent):
            offer(pool, task, agent, WISHED)
            return
    if line.hold:
        return
    found = _choose(pool, task, line, [])
    if found is not None:
        offer(pool, task, *found)


def _choose(pool: PoolState, task: Task, line: Line, besides: list[str]) -> tuple[Agent, str] | None:
    """By the step's order, of those who are open for it, not excluded and meet its preferences best; and why."""
    without = [*task.excluded_agents, *task.paused, *besides]
    if line.order in LONGEST_IDLE and not line.prefers:
        first = pool.ranking.first(line.pick, line.channel, without)
        return None if first is None else (pool.agents[first.id], ORDERS[line.order])
    absent = [agent.member for id in without if (agent := pool.agents.get(id)) is not None]
    matching = preferred(pool.ranking.matching(line.pick, line.channel, absent), line.prefer_picks)
    if line.order is AgentOrder.HIGHEST_VALUE and matching:
        agent_id, why = _most_valuable(pool, task, matching)
        return pool.agents[agent_id], why
    chosen = choose(matching, line.order, line.rated_by, pool.agents, pool.now)
    return None if chosen is None else (pool.agents[chosen], _why(line, pool.agents[chosen]))


def _most_valuable(pool: PoolState, task: Task, matching: Found) -> tuple[str, str]:
    """Among those who have been idle longest: the agent and why."""
    queue = pool.queue_value(task.queue)
    candidates = list(islice(members_of(matching), CANDIDATES))
    drawn = lot(f"{pool.tenant}/{pool.name}", task.contact_id, queue.explore_percent, len(candidates))
    if drawn is not None:
        return candidates[drawn].id, f"by lot among {len(candidates)}, to explore"
    segment, scores = task.data.get(SEGMENT, ""), pool.scores.get(task.queue, ())
    values = [value_of(m.attributes, segment, scores, queue.objective, pool.attributes) for m in candidates]
    chosen, value = best(candidates, values)
    return chosen.id, f"highest predicted value ({value}) of {len(candidates)}"


def _why(line: Line, agent: Agent) -> str:
    met = [describe(node) for node in line.prefers if holds(node, agent.member.attributes)]
    return ORDERS[line.order] + (f" of those who meet the preferred {', '.join(met)}" if met else "")


def estimated_wait(pool: PoolState, task: Task) -> tuple[int, int]:
    """Position (1 is next, 0 where it is not in line) and milliseconds to wait (-1 where it cannot be told)."""
    if task.state is not TaskState.QUEUED:
        return 0, 0 if task.state in (TaskState.RESERVED, TaskState.ASSIGNED) else UNKNOWN
    position = pool.lines.position(task.queue, task.key)
    queue = pool.queues.get(task.queue)
    wait = UNKNOWN if queue is None else estimate(position, queue.pace, pool.now)
    return position, max(wait, task.held_until - pool.now) if task.hold is Hold.NOT_YET else wait


def _skip(pool: PoolState, task: Task, plan: CompiledPlan, step: int) -> str | None:
    settings = plan.steps[step].step
    if settings.skip_if_no_agent and not _anyone(pool, task, plan, step):
        return SKIPPED_NO_AGENT
    if settings.skip_if_wait_above_ms or settings.skip_if_wait_below_ms:
        position = pool.lines.position(task.queue, task.key)
        wait = estimate(position, pool.queues[task.queue].pace, pool.now)
        if wait > (settings.skip_if_wait_above_ms or wait) or UNKNOWN < wait < settings.skip_if_wait_below_ms:
            return SKIPPED_WAIT
    return None


def _anyone(pool: PoolState, task: Task, plan: CompiledPlan, step: int) -> int:
    """Who is logged in and meets the step once all that relaxes is relaxed."""
    return select(line_for(pool, task, plan, step, len(plan.steps[step].relaxing), NO_SHARE).wanted, pool.index)


def _fits(task: Task, line: Line, agent: Agent) -> bool:
    return (
        line.hold not in OFFERED_TO_NOBODY
        and bool(agent.member.open >> task.channel & 1)
        and not task.excludes(agent.id)
        and line.test(agent.member.attributes)
    )


def _who_wishes(pool: PoolState, agent: Agent) -> Key | None:
    """The first contact in line that prefers this agent."""
    found: Key | None = None
    for contact_id in pool.wishes.get(agent.id, ()):
        task = pool.tasks[contact_id]
        if task.line is not None and (found is None or task.key < found) and _fits(task, task.line, agent):
            found = task.key
    return found
