"""A pool's state and the elementary changes to it. What decides on them is in `matching` and the `*_commands` modules.

Tasks, agents and configuration are the state; the index, the lines, the timers and the profiles are derived from it and
built again on `load`. Whatever iterates over tasks or agents to make events does so in a sorted order, because a loaded
state's dictionaries are not in the order of the one that was saved.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from junctor_router.domain import reservation
from junctor_router.domain.agent import Agent
from junctor_router.domain.attribute_index import AttributeIndex
from junctor_router.domain.capacity import MATRIX, Matrix
from junctor_router.domain.configuration import DEFAULT_OBJECTIVE_MS, CalendarValue, QueueValue, Score, TenantValue
from junctor_router.domain.contact_choice import Line, WaitingLines
from junctor_router.domain.edge_reach import Edge, closed, silent, uncalled
from junctor_router.domain.events import (
    AgentStateChanged,
    Event,
    ReservationCreated,
    ReservationEnded,
    TaskParked,
    TaskRequeued,
    TaskResumed,
)
from junctor_router.domain.expression import Expression, ExpressionRefused, Parse, Scalar, compile_expression
from junctor_router.domain.finished import FinishedTask
from junctor_router.domain.idle_ranking import IdleRanking
from junctor_router.domain.lines_met import NO_PROFILE, Profile
from junctor_router.domain.plan import MISSING_PLAN, NOBODY, OPEN_PLAN, CompiledPlan
from junctor_router.domain.reservation import NO_OFFER, Offer
from junctor_router.domain.sweeps import Sweep, matrix_for, types_for
from junctor_router.domain.task import Task
from junctor_router.domain.timers import GRACE, HOLD, OFFER, PAUSE, RELAX, STARVE, STEP, WRAP_UP, Timers
from junctor_router.domain.values import (
    FOR_SOMEBODY,
    IN_HAND,
    AgentState,
    AttributeType,
    Channel,
    ReservationState,
    TaskState,
)
from junctor_router.domain.wait_estimate import UNKNOWN, Errors, new_pace

REMEMBERED_MS = 120_000
"""How long a finished contact is remembered, so that late commands get a true answer."""
FORGET_AT_ONCE = 200
_OFFERED = frozenset({TaskState.RESERVED})
_ACTIVE = frozenset({TaskState.ASSIGNED, TaskState.PARKED})
_WRAPPING = frozenset({TaskState.WRAPPING})
TURNS_KEPT = 1_000
"""Offers of a queue after which the turns of all queues with a ratio are halved, so that the distant past fades."""


@dataclass(slots=True)
class Queue:
    id: str
    value: QueueValue
    version: int
    pace: deque[int] = field(default_factory=new_pace)
    errors: Errors = field(default_factory=Errors)
    shared: dict[str, list[int]] = field(default_factory=dict)
    """How many contacts each share of a step (`plan@version/step`) has been given."""
    offered: int = 0
    active: int = 0
    wrapping: int = 0
    turns: int = 0
    """Offers made, where the queue has a ratio; halved with those of the others now and then."""

    @property
    def taken(self) -> int:
        return self.turns * 1_000_000 // max(self.value.ratio, 1)


@dataclass(slots=True)
class PoolState:
    tenant: str
    name: str
    parse: Parse
    now: int = 0
    site_epoch: int = 1
    reservations: int = 0
    deletions: int = 0
    holders: dict[str, int] = field(default_factory=dict)
    """Processes with streams of agents, and until when each counts as alive."""
    tenant_value: TenantValue = field(default_factory=TenantValue)
    tasks: dict[str, Task] = field(default_factory=dict)
    finished: dict[str, FinishedTask] = field(default_factory=dict)
    _to_forget: deque[FinishedTask] = field(default_factory=deque)
    """The finished ones by their end, and some that have come again."""
    agents: dict[str, Agent] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    plans: dict[str, CompiledPlan] = field(default_factory=dict)
    attributes: dict[str, AttributeType] = field(default_factory=dict)
    calendars: dict[str, CalendarValue] = field(default_factory=dict)
    scores: dict[str, tuple[Score, ...]] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    """The directory's version of each value that is applied, by kind and id."""
    edges: dict[str, Edge] = field(default_factory=dict)
    """Those of two sites that were heard of."""
    silent: frozenset[str] = frozenset()
    """Edges that are not reached (derived)."""
    uncalled: frozenset[str] = frozenset()
    """Edges whose agents' slots are not known (derived)."""
    rework: dict[tuple[str, str], str] = field(default_factory=dict)
    """Tasks and agents that a changed value touches and that are not done over yet; each with the cause."""
    sweeps: list[Sweep] = field(default_factory=list)
    """Changed values for which not all agents were looked at yet, the oldest first."""
    agent_ids: list[str] = field(default_factory=list)
    """Of all agents, sorted (derived)."""

    matrix: Matrix = MATRIX
    """What may come on top of what, by the tenant's value (derived)."""
    index: AttributeIndex = field(default_factory=AttributeIndex)
    ranking: IdleRanking = field(default_factory=IdleRanking)
    lines: WaitingLines = field(init=False)
    timers: Timers = field(default_factory=Timers)
    dirty: set[tuple[str, str]] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    agents_to_match: set[str] = field(default_factory=set)
    tasks_to_match: set[str] = field(default_factory=set)
    to_widen: dict[str, Line] = field(default_factory=dict)
    """Contacts offered in this input that more agents may be offered at once, with the lines they were in."""
    watch: Callable[[bool], None] | None = None
    """Told when a match step begins (true) and ends: for who measures, it decides nothing."""
    streams: dict[str, dict[str, None]] = field(default_factory=dict)
    """Agents by the processes that have their streams (derived)."""
    wishes: dict[str, dict[str, None]] = field(default_factory=dict)
    """Contacts by the agents that they prefer."""
    _requirements: dict[str, Expression] = field(default_factory=dict)
    _profiles: dict[str, Profile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines = WaitingLines(self.index.values)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def touch_task(self, task: Task) -> None:
        self.dirty.add(("task", task.contact_id))

    def touch_agent(self, agent: Agent) -> None:
        self.dirty.add(("agent", agent.id))

    def touch_queue(self, queue: str) -> None:
        self.dirty.add(("queue", queue))

    # configuration

    def set_objective(self, queue: Queue) -> None:
        """Derived from the value: how the queue's contacts compare with those of others."""
        self.lines.set_objective(queue.id, queue.value.service_level_ms or DEFAULT_OBJECTIVE_MS)
        if queue.value.ratio:
            self.lines.ratios[queue.id] = queue
        else:
            self.lines.ratios.pop(queue.id, None)

    def take_turn(self, queue_id: str, change: int) -> None:
        """An offer of a queue with a ratio, or one that led to nothing."""
        queue = self.queues.get(queue_id)
        if queue is None or not queue.value.ratio:
            return
        queue.turns = max(queue.turns + change, 0)
        self.touch_queue(queue_id)
        if queue.turns > TURNS_KEPT:
            for other in self.queues.values():
                if other.turns:
                    other.turns //= 2
                    self.touch_queue(other.id)

    def plan_of(self, queue: str) -> CompiledPlan:
        """The plan of a queue. A queue whose plan is not known (yet) matches nobody, as does a deleted one."""
        if queue not in self.queues:
            return MISSING_PLAN
        name = self.queues[queue].value.plan
        if not name:
            return OPEN_PLAN
        return self.plans.get(name, MISSING_PLAN)

    def queue_value(self, queue: str) -> QueueValue:
        """The queue's value; the defaults for one that was deleted while it had contacts."""
        found = self.queues.get(queue)
        return QueueValue() if found is None else found.value

    def requirement(self, text: str) -> Expression:
        """Compiled once. Raises `ExpressionRefused`."""
        found = self._requirements.get(text)
        if found is None:
            if len(self._requirements) > 10_000:
                self._requirements.clear()
            found = self._requirements[text] = compile_expression(text, self.parse, self.attributes)
        return found

    def requirement_in_force(self, text: str) -> Expression:
        """A requirement of a contact that was taken: where an attribute's type has changed since and it can no longer be
        used, nobody meets it."""
        try:
            return self.requirement(text)
        except ExpressionRefused:
            return NOBODY

    def forget_compiled(self) -> None:
        self._requirements.clear()

    def set_profile(self, agent: Agent, attributes: dict[str, Scalar]) -> None:
        """Agents of the same attributes share one; it goes with the last of them."""
        self._leave_profile(agent)
        key = "\n".join([f"{name}={value!r}" for name, value in sorted(attributes.items())])
        found = self._profiles.get(key)
        if found is None:
            found = self._profiles[key] = Profile(key, attributes)
        found.agents += 1
        agent.profile, agent.member.attributes = found, found.attributes

    def _leave_profile(self, agent: Agent) -> None:
        left = agent.profile
        if left is NO_PROFILE:
            return
        left.agents -= 1
        if not left.agents:
            del self._profiles[left.key]
        agent.profile = NO_PROFILE

    # agents

    def busy(self, agent: Agent) -> bool:
        """Whether the agent has contacts in hand, not only offers."""
        return any(self.tasks[c].state in IN_HAND for c in agent.tasks)

    def read_by(self, agent: Agent) -> Mapping[str, AttributeType]:
        """The types by which the agent's attributes are read: those before a change until its sweep has come to the agent."""
        return types_for(agent.id, self.sweeps, self.attributes)

    def take_rules(self, agent: Agent) -> None:
        """What may come on top of what for the agent: its own rules on those of the tenant, which change with a sweep."""
        own = agent.value.interruptions
        matrix = matrix_for(agent.id, self.sweeps, self.matrix)
        agent.matrix = matrix.changed(own) if own else matrix

    def park(self, agent: Agent) -> None:
        """Parks what yields to something that the agent has, or is being offered, and resumes what does no longer."""
        if not agent.tasks:
            return
        resting = agent.resting()
        for contact_id in sorted(agent.tasks):
            task = self.tasks[contact_id]
            rests = bool(resting >> task.channel & 1)
            if rests and task.state is TaskState.ASSIGNED:
                task.parked_at = self.now
                self.to_state(task, TaskState.PARKED)
                for_channel = next(
                    c for c in Channel if agent.load.get(c) and agent.matrix.parks[c] >> task.channel & 1
                )
                self.emit(TaskParked(contact_id, agent.id, task.channel, task.queue, for_channel, task.edge))
            elif not rests and task.state is TaskState.PARKED:
                parked_ms = self.unpark(task)
                self.to_state(task, TaskState.ASSIGNED)
                self.emit(TaskResumed(contact_id, agent.id, task.channel, task.queue, parked_ms, task.edge))

    def unpark(self, task: Task) -> int:
        """For how long it was parked now (ms)."""
        parked_ms = self.now - task.parked_at if task.parked_at else 0
        task.parked_at, task.parked_ms = 0, task.parked_ms + parked_ms
        return parked_ms

    def refresh(self, agent: Agent, match: bool = True) -> None:
        """Tells the index what the agent may be offered now, and has the agent matched where that may be more."""
        if self.edges:
            agent.closed = closed(agent, self.silent, self.uncalled)
        if agent.member.position >= 0:
            mask = agent.open_channels()
            self.ranking.set_open(agent.member, mask)
            if mask and match:
                self.agents_to_match.add(agent.id)
        self.touch_agent(agent)

    def rank_last(self, agent: Agent) -> None:
        """The agent's idle time begins now."""
        if agent.member.position >= 0:
            self.ranking.to_the_back(agent.member)
            self.touch_agent(agent)
            if agent.member.open:
                self.agents_to_match.add(agent.id)

    def change_state(self, agent: Agent, state: AgentState, reason: str) -> None:
        """Takes a state, whatever was pending. Leaves the contacts alone."""
        previous, previous_since = agent.state, agent.since
        if state is not previous:
            agent.since = self.now
        agent.state, agent.reason = state, reason
        agent.pending, agent.pending_reason = AgentState.UNSPECIFIED, ""
        self.emit(
            AgentStateChanged(agent.id, state, previous, reason, agent.session, previous_since, AgentState.UNSPECIFIED)
        )
        if state is AgentState.LOGGED_OUT:
            if agent.member.position >= 0:
                self.ranking.set_open(agent.member, 0)
                self.ranking.remove(agent.member)
                self.index.remove(agent.member)
            self._release_held(agent)
            self.clear_grace(agent)
            if agent.deleted:
                self.forget_agent(agent)
        elif agent.member.position < 0:
            self.index.add(agent.member)
            self.ranking.enter(agent.member)
        elif state is AgentState.READY and previous is not AgentState.READY:
            self.rank_last(agent)
        self.refresh(agent)

    def set_reach(self) -> None:
        """Derived from the edges, of which one or the site epoch has changed."""
        self.silent, self.uncalled = silent(self.edges), uncalled(self.edges, self.site_epoch)

    def reservation_of(self, task: Task, agent: Agent) -> str:
        """Under which reservation the agent has the contact, or is being offered it."""
        offer = task.offer_to(agent.id)
        return task.reservation_id if offer is None else offer.reservation_id

    def clear_grace(self, agent: Agent) -> None:
        agent.lost_until = 0
        self.timers.clear(GRACE, agent.id)

    def hold_stream(self, agent: Agent, holder: str) -> None:
        agent.holders = tuple(sorted({*agent.holders, holder}))
        self.streams.setdefault(holder, {})[agent.id] = None
        self.touch_agent(agent)

    def drop_stream(self, agent: Agent, holder: str) -> None:
        agent.holders = tuple(name for name in agent.holders if name != holder)
        self.streams.get(holder, {}).pop(agent.id, None)
        self.touch_agent(agent)

    def know_agent(self, agent: Agent) -> None:
        """A new one."""
        self.agents[agent.id] = agent
        insort(self.agent_ids, agent.id)

    def forget_agent(self, agent: Agent) -> None:
        for holder in agent.holders:
            self.drop_stream(agent, holder)
        self._leave_profile(agent)
        del self.agents[agent.id]
        del self.agent_ids[bisect_left(self.agent_ids, agent.id)]
        self.touch_agent(agent)

    def set_pending(self, agent: Agent, state: AgentState, reason: str) -> None:
        """A state to take after the contacts in hand; offers end at once."""
        agent.pending, agent.pending_reason = state, reason
        self.emit(AgentStateChanged(agent.id, agent.state, agent.state, reason, agent.session, agent.since, state))
        self.refresh(agent)

    def release(self, agent: Agent, task: Task, worked: bool) -> None:
        """Gives the slot back; after the last contact a pending state is taken. `worked`: the idle time begins now."""
        agent.give_back(task.contact_id)
        self.park(agent)
        if worked:
            self.rank_last(agent)
        if agent.pending is not AgentState.UNSPECIFIED and not agent.tasks:
            self.change_state(agent, agent.pending, agent.pending_reason)
        else:
            self.refresh(agent)

    # tasks

    def wish(self, task: Task) -> None:
        for agent_id in task.preferred_agents:
            self.wishes.setdefault(agent_id, {})[task.contact_id] = None

    def unwish(self, task: Task) -> None:
        for agent_id in task.preferred_agents:
            self.wishes[agent_id].pop(task.contact_id, None)

    def can_be_held(self, task: Task) -> bool:
        """Whether one of the preferred agents is here and may be offered the contact sooner or later."""
        agents = (self.agents.get(id) for id in task.preferred_agents if not task.excludes(id))
        return any(agent is not None and agent.logged_in for agent in agents)

    def _release_held(self, agent: Agent) -> None:
        """Contacts that were kept for an agent who is gone are kept no longer; each is looked at by a tick of its own."""
        for contact_id in sorted(self.wishes.get(agent.id, ())):
            task = self.tasks[contact_id]
            if task.line is not None and task.hold in FOR_SOMEBODY and not self.can_be_held(task):
                task.held_until = min(task.held_until, self.now)
                self.timers.set(HOLD, contact_id, task.held_until)
                self.touch_task(task)

    def count(self, queue: str, state: TaskState, change: int) -> None:
        found = self.queues.get(queue)
        if found is None:
            return
        if state in _OFFERED:
            found.offered += change
        elif state in _ACTIVE:
            found.active += change
        elif state in _WRAPPING:
            found.wrapping += change

    def to_state(self, task: Task, state: TaskState) -> None:
        self.count(task.queue, task.state, -1)
        self.count(task.queue, state, 1)
        task.state = state
        self.touch_task(task)

    def leave_line(self, task: Task) -> None:
        """With the timers that only one in line has (`matching.stand`)."""
        if task.line is None:
            return
        self.lines.remove(task.line, task.key)
        task.line = None
        if task.step_until:
            self.timers.clear(STEP, task.contact_id)
        if task.relax_at:
            self.timers.clear(RELAX, task.contact_id)
        if task.hold:
            self.timers.clear(HOLD, task.contact_id)
        if task.starves_at:
            self.timers.clear(STARVE, task.contact_id)
        if self.rework:
            self.rework.pop(("task", task.contact_id), None)

    def reserve(self, task: Task, agent: Agent, chosen_by: str) -> None:
        """The offer. The caller has checked that the agent may have it, and says in words why this one."""
        self.leave_line(task)
        task.expires_at = self.now + self.queue_value(task.queue).offer_timeout_ms
        offer = self._hold_slot(task, agent, chosen_by)
        task.lead_with(offer, ())
        self._measure(task)
        self.take_turn(task.queue, 1)
        self.to_state(task, TaskState.RESERVED)
        self.timers.set(OFFER, task.contact_id, task.expires_at)

    def reserve_too(self, task: Task, agent: Agent, chosen_by: str) -> None:
        """The same contact to one more agent, until the same moment."""
        task.others = (*task.others, self._hold_slot(task, agent, chosen_by))
        self.touch_task(task)

    def _hold_slot(self, task: Task, agent: Agent, chosen_by: str) -> Offer:
        self.reservations += 1
        agent.last_turn = self.reservations
        id = reservation.reservation_id(self.tenant, self.name, self.site_epoch, self.reservations, agent.session)
        others = bool(agent.tasks)
        agent.take(task.contact_id, task.channel)
        if others:
            self.park(agent)
        self.refresh(agent, match=False)
        self.emit(
            ReservationCreated(
                id,
                task.contact_id,
                agent.id,
                agent.session,
                task.channel,
                task.queue,
                task.expires_at,
                agent.value.device,
                task.edge,
                chosen_by,
            )
        )
        return Offer(agent.id, id, chosen_by)

    def _measure(self, task: Task) -> None:
        """The first offer shows how good the estimate was that its request got."""
        queue = self.queues.get(task.queue)
        if queue is not None and task.promised_ms != UNKNOWN:
            queue.errors.add(task.promised_ms, max(self.now - task.queued_at, 0))
            self.touch_queue(queue.id)
        task.promised_ms = UNKNOWN

    def end_offer(self, task: Task, offer: Offer, state: ReservationState, cause: str) -> bool:
        """Ends a pending reservation and frees its slot. True where none is left: the task belongs to no line then."""
        agent = self.agents[offer.agent_id]
        self.emit(ReservationEnded(offer.reservation_id, task.contact_id, agent.id, state, cause, task.edge))
        left = tuple(other for other in task.offers if other.agent_id != agent.id)
        if left:
            task.lead_with(left[0], left[1:])
        else:
            self.timers.clear(OFFER, task.contact_id)
            self.take_turn(task.queue, -1)
            task.lead_with(NO_OFFER, ())
            task.expires_at = 0
        self.touch_task(task)
        self.release(agent, task, worked=False)
        return not left

    def end_offers(self, task: Task, state: ReservationState, cause: str) -> list[str]:
        """Ends all that are pending. The agents who had them, by id."""
        offers = task.offers
        for offer in offers:
            self.end_offer(task, offer, state, cause)
        return [offer.agent_id for offer in offers]

    def pause(self, task: Task, agent_id: str, until: int) -> None:
        """The agent gets no offer of this contact before that moment."""
        task.paused[agent_id] = until
        self.timers.set(PAUSE, task.contact_id, min(task.paused.values()))
        self.touch_task(task)

    def requeued(self, task: Task, cause: str, agent_id: str, to_agent_id: str = "") -> None:
        """Says that the contact is back; `matching.enter` puts it in line."""
        self.taken_back(task)
        self.emit(TaskRequeued(task.contact_id, task.queue, cause, agent_id, task.edge, to_agent_id))

    def taken_back(self, task: Task) -> None:
        """Nobody has it any more; it stands in no line yet."""
        self.to_state(task, TaskState.QUEUED)
        task.assigned_at = task.ended_at = task.wrap_up_until = task.expires_at = 0
        task.parked_at = task.parked_ms = 0
        task.lead_with(NO_OFFER, ())

    def finish(self, task: Task, state: TaskState, cause: str) -> None:
        """Forgets the contact but for its end. An offer has ended before; an agent in hand is freed."""
        self.leave_line(task)
        agent_id, reservation_id = task.agent_id, task.reservation_id
        self.to_state(task, state)
        if task.wrap_up_until:
            self.timers.clear(WRAP_UP, task.contact_id)
        if task.paused:
            self.timers.clear(PAUSE, task.contact_id)
        if agent_id:
            task.lead_with(NO_OFFER, ())
            self.release(self.agents[agent_id], task, worked=True)
        del self.tasks[task.contact_id]
        self.unwish(task)
        self.tasks_to_match.discard(task.contact_id)
        self.remember(FinishedTask(task.contact_id, state, task.queue, agent_id, reservation_id, self.now, cause))
        self.dirty.add(("finished", task.contact_id))

    def remember(self, finished: FinishedTask) -> None:
        """None that ended later has been remembered before."""
        self.finished[finished.contact_id] = finished
        self._to_forget.append(finished)

    def forget_finished(self) -> None:
        """Whole milliseconds at a time, so that states with dictionaries in another order forget the same."""
        forgotten = 0
        group = -1
        while self._to_forget:
            first = self._to_forget[0]
            if first.finished_at + REMEMBERED_MS > self.now:
                return
            if forgotten >= FORGET_AT_ONCE and first.finished_at != group:
                return
            self._to_forget.popleft()
            if self.finished.get(first.contact_id) is first:
                group = first.finished_at
                del self.finished[first.contact_id]
                self.dirty.add(("finished", first.contact_id))
                forgotten += 1

    def waiting(self) -> list[Task]:
        """Contacts in line, by key."""
        return sorted((t for t in self.tasks.values() if t.state is TaskState.QUEUED), key=lambda t: t.key)
