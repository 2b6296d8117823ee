"""Whatever comes in whatever order, a call keeps its promises: judged from its events and its state alone."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junctor.journal.v1 import journal_pb2
from junctor_cti.application.calls import MAPPING, call_of, new_fold
from junctor_cti.domain import commands as c
from junctor_cti.domain.call import Call
from junctor_cti.domain.decide import Line, is_live, next_due
from junctor_cti.domain.todo import todo

ID, CUSTOMER = "c-1", "leg-a"
RESERVATIONS = ("r1", "r2", "r3")
VERBS = ("menu/1", "menu/2")
ARRIVED = c.CallArrived("demo", ID, CUSTOMER, "sealed", "hash", "4001", "main", 1_000, b"rec", "en", "a", "v=0")
STEPS = ["start_recording/r1", "stop_recording", "end_contact", "delete_media", "cancel_task", "stop_flow", "route/1"]
STEPS += [f"{kind}/{r}" for r in RESERVATIONS for kind in ("requeue",)] + ["reject/r1/busy", "reject/r2/refused"]
FAILURES = ["answer", "start_flow", "route/1", "accept", "bridge", "play/treatment", "play/menu/1", "wait", "clear"]


def leg(reservation: str) -> str:
    return f"leg-{reservation}"


reservations = st.sampled_from(RESERVATIONS)
contact = st.just(ID)
legs = st.sampled_from([CUSTOMER, *map(leg, RESERVATIONS)])
verbs = st.sampled_from([*VERBS, "treatment"])
commands = st.one_of(
    st.just(ARRIVED),
    st.just(c.CallAnswered(ID, CUSTOMER, b"ok")),
    st.builds(c.LegRecorded, contact, legs, st.just(b"new")),
    st.builds(lambda r: c.AgentLegPrepared(ID, leg(r), r, b"inv"), reservations),
    st.builds(lambda r: c.AgentLegAnswered(ID, leg(r), r, b"200", "v=0"), reservations),
    st.builds(
        lambda r, code: c.AgentLegFailed(ID, leg(r), r, code),
        reservations,
        st.sampled_from([486, 603, 408, 480, 487, 503, 600]),
    ),
    st.builds(lambda one: c.LegCleared(ID, one, one == CUSTOMER, "bye"), legs),
    st.builds(c.CallBridged, contact, reservations),
    st.builds(c.StepDone, contact, st.sampled_from(STEPS)),
    st.builds(c.StepFailed, contact, st.sampled_from(FAILURES), st.just("why"), reservations),
    st.builds(c.DigitHeard, contact, st.sampled_from("12#")),
    st.builds(lambda verb, after: (verb, after), verbs, st.integers(0, 90_000)),
    st.builds(
        c.FlowReported,
        contact,
        st.sampled_from(["route", "hang_up", "abandoned", "failed"]),
        st.just("loans"),
        st.just(0),
        st.sampled_from(["", "hold"]),
        st.just("en"),
    ),
    st.builds(lambda r: c.OfferReported(ID, r, f"agent-{r}", "1001", 30_000, "loans"), reservations),
    st.builds(c.ReservationReported, contact, reservations, st.booleans(), st.just("timed_out")),
    st.builds(
        c.OverflowReported, contact, st.sampled_from(["disconnect", "message"]), st.sampled_from(["", "overflow"])
    ),
    st.builds(c.RequeueReported, contact, st.sampled_from(["loans", "cards"]), st.sampled_from(["", "alice", "bob"])),
    st.builds(c.TaskReported, contact, st.sampled_from(["completed", "canceled"]), st.sampled_from(["", "sold"])),
    st.builds(c.ClearCall, contact, st.sampled_from(["agent", "supervisor"])),
    st.builds(
        c.PromptAndCollect,
        contact,
        verbs,
        st.just("en"),
        st.integers(0, 2),
        st.integers(0, 9_000),
        st.booleans(),
        st.booleans(),
        st.just(("welcome_menu",)),
    ),
    st.just("owed"),
    st.just("due"),
)
# Most calls are led a part of the way, so that the later states are seen as often as the first.
WAY = (
    ARRIVED,
    c.CallAnswered(ID, CUSTOMER, b"ok"),
    c.LegRecorded(ID, CUSTOMER, b"acked"),
    c.FlowReported(ID, "route", "loans", 0, "hold", "en"),
    c.OfferReported(ID, "r1", "agent-r1", "1001", 30_000, "loans"),
    c.AgentLegPrepared(ID, leg("r1"), "r1", b"inv"),
    c.AgentLegAnswered(ID, leg("r1"), "r1", b"200", "v=0"),
    c.CallBridged(ID, "r1"),
)


@dataclass
class Watched:
    """A fold with one call, its events counted and judged as they come."""

    fold: Any = field(default_factory=new_fold)
    now: int = 1_000
    opened: int = 0
    closed: int = 0
    segment: int = 0
    running: Any = None
    bound: list[str] = field(default_factory=list)
    paid: Counter = field(default_factory=Counter)

    @property
    def call(self) -> Call | None:
        return call_of(self.fold, "demo", ID)

    def send(self, command: Any, wait_ms: int = 10) -> None:
        self.now += wait_ms
        if command == "due":
            return self.due()
        if command == "owed":
            if self.call is None or not self.call.owed:
                return None
            command = c.StepDone(ID, self.call.owed[0])
        if isinstance(command, tuple):
            command = c.PromptStarted(ID, command[0], self.now + command[1])
        before = self.call
        applied = self.fold.apply(journal_pb2.Input(tenant="demo", stream=ID), MAPPING.to_message(command), self.now)
        if applied.refusal is not None:
            assert self.call == before, "a refused command changed the call"
        self.judge([MAPPING.to_domain(event) for event in applied.events])
        return None

    def due(self) -> None:
        due = self.fold.next_due()
        if due is not None:
            self.now = max(self.now, due.at)
            tick = journal_pb2.Input(tenant=due.tenant, stream=due.stream)
            applied = self.fold.apply(tick, journal_pb2.Tick(), self.now)
            self.judge([MAPPING.to_domain(event) for event in applied.events])
            again = self.fold.next_due()
            assert again is None or again.at > self.now, "a timer did not move forward"

    def judge(self, events: list[Any]) -> None:
        for event in events:
            match type(event).__name__:
                case "ContactOpened":
                    self.opened += 1
                case "ContactClosed":
                    self.closed += 1
                    assert self.running is None, "closed with a segment that runs"
                case "SegmentStarted":
                    assert self.running is None, "two segments at once"
                    assert event.segment == self.segment + 1
                    self.segment, self.running = event.segment, event
                case "SegmentEnded":
                    assert self.running is not None, "a segment ended that did not run"
                    assert (event.segment, event.kind) == (self.running.segment, self.running.kind)
                    assert event.started_at == self.running.started_at <= event.ended_at
                    self.running = None
                case "Bound":
                    self.bound.append(event.reservation_id)
        assert len(self.bound) == len(set(self.bound)), "a reservation bound twice"
        assert self.opened <= 1
        assert self.closed <= self.opened
        self.judge_state()

    def judge_state(self) -> None:
        call = self.call
        if call is None:
            return
        assert len(call.owed) == len(set(call.owed)), "a step is owed twice"
        assert len({one.id for one in call.leaving}) == len(call.leaving), "a leg leaves twice"
        assert call.agent is None or call.agent.id not in {one.id for one in call.leaving}
        assert (call.state == "bridged") <= (call.agent is not None and call.offer is not None)
        assert (call.segment is None) == (self.running is None)
        assert call.ended_at is None or call.segment is None, "a segment runs after the customer's end"
        assert waits_for(call), f"nothing will ever happen to {call}"


def waits_for(call: Call) -> list[str]:
    """Why the call will go on: an effect to do, a timer, or others who will say something."""
    line = Line(call=call)
    if not is_live(line):
        return ["over"]
    found = [wanted.key for wanted in todo(call)]
    if next_due(line) is not None:
        found.append("timer")
    if call.state in ("queued", "offered", "accepting") and call.task == "open" and call.customer_there:
        found.append("router")
    if call.state == "bridged" and call.customer_there:
        found.append("people")
    if call.customer.phase == "clearing" or call.leaving:
        found.append("edge")
    return found


def brought_to_its_end(watched: Watched) -> None:
    """The customer leaves, the router ends the task, and everything that is owed or leaving is done."""
    watched.send(c.LegCleared(ID, CUSTOMER, True, "bye"))
    for _ in range(60):
        call = watched.call
        if call is None:
            return
        if call.owed:
            watched.send(c.StepDone(ID, call.owed[0]))
            watched.paid[call.owed[0]] += 1
        elif call.leaving:
            watched.send(c.LegCleared(ID, call.leaving[0].id, False, "bye"))
        elif call.state != "closed":
            watched.send(c.TaskReported(ID, "completed", ""))
        else:
            watched.send(c.LegCleared(ID, CUSTOMER, True, "bye"))
    raise AssertionError(f"the call does not end: {watched.call}")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(WAY)), st.lists(st.tuples(commands, st.integers(0, 30_000)), max_size=25))
def test_whatever_comes_a_call_keeps_its_promises_and_closes_once(way, inputs):
    watched = Watched()
    for command in WAY[:way]:
        watched.send(command)
    for command, wait in inputs:
        if watched.opened and watched.call is None:
            break
        watched.send(command, wait)
    if watched.opened == 0:
        assert watched.call is None
        return
    brought_to_its_end(watched)
    assert watched.call is None
    assert watched.closed == 1
    assert watched.running is None
    assert max(watched.paid.values(), default=1) == 1, "a step is owed again after it was paid"
    assert watched.fold.next_due() is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, len(WAY)), st.lists(st.tuples(commands, st.integers(0, 30_000)), max_size=10))
def test_a_dumped_and_loaded_call_is_the_same_and_goes_on_the_same(way, inputs):
    watched = Watched()
    for command in WAY[:way]:
        watched.send(command)
    loaded = new_fold()
    loaded.load(list(watched.fold.dump()))
    assert loaded.hash() == watched.fold.hash()
    assert dict(loaded.streams()) == dict(watched.fold.streams())
    twin = Watched(loaded, watched.now, 1, watched.closed, watched.segment, watched.running, list(watched.bound))
    for command, wait in inputs:
        if watched.call is None:
            break
        watched.send(command, wait)
        twin.send(command, wait)
    assert loaded.hash() == watched.fold.hash()
    assert dict(loaded.streams()) == dict(watched.fold.streams())


@pytest.mark.parametrize("steps", range(1, len(WAY) + 1))
def test_at_every_stage_of_its_way_a_call_has_something_to_do_or_somebody_to_wait_for(steps):
    watched = Watched()
    for command in WAY[:steps]:
        watched.send(command)
    assert waits_for(watched.call)


def test_a_flow_that_speaks_for_long_is_not_taken_for_silent():
    watched = Watched()
    for command in WAY[:3]:
        watched.send(command)
    for number in range(4):
        watched.send(c.PromptAndCollect(ID, f"v/{number}", "en", 0, 0, False, False, ("closed",)))
        watched.send((f"v/{number}", 25_000))
        watched.due()
        assert watched.call.state == "in_flow"
    assert watched.fold.next_due().at == watched.now + 60_000
    watched.due()
    assert watched.call.state == "treated"


@pytest.mark.parametrize("state", ["completed", "canceled"])
@pytest.mark.parametrize("steps", [4, 5, 6])
def test_a_waiting_customer_whose_task_is_over_is_not_left_in_line(steps, state):
    watched = Watched()
    for command in WAY[:steps]:
        watched.send(command)
    watched.send(c.TaskReported(ID, state, ""))
    assert watched.call.state == ("treated" if state == "completed" else "closed")


def test_an_agent_who_leaves_while_being_joined_is_taken_back_from_the_router_whether_counted_in_or_not():
    watched = Watched()
    for command in WAY[:7]:
        watched.send(command)
    watched.send(c.LegCleared(ID, leg("r1"), False, "bye"))
    assert watched.call.state == "queued"
    assert "requeue/r1" in watched.call.owed
