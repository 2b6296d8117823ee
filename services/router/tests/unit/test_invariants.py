"""Random commands, plans, faults and restarts against the promises that must always hold.

JUNCTOR_ROUTER_RUNS sets the number of runs (200; the long mode is 10000); a failing run prints what reproduces it.
JUNCTOR_ROUTER_TOLD names a file to which each run adds a digest of all that it was told, and its state's hash.
"""

import hashlib
import os
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from junctor_router.domain import commands as c
from junctor_router.domain import events as e
from junctor_router.domain.capacity import INTERRUPTIONS, NEEDS_DEVICE
from junctor_router.domain.configuration import (
    AgentValue,
    Interruption,
    PlanValue,
    QueueValue,
    Relaxing,
    Score,
    ScoresValue,
    Share,
    Step,
    TenantValue,
)
from junctor_router.domain.expression import holds
from junctor_router.domain.matching import line_for
from junctor_router.domain.reservation import Offer
from junctor_router.domain.values import (
    AgentOrder,
    AgentState,
    Channel,
    DeviceState,
    Hold,
    Objective,
    ReservationState,
    TaskState,
)
from router_given import Centre

RUNS = int(os.environ.get("JUNCTOR_ROUTER_RUNS", "200"))
TOLD = os.environ.get("JUNCTOR_ROUTER_TOLD", "")
AGENTS = ["ann", "bob", "cem", "dil"]
QUEUES = ["sales", "loans", "vip"]
CONTACTS = [f"c{n}" for n in range(8)]
agents = st.sampled_from([*AGENTS, "ghost"])
queues = st.sampled_from([*QUEUES, "nowhere"])
contacts = st.sampled_from([*CONTACTS, "ghost"])
channels = st.sampled_from([Channel.VOICE, Channel.VOICE, Channel.CHAT, Channel.MAIL, Channel.UNSPECIFIED])
expressions = st.sampled_from(
    ["", "loan >= 5", "loan >= 3 && !vip", "vip", "region == data.region", "loan +", "has(none)", 'region in ["n"]']
)
steps = st.lists(
    st.builds(
        Step,
        expressions,
        st.sampled_from([0, 1_000, 30_000]),
        st.sampled_from(list(AgentOrder)),
        st.booleans(),
        st.sampled_from([0, 0, 5_000]),
        st.sampled_from([0, 0, 1]),
        st.lists(expressions, max_size=2).map(tuple),
        st.lists(st.builds(Relaxing, expressions, st.sampled_from([0, 500, 2_000])), max_size=2).map(tuple),
        st.sampled_from([(), (("loan", 2), ("vip", 1))]),
        st.lists(st.builds(Share, expressions, st.sampled_from([0, 1, 30, 70])), max_size=2).map(tuple),
        st.sampled_from([0, 0, 5_000]),
    ),
    max_size=3,
).map(tuple)
plans = st.builds(
    PlanValue, steps, st.sampled_from(["", "message", "voicemail", "queue:sales", "queue:loans", "queue:nowhere", "x"])
)
queue_values = st.builds(
    QueueValue,
    st.sampled_from(["", "p1", "p2", "missing"]),
    st.sampled_from([1, 5]),
    st.sampled_from([0, 3_000]),
    st.sampled_from([2_000, 20_000]),
    service_level_ms=st.sampled_from([0, 5_000, 60_000]),
    ratio=st.sampled_from([0, 0, 1, 3]),
    starvation_ms=st.sampled_from([0, 4_000, 1_800_000]),
    objective=st.sampled_from(list(Objective)),
    explore_percent=st.sampled_from([0, 50]),
    offer_agents=st.sampled_from([1, 1, 3]),
)
score_tables = st.sampled_from(
    [ScoresValue(), ScoresValue((Score("", "loan", "", 2, 1), Score("", "region", "n", 1, 30)))]
)
some_channels = st.lists(st.sampled_from([Channel.VOICE, Channel.CHAT, Channel.MAIL]), max_size=2, unique=True).map(
    tuple
)
interruptions = st.lists(
    st.builds(Interruption, st.sampled_from([Channel.VOICE, Channel.CHAT, Channel.MAIL]), some_channels, some_channels),
    max_size=2,
    unique_by=lambda one: one.channel,
).map(tuple)
tenant_values = st.builds(TenantValue, st.just(""), interruptions, st.sampled_from([0, 5_000, 60_000, -1]))
agent_values = st.builds(
    AgentValue,
    st.fixed_dictionaries(
        {},
        optional={
            "loan": st.sampled_from(["2", "5", "9"]),
            "vip": st.sampled_from(["true", "false"]),
            "region": st.sampled_from(["n", "s"]),
        },
    ),
    st.sampled_from(["", "phone", "phone"]),
    st.sampled_from([{}, {}, {Channel.CHAT: 2}]),
    st.just(()) | interruptions,
)


class RouterMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.centre = Centre()
        self.accepted = Counter()
        self.open_reservations = {}
        self.told = hashlib.sha256()

    def do(self, command):
        outcome = self.centre.do(command)
        self.told.update(repr((outcome.response, outcome.refusal)).encode())
        return self.check(outcome.events)

    def check(self, events):
        self.told.update(repr(events).encode())
        for event in events:
            match event:
                case e.ReservationCreated():
                    assert event.reservation_id not in self.open_reservations
                    offered = list(self.open_reservations.values()).count(event.contact_id)
                    queue = self.centre.pool.state.queue_value(event.queue)
                    assert offered < (1 if event.channel in NEEDS_DEVICE else queue.offer_agents)
                    self.open_reservations[event.reservation_id] = event.contact_id
                case e.ReservationAccepted():
                    assert self.open_reservations.pop(event.reservation_id) == event.contact_id
                    self.accepted[event.contact_id] += 1
                    assert self.accepted[event.contact_id] == 1, "accepted twice"
                case e.ReservationEnded():
                    assert self.open_reservations.pop(event.reservation_id) == event.contact_id
                    assert event.state not in (ReservationState.PENDING, ReservationState.ACCEPTED)
                case e.TaskRequeued():
                    self.accepted[event.contact_id] = 0
                case e.TaskCompleted() | e.TaskCanceled() | e.TaskOverflowed():
                    assert event.contact_id not in self.open_reservations.values()
                    self.accepted[event.contact_id] = 0
        self.free_slots([event for event in events if isinstance(event, e.ReservationCreated)])
        self.arrival_order([event for event in events if isinstance(event, e.ReservationCreated)])

    def free_slots(self, offers):
        """An offer takes a slot that the agent has, by the values in force."""
        for offer in offers:
            agent = self.centre.pool.state.agents[offer.agent_id]
            slots = agent.value.capacity.get(offer.channel, {Channel.VOICE: 1, Channel.CHAT: 4}.get(offer.channel, 8))
            assert Counter(agent.tasks.values())[offer.channel] <= slots

    def arrival_order(self, offers):
        """Whoever stands before an offered contact in the same line could not have had that agent."""
        state = self.centre.pool.state
        if state.rework or state.sweeps:
            return
        for offer in offers:
            task = state.tasks.get(offer.contact_id)
            if task is None or task.preferred_agents:
                continue
            if offer.reservation_id not in [held.reservation_id for held in task.offers]:
                continue
            key = line_for(state, task, state.plan_of(task.queue), task.step, task.relaxed, task.share).key
            for other in state.tasks.values():
                if other.line is not None and other.line.key == key and other.key < task.key:
                    assert other.excludes(offer.agent_id), f"{other.contact_id} stood before {task.contact_id}"

    @initialize()
    def some_configuration(self):
        self.centre.configure("p1", PlanValue((Step("loan >= 5", 10_000), Step("loan >= 2"))))
        for queue in QUEUES:
            self.centre.configure(queue, QueueValue(plan="p1" if queue != "sales" else "", wrap_up_ms=3_000))
        for number, agent in enumerate(AGENTS[:3]):
            self.centre.configure(agent, AgentValue({"loan": str(2 + 3 * number)}, "phone"))
            self.do(c.LogIn(agent, state=AgentState.READY))

    @rule(
        contact=contacts,
        queue=queues,
        channel=channels,
        requirements=st.lists(expressions, max_size=2).map(tuple),
        region=st.sampled_from(["n", "s", None]),
        priority=st.sampled_from([0, 0, 1, 9, 10]),
        age=st.integers(0, 3) | st.just(-(10**18)),
        preferred=st.lists(agents, max_size=1).map(tuple),
        excluded=st.lists(agents, max_size=2).map(tuple),
        hold=st.sampled_from([0, 0, 1_000, 30_000, -1]),
        later=st.sampled_from([0, 0, 2_000]),
    )
    def arrive(self, contact, queue, channel, requirements, region, priority, age, preferred, excluded, hold, later):
        data = {} if region is None else {"region": region}
        arrived = self.centre.now - 1_000 * age
        self.do(
            c.RequestTask(
                contact,
                channel,
                queue,
                requirements,
                data,
                priority,
                arrived,
                preferred,
                excluded,
                edge="cti",
                hold_ms=hold,
                not_before=later and self.centre.now + later,
            )
        )

    @rule(contact=contacts, right=st.booleans())
    def accept(self, contact, right):
        self.do(c.AcceptReservation(*self.reservation(contact, right)))

    @rule(contact=contacts, right=st.booleans(), cause=st.sampled_from(["busy", "unreachable", "declined", ""]))
    def reject(self, contact, right, cause):
        self.do(c.RejectReservation(*self.reservation(contact, right), cause))

    @rule(contact=contacts)
    def cancel(self, contact):
        self.do(c.CancelTask(contact, "abandoned"))

    @rule(contact=contacts)
    def end(self, contact):
        self.do(c.EndContact(contact, "customer"))

    @rule(contact=contacts, agent=st.one_of(agents, st.just("")))
    def complete(self, contact, agent):
        task = self.centre.pool.state.tasks.get(contact)
        self.do(c.CompleteTask(agent if agent != "ghost" or task is None else task.agent_id, contact, "done"))

    @rule(contact=contacts, agent=agents, more=st.sampled_from([-1, 500, 10**12]))
    def extend(self, contact, agent, more):
        self.do(c.ExtendWrapUp(agent, contact, more))

    @rule(contact=contacts, queue=st.one_of(queues, st.just("")), to=st.one_of(st.just(""), agents))
    def requeue(self, contact, queue, to):
        self.do(c.RequeueTask(contact, queue, to_agent_id=to, hold_ms=5_000))

    @rule(agent=agents, state=st.sampled_from(list(AgentState)), some=st.sampled_from([(), (Channel.CHAT,)]))
    def log_in(self, agent, state, some):
        self.do(c.LogIn(agent, some, state))

    @rule(agent=agents)
    def log_out(self, agent):
        self.do(c.LogOut(agent, "shift"))

    @rule(agent=agents, state=st.sampled_from(list(AgentState)))
    def set_state(self, agent, state):
        self.do(c.SetAgentState(agent, state, "lunch"))

    @rule(agent=agents, state=st.sampled_from(list(DeviceState)))
    def device(self, agent, state):
        self.do(c.ReportDevice(agent, state))

    @rule(agent=agents, holder=st.sampled_from(["here", "there"]), opens=st.booleans())
    def stream(self, agent, holder, opens):
        self.do((c.AgentStreamOpened if opens else c.AgentStreamClosed)(agent, holder))

    @rule(holder=st.sampled_from(["here", "there"]))
    def a_process_is_alive(self, holder):
        self.do(c.StreamHolderAlive(holder))

    @rule(milliseconds=st.sampled_from([0, 1, 500, 3_000, 20_000, 200_000]))
    def time_passes(self, milliseconds):
        """Each tick is judged by what it finds, not by what later ones leave."""
        until = self.centre.now + milliseconds
        while (due := self.centre.pool.next_due()) is not None and due <= until:
            self.centre.now = max(self.centre.now, due)
            self.do(c.Tick())
        self.centre.now = until

    @rule()
    def an_early_tick(self):
        self.do(c.Tick())

    @rule(back=st.integers(1, 10_000))
    def the_clock_jumps_back(self, back):
        self.centre.now -= back
        self.do(c.Tick())
        self.centre.now = max(self.centre.now, self.centre.pool.state.now)

    @rule(id=st.sampled_from(["p1", "p2"]), value=plans)
    def change_plan(self, id, value):
        self.check(self.centre.configure(id, value).events)

    @rule(id=st.sampled_from(QUEUES), value=queue_values)
    def change_queue(self, id, value):
        self.check(self.centre.configure(id, value).events)

    @rule(id=st.sampled_from(QUEUES), value=score_tables)
    def change_scores(self, id, value):
        self.check(self.centre.configure(id, value, "scores").events)

    @rule(id=st.sampled_from(AGENTS), value=agent_values)
    def change_agent(self, id, value):
        self.check(self.centre.configure(id, value).events)

    @rule(value=tenant_values)
    def change_tenant(self, value):
        self.check(self.centre.configure("self", value, "tenant").events)

    @rule(
        kind=st.sampled_from([("queue", QUEUES), ("plan", ["p1", "p2"]), ("agent", AGENTS), ("scores", QUEUES)]),
        data=st.data(),
    )
    def delete(self, kind, data):
        self.check(self.centre.delete(kind[0], data.draw(st.sampled_from(kind[1]))).events)

    @rule()
    def restart(self):
        """Everything derived is built again."""
        before, due = self.centre.pool.hash(), self.centre.pool.next_due()
        self.centre.pool = self.centre.restored()
        assert self.centre.pool.hash() == before
        assert self.centre.pool.next_due() == due

    def reservation(self, contact, right):
        """The contact's last offer, or one that has ended."""
        task = self.centre.pool.state.tasks.get(contact)
        if task is None or not right:
            return ("ann", "acme.default.1.1", contact)
        held = task.offers[-1] if task.offers else Offer(task.agent_id, task.reservation_id, "")
        return (held.agent_id, held.reservation_id, contact)

    @invariant()
    def an_agents_load_is_what_it_has(self):
        for agent in self.centre.pool.state.agents.values():
            held = Counter(agent.tasks.values())
            assert dict(held) == {channel: n for channel, n in agent.load.items() if n}

    @invariant()
    def tasks_and_agents_agree(self):
        state = self.centre.pool.state
        for task in state.tasks.values():
            held = task.state is not TaskState.QUEUED
            assert bool(task.agent_id) == held
            assert (task.line is not None) == (task.state is TaskState.QUEUED)
            if held:
                assert task.contact_id in state.agents[task.agent_id].tasks
            offered = [offer.agent_id for offer in task.offers]
            assert len(set(offered)) == len(offered)
            for offer in task.offers:
                agent = state.agents[offer.agent_id]
                assert agent.state is AgentState.READY, "the reservation outlived its agent"
                assert self.open_reservations[offer.reservation_id] == task.contact_id
        for agent in state.agents.values():
            for contact in agent.tasks:
                task = state.tasks[contact]
                assert agent.id in [task.agent_id, *(offer.agent_id for offer in task.offers)]
            assert agent.logged_in or not agent.tasks
        reserved = {offer.reservation_id for task in state.tasks.values() for offer in task.offers}
        assert set(self.open_reservations) == reserved, "a reservation outlived its contact"

    @invariant()
    def what_yields_is_parked_and_nothing_else(self):
        state = self.centre.pool.state
        for agent in state.agents.values():
            if ("agent", agent.id) in state.rework or state.sweeps:
                continue
            rules = rules_of(state, agent)
            for contact in agent.tasks:
                task = state.tasks[contact]
                yields = any(task.channel in rules[other][1] for other in agent.tasks.values())
                if task.state in (TaskState.ASSIGNED, TaskState.PARKED):
                    assert (task.state is TaskState.PARKED) == yields

    @invariant()
    def nobody_waits_for_an_agent_who_is_free(self):
        """Judged one by one, without index, lines or caches."""
        state = self.centre.pool.state
        for task in state.tasks.values():
            if task.line is None or task.hold is Hold.NOT_YET:
                continue
            for agent in state.agents.values():
                if task.hold and agent.id not in task.preferred_agents:
                    continue
                if may_take(state, agent, task) and holds(task.line.wanted, agent.member.attributes):
                    raise AssertionError(f"{task.contact_id} waits though {agent.id} is free")

    @invariant()
    def nothing_due_is_passed_over(self):
        due = self.centre.pool.next_due()
        state = self.centre.pool.state
        for task in state.tasks.values():
            moments = [
                task.expires_at,
                task.wrap_up_until,
                task.step_until if task.line else 0,
                task.relax_at if task.line else 0,
                task.held_until if task.line else 0,
                task.starves_at if task.line and not task.hold else 0,
                *task.paused.values(),
            ]
            assert all(due is not None and due <= max(at, state.now + 1) for at in moments if at)
        others = [*(agent.lost_until for agent in state.agents.values()), *state.holders.values()]
        assert all(due is not None and due <= max(at, state.now + 1) for at in others if at)

    @invariant()
    def whose_workspace_is_gone_is_waited_for_or_given_up(self):
        state = self.centre.pool.state
        for agent in state.agents.values():
            assert set(agent.holders) <= set(state.holders)
            if agent.lost_until:
                assert agent.logged_in and not agent.holders

    def teardown(self):
        assert self.centre.replayed().hash() == self.centre.pool.hash()
        assert self.centre.restored().hash() == self.centre.pool.hash()
        if TOLD:
            with open(TOLD, "a") as told:
                print(self.told.hexdigest(), self.centre.pool.hash().hex(), file=told)


