"""Re-running recorded contacts: the same under the same plans, told apart under others."""

import pytest
from junctor_router.application.comparison import compare, unknowable
from junctor_router.application.draws import Draws
from junctor_router.application.recorded_behaviour import Behaviour
from junctor_router.application.whatif import Rerun
from junctor_router.domain import commands as c
from junctor_router.domain.configuration import AgentValue, PlanValue, QueueValue, Step
from junctor_router.domain.values import AgentState, Channel, DeviceState, TaskState
from router_given import START, Centre

HOUR = 3_600_000
NARROW = PlanValue((Step("loan >= 5", 20_000), Step("loan >= 2")), "voicemail")
WIDE = PlanValue((Step("loan >= 1"),))


def pick(draws, items):
    items = list(items)
    return items[int(draws.uniform() * len(items))]


class Day(Centre):
    """A recorded stretch with everything in it: late ticks, rejections, unanswered offers, transfers, breaks."""

    def __init__(self, seed, steps=600):
        super().__init__()
        self.draws = Draws(seed, "day")
        self.configure("p", NARROW)
        self.queue("sales", plan="p", wrap_up_ms=4_000)
        self.queue("loans", Step("loan >= 4", 9_000), overflow="queue:sales", offer_timeout_ms=6_000)
        for number, agent in enumerate(["ann", "bob", "cem", "dil"]):
            self.agent(agent, loan=2 + 2 * number)
        for _ in range(steps):
            self.now += int(self.draws.uniform() * 3_000)
            self.late_tick()
            self.something()

    def late_tick(self):
        """The owner's timer is up to 50 ms late, or an input comes first."""
        due = self.pool.next_due()
        while due is not None and due <= self.now:
            if self.draws.uniform() < 0.2:
                return
            moment = min(self.now, due + int(self.draws.uniform() * 50))
            self.journal.append((c.Tick(), max(moment, self.pool.state.now)))
            self.pool.apply(c.Tick(), moment)
            due = self.pool.next_due()

    def something(self):
        tasks = self.pool.state.tasks
        by_state = {state: [t for t in tasks.values() if t.state is state] for state in TaskState}
        chance, draws = self.draws.uniform(), self.draws
        if chance < 0.3:
            self.arrive(queue=pick(draws, ["sales", "loans"]), channel=pick(draws, [Channel.VOICE, Channel.CHAT]))
        elif chance < 0.6 and by_state[TaskState.RESERVED]:
            task = pick(draws, by_state[TaskState.RESERVED])
            if self.draws.uniform() < 0.8:
                self.accept(task.contact_id)
            else:
                self.do(c.RejectReservation(task.agent_id, task.reservation_id, task.contact_id, "declined"))
        elif chance < 0.75 and by_state[TaskState.ASSIGNED]:
            self.do(c.EndContact(pick(draws, by_state[TaskState.ASSIGNED]).contact_id, "customer"))
        elif chance < 0.8 and by_state[TaskState.WRAPPING]:
            task = pick(draws, by_state[TaskState.WRAPPING])
            if self.draws.uniform() < 0.5:
                self.do(c.ExtendWrapUp(task.agent_id, task.contact_id, 3_000))
            else:
                self.do(c.CompleteTask(task.agent_id, task.contact_id, "sold"))
        elif chance < 0.85 and tasks:
            self.do(c.CancelTask(pick(draws, tasks.values()).contact_id, "abandoned"))
        elif chance < 0.9 and tasks:
            self.do(c.RequeueTask(pick(draws, tasks.values()).contact_id, pick(draws, ["", "sales", "loans"])))
        else:
            agent = pick(draws, ["ann", "bob", "cem", "dil"])
            self.do(
                pick(
                    draws,
                    [
                        c.SetAgentState(agent, AgentState.NOT_READY, "lunch"),
                        c.SetAgentState(agent, AgentState.READY),
                        c.SetAgentState(agent, AgentState.READY),
                        c.LogIn(agent, state=AgentState.READY),
                        c.LogOut(agent),
                        c.ReportDevice(agent, pick(draws, [DeviceState.UNREGISTERED, DeviceState.IDLE])),
                    ],
                )
            )


def recorded(journal, begins=0):
    """The behaviour in a journal, and the pool at a moment."""
    behaviour, begin = Behaviour("acme", "default"), None
    for number, (command, now) in enumerate(journal):
        if begin is None and now >= begins:
            begin = behaviour.begin()
        behaviour.see(2 * number, now, command)
    behaviour.finish()
    return behaviour, begin or behaviour.begin()


