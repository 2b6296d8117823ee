"""Given a call, when an input, then events, state and what is to be done: a call's way in virtual time."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from junctor_cti.application.calls import MAPPING
from junctor_cti.domain import commands as c
from junctor_cti.domain import decide, events
from junctor_cti.domain.decide import Line
from junctor_cti.domain.events import (
    Bound,
    CallStateChanged,
    ContactClosed,
    ContactOpened,
    MediaVerbEnded,
    SegmentEnded,
    SegmentStarted,
    Unbound,
)
from junctor_cti.domain.todo import todo
from junctor_cti.domain.turn import Rejected

ID = "c-1"
ARRIVED = c.CallArrived("demo", ID, "leg-a", "sealed", "hash", "4001", "main", 1_000, b"rec", "en", "a", "v=0")
ROUTE = c.FlowReported(ID, "route", "loans", 0, "hold", "en", ("x > 1",), {"topic": "loans"})
OFFER = c.OfferReported(ID, "r1", "alice", "1001", 30_000, "loans")
RUNG = c.AgentLegPrepared(ID, "leg-b", "r1", b"inv")
AGENT_ANSWERED = c.AgentLegAnswered(ID, "leg-b", "r1", b"200", "v=0 agent")
MENU = c.PromptAndCollect(ID, "menu/1", "en", 1, 5_000, True, False, ("welcome_menu",))
CUSTOMER_BYE = c.LegCleared(ID, "leg-a", True, "bye")
AGENT_BYE = c.LegCleared(ID, "leg-b", False, "bye")


@dataclass
class Told:
    """A call and what it said, after inputs a second apart."""

    line: Line = field(default_factory=Line)
    events: list[Any] = field(default_factory=list)
    now: int = 1_000

    def when(self, *commands: Any) -> "Told":
        for command in commands:
            self.now += 1_000
            applied = decide.apply(self.line, command, self.now)
            self.line, self.events = applied.state, applied.events
        return self

    def at(self, now: int) -> "Told":
        self.now = now - 1_000
        return self.when(c.Tick())

    @property
    def call(self) -> Any:
        return self.line.call

    @property
    def todo(self) -> set[str]:
        return {wanted.key for wanted in todo(self.call)}

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


def arrived() -> Told:
    return Told().when(ARRIVED, c.CallAnswered(ID, "leg-a", b"ok"), c.LegRecorded(ID, "leg-a", b"acked"))


def queued() -> Told:
    return arrived().when(ROUTE, c.StepDone(ID, "route/1"))


def bridged() -> Told:
    return queued().when(OFFER, RUNG, AGENT_ANSWERED, c.CallBridged(ID, "r1"), c.StepDone(ID, "start_recording/r1"))


def test_every_field_of_commands_and_events_has_its_counterpart_in_the_protos():
    classes = [
        value
        for module in (c, events)
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and value is not c.Tick
    ]
    assert len(classes) > 25
    assert MAPPING.unmatched(*classes) == []


def test_an_arriving_call_opens_a_contact_in_its_flow_and_is_to_be_answered():
    told = Told().when(ARRIVED)
    assert told.kinds() == [ContactOpened, SegmentStarted, CallStateChanged]
    assert told.events[0].arrived_at == 1_000
    assert told.todo == {"answer/leg-a"}


def test_the_same_invite_again_makes_no_second_contact():
    told = Told().when(ARRIVED)
    before = told.line
    assert told.when(ARRIVED).events == []
    assert told.line == before


def test_an_answered_call_starts_its_flow():
    told = Told().when(ARRIVED, c.CallAnswered(ID, "leg-a", b"ok"))
    assert told.todo == {"send_answer/leg-a", "start_flow/main"}
    assert told.when(c.LegRecorded(ID, "leg-a", b"acked")).todo == {"start_flow/main"}


def test_one_digit_ends_a_menu_and_stops_its_prompt():
    told = arrived().when(MENU)
    assert "play/menu/1" in told.todo
    told.when(c.PromptStarted(ID, "menu/1", told.now + 9_000), c.DigitHeard(ID, "2"))
    assert told.events == [MediaVerbEnded("demo", ID, "menu/1", "digits", "2")]
    assert "owed/stop_play/menu/1" in told.todo


def test_a_digit_before_the_end_of_a_prompt_without_barge_in_is_passed_over():
    prompt = c.PromptAndCollect(ID, "v", "en", 1, 5_000, False, False, ("closed",))
    told = arrived().when(prompt, c.PromptStarted(ID, "v", 50_000), c.DigitHeard(ID, "2"))
    assert told.events == []
    assert told.call.verb.digits == ()


def test_silence_after_the_prompt_is_a_time_out_at_its_moment():
    told = arrived().when(MENU, c.PromptStarted(ID, "menu/1", 20_000))
    assert decide.next_due(told.line) == 25_000
    assert told.at(25_000).events == [MediaVerbEnded("demo", ID, "menu/1", "timeout", "")]


def test_digits_that_stop_coming_are_given_as_they_are():
    verb = c.PromptAndCollect(ID, "pin", "en", 4, 3_000, True, True, ())
    told = arrived().when(verb, c.PromptStarted(ID, "pin", 5_000), c.DigitHeard(ID, "s1"), c.DigitHeard(ID, "s2"))
    assert decide.next_due(told.line) == told.now + 3_000
    assert told.at(told.now + 3_000).events == [MediaVerbEnded("demo", ID, "pin", "digits", "s1 s2")]


def test_a_verb_whose_prompt_never_started_has_failed():
    told = arrived().when(MENU)
    assert told.at(decide.next_due(told.line)).events[0].cause == "failed"


def test_a_chosen_queue_puts_the_contact_in_line():
    told = arrived().when(ROUTE)
    assert told.kinds() == [SegmentEnded, SegmentStarted, CallStateChanged]
    assert (told.events[0].kind, told.events[0].result) == ("flow", "completed")
    assert (told.events[1].kind, told.events[1].queue) == ("queue", "loans")
    assert told.todo == {"wait/2", "owed/route/1"}


def test_an_offer_rings_the_agents_phone_step_by_step():
    told = queued().when(OFFER)
    assert told.todo == {"wait/2", "ring/r1"}
    assert told.when(RUNG).todo == {"wait/2", "send_invite/leg-b"}
    assert told.when(AGENT_ANSWERED).todo == {"wait/2", "join/r1"}
    assert told.call.state == "accepting"


def test_joined_means_bound_once_and_recorded():
    told = queued().when(OFFER, RUNG, AGENT_ANSWERED, c.CallBridged(ID, "r1"))
    assert told.kinds() == [SegmentEnded, Bound, SegmentStarted, CallStateChanged]
    assert told.todo == {"owed/start_recording/r1"}
    assert told.when(c.CallBridged(ID, "r1")).events == []


@pytest.mark.parametrize(
    ("code", "cause"), [(486, "busy"), (603, "declined"), (408, "no_answer"), (480, "unreachable")]
)
def test_a_phone_that_does_not_take_it_sends_the_contact_back_and_tells_the_router(code, cause):
    told = queued().when(OFFER, RUNG, c.AgentLegFailed(ID, "leg-b", "r1", code))
    assert told.call.state == "queued"
    assert f"owed/reject/r1/{cause}" in told.todo


def test_a_reservation_that_timed_out_stops_the_ringing_and_the_contact_waits_on():
    told = queued().when(OFFER, RUNG, c.ReservationReported(ID, "r1", False, "timed_out"))
    assert told.call.state == "queued"
    assert "cancel/leg-b" in told.todo
    assert told.when(c.AgentLegFailed(ID, "leg-b", "r1", 487)).todo == {"wait/2"}


def test_a_phone_answered_after_its_reservation_ended_is_cleared_and_never_joined():
    told = queued().when(OFFER, RUNG, c.ReservationReported(ID, "r1", False, "timed_out"), AGENT_ANSWERED)
    assert told.call.state == "queued"
    assert "clear/leg-b" in told.todo
    assert told.when(c.CallBridged(ID, "r1")).events == []


def test_a_refused_accept_clears_the_agent_and_keeps_the_customer_in_line():
    told = queued().when(OFFER, RUNG, AGENT_ANSWERED, c.StepFailed(ID, "accept", "too late", "r1"))
    assert told.call.state == "queued"
    assert "clear/leg-b" in told.todo


def test_an_accepted_contact_that_cannot_be_joined_is_put_in_line_again_by_the_router():
    told = queued().when(OFFER, RUNG, AGENT_ANSWERED, c.StepFailed(ID, "bridge", "media away", "r1"))
    assert told.call.state == "queued"
    assert {"owed/requeue/r1", "clear/leg-b"} <= told.todo


def test_a_customer_who_hangs_up_in_line_has_abandoned():
    told = queued().when(CUSTOMER_BYE)
    ended = [e for e in told.events if isinstance(e, SegmentEnded)]
    assert [(e.kind, e.result) for e in ended] == [("queue", "abandoned")]
    closed = told.events[-1]
    assert isinstance(closed, ContactClosed)
    assert closed.cause == "customer"
    assert told.todo == {"owed/cancel_task", "owed/delete_media"}


def test_a_customer_who_hangs_up_while_the_agent_is_rung_stops_the_ringing():
    assert "cancel/leg-b" in queued().when(OFFER, RUNG, CUSTOMER_BYE).todo


def test_a_call_lives_until_nothing_is_owed():
    told = queued().when(CUSTOMER_BYE)
    assert decide.is_live(told.line)
    told.when(c.StepDone(ID, "cancel_task"), c.StepDone(ID, "delete_media"))
    assert not decide.is_live(told.line)


@pytest.mark.parametrize(
    ("bye", "cause", "to_clear"), [(CUSTOMER_BYE, "customer", "leg-b"), (AGENT_BYE, "agent", "leg-a")]
)
def test_either_side_ends_the_talk_and_the_other_is_cleared(bye, cause, to_clear):
    told = bridged().when(bye)
    assert [type(e) for e in told.events if isinstance(e, Unbound | SegmentEnded)] == [SegmentEnded, Unbound]
    assert told.call.state == "wrapping"
    assert told.call.cause == cause
    expected = {f"clear/{to_clear}", "owed/stop_recording", "owed/end_contact", "owed/delete_media"}
    assert told.todo == expected


def test_the_contact_closes_when_the_wrap_up_is_done():
    told = bridged().when(CUSTOMER_BYE)
    ended = told.now
    told.when(c.TaskReported(ID, "completed", "sold"))
    closed = told.events[-1]
    assert isinstance(closed, ContactClosed)
    assert (closed.disposition, closed.ended_at, closed.closed_at) == ("sold", ended, told.now)


def test_a_transfer_parts_customer_and_agent_and_the_customer_waits_on():
    told = bridged().when(c.RequeueReported(ID, "cards", "alice"))
    assert told.kinds() == [SegmentEnded, Unbound, SegmentStarted, CallStateChanged]
    assert (told.events[0].kind, told.events[0].result) == ("agent", "transferred")
    assert told.call.state == "queued"
    assert told.todo == {"clear/leg-b", "wait/4"}

    told.when(replace(OFFER, reservation_id="r2", agent_id="bob", queue="cards"))
    told.when(c.AgentLegPrepared(ID, "leg-c", "r2", b"inv"), c.AgentLegAnswered(ID, "leg-c", "r2", b"200", "v=0 bob"))
    told.when(c.CallBridged(ID, "r2"))
    bound = told.events[1]
    assert isinstance(bound, Bound)
    assert (bound.agent_id, bound.reservation_id) == ("bob", "r2")
    assert told.when(AGENT_BYE).call.state == "bridged"
    assert told.when(CUSTOMER_BYE).call.state == "wrapping"


def test_an_agent_whose_contact_is_put_back_before_the_talk_leaves():
    told = queued().when(OFFER, RUNG, AGENT_ANSWERED, c.RequeueReported(ID, "loans", "alice"))
    assert (told.call.state, told.call.offer) == ("queued", None)
    assert told.when(c.CallBridged(ID, "r1")).call.state == "queued"
    assert told.todo == {"clear/leg-b", "wait/2"}


def test_what_the_router_says_of_an_agent_who_has_left_changes_nothing():
    told = bridged().when(c.RequeueReported(ID, "cards", "bob"))
    assert (told.call.state, told.events) == ("bridged", [])


def test_a_contact_that_overflows_into_another_queue_waits_there():
    told = queued().when(c.RequeueReported(ID, "cards", ""))
    assert [(e.kind, e.queue, getattr(e, "result", "")) for e in told.events] == [
        ("queue", "loans", "overflowed"),
        ("queue", "cards", ""),
    ]
    assert told.call.queue == "cards"
    assert told.when(c.RequeueReported(ID, "cards", "alice")).events == []


def test_both_sides_hanging_up_at_once_end_it_once():
    told = bridged().when(CUSTOMER_BYE)
    assert told.when(AGENT_BYE).events == []
    assert told.call.leaving == ()


def test_overflow_plays_its_prompt_and_then_ends_the_call():
    told = queued().when(c.OverflowReported(ID, "message", "overflow"))
    assert told.call.state == "treated"
    told.when(c.PromptStarted(ID, "treatment", 60_000)).at(60_000)
    assert isinstance(told.events[-1], ContactClosed)
    assert told.events[-1].cause == "overflow"
    assert "clear/leg-a" in told.todo
    assert "owed/cancel_task" not in told.todo


def test_routing_that_fails_for_good_gives_the_default_treatment():
    told = arrived().when(ROUTE, c.StepFailed(ID, "route/1", "no such queue", ""))
    assert told.call.state == "treated"
    assert "owed/route/1" not in told.todo
    told.when(c.PromptStarted(ID, "treatment", 60_000)).at(60_000)
    assert "owed/cancel_task" in told.todo


def test_a_reservation_that_a_new_leader_issues_again_goes_on_ringing_and_binds_under_its_new_id():
    again = replace(OFFER, reservation_id="r2", expires_at=60_000)
    told = queued().when(OFFER, RUNG, again)
    assert (told.call.state, told.call.offer.reservation_id, told.call.agent.id) == ("offered", "r2", "leg-b")
    assert not told.call.leaving
    told = told.when(AGENT_ANSWERED, c.ReservationReported(ID, "r1", False, "void"), c.CallBridged(ID, "r2"))
    assert told.call.state == "bridged"
    assert [event.reservation_id for event in told.events if isinstance(event, Bound)] == ["r2"]


def test_a_reservation_may_be_issued_again_while_it_is_being_accepted_and_the_old_one_binds_no_more():
    again = replace(OFFER, reservation_id="r2")
    told = queued().when(OFFER, RUNG, AGENT_ANSWERED, again)
    assert "join/r2" in told.todo
    told = told.when(c.CallBridged(ID, "r1"))
    assert told.call.state == "accepting"
    assert told.when(c.CallBridged(ID, "r2")).call.state == "bridged"


def test_a_phone_that_fails_after_its_reservation_was_issued_again_is_told_under_the_new_id():
    again = replace(OFFER, reservation_id="r2")
    told = queued().when(OFFER, RUNG, again, c.AgentLegFailed(ID, "leg-b", "r1", 486))
    assert told.call.state == "queued"
    assert "owed/reject/r2/busy" in told.todo


def test_an_offer_for_a_call_that_is_not_in_line_is_disowned():
    told = bridged().when(CUSTOMER_BYE, c.OfferReported(ID, "r9", "bob", "1002", 90_000, "loans"))
    assert "owed/disown/r9" in told.todo
    assert told.call.state == "wrapping"


def test_a_supervisor_clears_a_waiting_call():
    told = queued().when(c.ClearCall(ID, "supervisor"))
    assert told.events[-1].cause == "supervisor"
    assert {"clear/leg-a", "owed/cancel_task"} <= told.todo


def test_clearing_a_call_that_has_ended_is_refused():
    with pytest.raises(Rejected, match="ended already"):
        bridged().when(CUSTOMER_BYE, c.ClearCall(ID, "agent"))


def test_a_command_for_an_unknown_call_is_refused():
    with pytest.raises(Rejected, match="no such call") as refused:
        Told().when(CUSTOMER_BYE)
    assert refused.value.code == "not_found"


def test_prompts_play_only_in_a_flow():
    with pytest.raises(Rejected, match="not in a flow"):
        queued().when(MENU)


def test_a_flow_that_says_nothing_for_a_minute_gets_the_default_treatment():
    told = arrived()
    told.at(decide.next_due(told.line))
    assert told.call.state == "treated"
    assert "owed/stop_flow" in told.todo


def test_a_phone_is_idle_while_registered_and_unregistered_when_its_binding_ends():
    told = Told().when(c.DeviceRegistered("demo", "1001", "sip:x", 50_000, b"b"))
    assert told.events == [events.DeviceStateChanged("demo", "1001", "idle")]
    assert decide.next_due(told.line) == 50_000
    assert told.at(50_000).events == [events.DeviceStateChanged("demo", "1001", "unregistered")]
    assert decide.is_live(told.line)
    told.when(c.DeviceReported("demo", "1001", 2))
    assert not decide.is_live(told.line)


def test_a_refreshed_registration_says_nothing_new():
    told = Told().when(c.DeviceRegistered("demo", "1001", "sip:x", 50_000, b"b"))
    assert told.when(c.DeviceRegistered("demo", "1001", "sip:x", 90_000, b"c")).events == []
    assert decide.next_due(told.line) == 90_000