def rules_of(state, agent):
    """What may be in hand when a contact of each channel comes, and what of that is parked: the agent's, the tenant's, or
    the default."""
    rules = {}
    for one in (*INTERRUPTIONS, *state.tenant_value.interruptions, *agent.value.interruptions):
        rules[one.channel] = ({*one.beside, *one.parks, one.channel}, {*one.parks} - {one.channel})
    return rules


def may_take(state, agent, task):
    if agent.state is not AgentState.READY or agent.pending or agent.deleted:
        return False
    if agent.lost_until or agent.id in task.excluded_agents or agent.id in task.paused:
        return False
    channel = task.channel
    if agent.channels and channel not in agent.channels:
        return False
    blocked = not agent.value.device or agent.device in (DeviceState.BUSY, DeviceState.UNREGISTERED)
    if channel in NEEDS_DEVICE and blocked:
        return False
    held = Counter(agent.tasks.values())
    if held[channel] >= agent.value.capacity.get(channel, {Channel.VOICE: 1, Channel.CHAT: 4}.get(channel, 8)):
        return False
    return all(other in rules_of(state, agent)[channel][0] for other in held)


RouterMachine.TestCase.settings = settings(
    max_examples=RUNS,
    stateful_step_count=30 if RUNS <= 200 else 60,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestRouter = RouterMachine.TestCase