def rerun(journal, changes, begins=0):
    behaviour, begin = recorded(journal, begins)
    again = Rerun(behaviour, begin, changes)
    again.play(journal[-1][1] + 1, journal[-1][1])
    return behaviour, again


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("part", [0, 0.5])
def test_the_same_plans_make_the_same_offers_and_assignments_again(seed, part):
    day = Day(seed)
    begins = START + int(part * (day.now - START))
    plans = {("plan", "p"): NARROW}
    behaviour, again = rerun(day.journal, plans, begins)
    assert len(behaviour.waits.assignments) > 20
    assert again.waits.offers == [offer for offer in behaviour.waits.offers if offer[0] >= begins]
    assert again.waits.assignments == [one for one in behaviour.waits.assignments if one[0] >= begins]
    comparison = compare(behaviour.waits, again.waits, begins, day.now, {})
    assert comparison.pairs
    assert comparison.changed == []
    assert (again.assumed.answers, again.assumed.handle_times) == (0, set())


def waiting_for_one(day):
    """Two contacts that want the one agent who is good at loans; another agent is idle."""
    day.configure("p", NARROW)
    day.queue("sales", plan="p")
    day.agent("ann", loan=9)
    day.agent("bob", loan=1)
    for contact in ("c1", "c2", "c3"):
        day.arrive(contact)
    day.wait(1_000)
    day.accept("c1")
    day.wait(9_000)
    day.do(c.CancelTask("c3", "abandoned"))
    day.wait(5_000)
    day.do(c.EndContact("c1", "customer"))
    day.wait(2_000)
    day.accept("c2")
    day.wait(30_000)
    day.do(c.EndContact("c2", "customer"))
    day.wait(60_000)
    day.do(c.Tick())


def test_a_wider_plan_shortens_the_wait_and_says_what_was_assumed():
    day = Centre()
    waiting_for_one(day)
    behaviour, again = rerun(day.journal, {("plan", "p"): WIDE})
    comparison = compare(behaviour.waits, again.waits, START, day.now, {"sales": 5_000})
    changed = {pair.contact_id: pair for pair in comparison.changed}
    assert set(changed) == {"c2"}
    assert (changed["c2"].recorded.waited_ms, changed["c2"].recorded.agent_id) == (17_000, "ann")
    assert (changed["c2"].rerun.waited_ms, changed["c2"].rerun.agent_id) == (1_000, "bob")
    assert changed["c2"].rerun.talk_ended - changed["c2"].rerun.ended == 30_000
    before, after = comparison.queues["sales"]
    assert (before.service_level, after.service_level) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    words = " ".join(unknowable(comparison, again))
    assert "1 contacts get another agent" in words
    assert "1 offers are made here that were not made" in words


def test_a_narrower_plan_lets_contacts_wait_whose_patience_nobody_knows():
    day = Centre()
    day.configure("p", WIDE)
    day.queue("sales", plan="p")
    day.agent("bob", loan=1)
    day.agent("ann", loan=9)
    for contact in ("c1", "c2"):
        day.arrive(contact)
        day.wait(1_000)
        day.accept(contact)
    day.wait(20_000)
    for contact in ("c1", "c2"):
        day.do(c.EndContact(contact, "customer"))
    day.wait(120_000)
    day.do(c.Tick())
    behaviour, again = rerun(day.journal, {("plan", "p"): PlanValue((Step("loan >= 5"),))})
    comparison = compare(behaviour.waits, again.waits, START, day.now, {})
    assert [(p.contact_id, p.rerun.agent_id) for p in comparison.changed] == [("c1", "ann"), ("c2", "ann")]
    assert comparison.changed[1].rerun.waited_ms > 20_000
    assert unknowable(comparison, again)[0].startswith("Patience is known only of those who left: 1 contacts")


def test_who_left_in_truth_may_be_served_and_gets_the_middle_handle_time():
    day = Centre()
    waiting_for_one(day)
    more = {("plan", "p"): WIDE, ("agent", "cem"): AgentValue({"loan": "9"}, "phone")}
    shared = {**more, ("agent", "bob"): AgentValue({"loan": "9"}, "phone", {Channel.VOICE: 2})}
    _, again = rerun(day.journal, shared)
    assert again.waits.waits["c3"][-1].agent_id == "bob"
    assert again.assumed.handle_times == {"c3"}
    assert again.waits.waits["c3"][-1].talk_ended - again.waits.waits["c3"][-1].ended == 14_000


def test_a_new_queue_and_a_changed_one_hold_from_the_beginning_on():
    day = Centre()
    waiting_for_one(day)
    values = {("plan", "p"): PlanValue((Step("loan >= 5", 2_000),), "queue:all"), ("queue", "all"): QueueValue()}
    _, again = rerun(day.journal, values)
    assert [wait.queue for wait in again.waits.waits["c2"]] == ["sales", "all"]
    assert again.waits.waits["c2"][-1].agent_id == "bob"
