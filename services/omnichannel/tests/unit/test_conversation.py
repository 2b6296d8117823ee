"""Given a conversation, when something comes, then events: the whole behaviour, in virtual time."""

import pytest
from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.conversation import REMEMBERED_MS, Conversation, evolve, is_live, next_due
from junctor_omnichannel.domain.decide import Rejected, decide

ENTRY = c.EntryPoint("greeter", "chat", "Hello!", "en", idle_ms=60_000, grace_ms=10_000)
OPEN = c.OpenConversation("x", "web", "sealed address", "hash", 1_000, "a", ENTRY)
LOAN = c.BotReading(True, "A loan it is.", "chat", {"product": "loans"}, ("product.loans >= 3",))
HOURS = c.BotReading(True, "Around the clock.")
LOST = c.BotReading(fallback="Card or loan?", attempts=2)
ACCEPTED = c.ReservationReported("x", "r1", "alice", True)


def says(text, reading=None, id="m1"):
    return c.ReceiveMessage("x", "web", id, text, received_at=1_000, site="a", entry=ENTRY, reading=reading)


def after(*commands, at=2_000):
    state = Conversation("demo", "x")
    for command in commands:
        for event in decide(state, command, at).events:
            state = evolve(state, event)
    return state


def when(state, command, now=3_000):
    return decide(state, command, now).events


def of(events, *kinds):
    return [event for event in events if isinstance(event, kinds)]


def segments(events):
    return [
        (event.segment, event.kind, getattr(event, "result", "began"))
        for event in of(events, e.SegmentStarted, e.SegmentEnded)
    ]


def closes(events):
    return [(event.cause, event.disposition) for event in of(events, e.ContactClosed)]


QUEUED = (OPEN, says("a loan", LOAN))
TALKING = (*QUEUED, ACCEPTED)


def test_a_conversation_begins_with_the_bot_and_its_greeting():
    events = when(Conversation("demo", "x"), OPEN)
    assert [type(event).__name__ for event in events] == [
        "ConversationOpened",
        "ContactOpened",
        "SegmentStarted",
        "ConversationStateChanged",
        "MessageAdded",
    ]
    assert events[1].arrived_at == 1_000 and events[1].entry_point == "web"
    assert (events[2].segment, events[2].kind, events[2].flow) == (1, "flow", "greeter")
    assert (events[4].message.author, events[4].message.text) == ("bot", "Hello!")


def test_opening_again_changes_nothing_and_tells_the_last_number():
    decision = decide(after(OPEN), OPEN, 3_000)
    assert (decision.events, decision.response.number) == ([], 1)


def test_a_first_message_opens_the_conversation():
    events = when(Conversation("demo", "x"), says("hi", HOURS))
    assert len(of(events, e.ContactOpened)) == 1
    assert [m.message.author for m in of(events, e.MessageAdded)] == ["bot", "customer", "bot"]


def test_a_message_that_comes_again_gets_its_number_and_adds_nothing():
    state = after(OPEN, says("hi", HOURS))
    decision = decide(state, says("hi", HOURS), 3_000)
    assert (decision.events, decision.response.number) == ([], 2)


def test_a_rule_with_a_queue_hands_over_with_its_data_and_requirements():
    events = when(after(OPEN), says("a loan", LOAN))
    (handed,) = of(events, e.HandedOver)
    assert handed == e.HandedOver(
        "demo", "x", "chat", ("product.loans >= 3",), {"language": "en", "product": "loans"}, 1
    )
    assert segments(events) == [(1, "flow", "completed"), (2, "queue", "began")]
    assert [event.step for event in of(events, e.StepOwed)] == ["route/1"]


def test_a_bot_that_does_not_understand_asks_again_and_then_hands_over():
    first = when(after(OPEN), says("hmm", LOST))
    assert of(first, e.MessageAdded)[-1].message.text == "Card or loan?"
    second = when(after(OPEN, says("hmm", LOST)), says("hm?", LOST, "m2"))
    assert [event.queue for event in of(second, e.HandedOver)] == ["chat"]


def test_a_rule_that_matches_forgives_what_was_not_understood():
    state = after(OPEN, says("hmm", LOST), says("hours", HOURS, "m2"))
    assert state.missed == 0


def test_a_widget_without_a_bot_hands_over_at_once():
    entry = c.EntryPoint("", "chat", "", "zh")
    events = when(Conversation("demo", "x"), c.OpenConversation("x", "web", entry=entry))
    assert segments(events) == [(1, "queue", "began")]
    assert of(events, e.MessageAdded)[0].message.text == "您已进入排队,请稍候。"


def test_the_accepted_reservation_binds_once_and_ends_the_queue():
    events = when(after(*QUEUED), ACCEPTED)
    assert [(b.agent_id, b.reservation_id, b.generation) for b in of(events, e.Bound)] == [("alice", "r1", 1)]
    assert segments(events) == [(2, "queue", "completed"), (3, "agent", "began")]
    assert of(events, e.SegmentStarted)[0].reservation_id == "r1"
    assert when(after(*TALKING), ACCEPTED) == []
    assert after(*TALKING).owed == ()


def test_a_reservation_that_ended_leaves_the_customer_in_line():
    assert when(after(*QUEUED), c.ReservationReported("x", "r0", "bob", False, "no_answer")) == []


def test_only_the_agent_who_has_the_conversation_writes():
    decision = decide(after(*TALKING), c.SendMessage("x", "alice", "sealed"), 3_000)
    assert decision.response.number == len(after(*TALKING).messages) + 1
    with pytest.raises(Rejected, match="Another agent"):
        decide(after(*TALKING), c.SendMessage("x", "bob", "sealed"), 3_000)
    with pytest.raises(Rejected, match="No agent has the conversation yet"):
        decide(after(*QUEUED), c.SendMessage("x", "alice", "sealed"), 3_000)
    with pytest.raises(Rejected, match="no such conversation"):
        decide(after(), c.SendMessage("x", "alice", "sealed"), 3_000)


def test_the_customer_leaves_while_in_line():
    events = when(after(*QUEUED), c.CloseConversation("x", "customer"))
    assert segments(events) == [(2, "queue", "abandoned")]
    assert closes(events) == [("customer", "")]
    assert after(*QUEUED, c.CloseConversation("x", "customer")).owed == ("cancel_task",)


def test_the_customer_leaves_the_bot_and_the_router_is_not_asked():
    state = after(OPEN, c.CloseConversation("x", "customer"))
    assert (state.state, state.owed) == ("closed", ())


def test_after_the_talk_the_contact_closes_with_the_wrap_up():
    ended = when(after(*TALKING), c.CloseConversation("x", "customer"), now=9_000)
    assert segments(ended) == [(3, "agent", "completed")]
    assert len(of(ended, e.Unbound)) == 1 and closes(ended) == []
    state = after(*TALKING, c.CloseConversation("x", "customer"))
    assert (state.state, state.owed) == ("wrapping", ("end_contact",))
    done = when(state, c.TaskReported("x", "completed", "solved"), now=12_000)
    assert closes(done) == [("customer", "solved")]
    (closed,) = of(done, e.ContactClosed)
    assert (closed.ended_at, closed.closed_at) == (2_000, 12_000)


def test_only_its_agent_ends_a_conversation_as_an_agent():
    with pytest.raises(Rejected, match="Only the agent"):
        when(after(*TALKING), c.CloseConversation("x", "agent", "bob"))
    events = when(after(*TALKING), c.CloseConversation("x", "agent", "alice"))
    assert of(events, e.ConversationEnded)[0].cause == "agent"


def test_closing_again_changes_nothing():
    assert when(after(*QUEUED, c.CloseConversation("x", "customer")), c.CloseConversation("x", "customer")) == []


def test_an_overflow_tells_its_text_and_closes():
    events = when(after(*QUEUED), c.TaskReported("x", "overflowed", prompt="Try tomorrow."))
    assert segments(events) == [(2, "queue", "overflowed")]
    assert of(events, e.MessageAdded)[-1].message.text == "Try tomorrow."
    assert closes(events) == [("overflow", "")]
    assert not of(events, e.StepOwed)


def test_a_requeued_contact_waits_again_and_the_next_agent_is_another_segment():
    state = after(*TALKING, c.TaskReported("x", "requeued", queue="loans"))
    assert (state.state, state.queue) == ("queued", "loans")
    events = when(state, c.ReservationReported("x", "r2", "bob", True))
    assert segments(events) == [(4, "queue", "completed"), (5, "agent", "began")]
    assert of(events, e.Bound)[0].generation == 1


def test_taken_out_of_line_by_a_supervisor():
    assert closes(when(after(*QUEUED), c.TaskReported("x", "canceled"))) == [("supervisor", "")]


def test_a_router_that_cannot_be_asked_closes_with_a_failure():
    events = when(after(*QUEUED), c.StepFailed("x", "route/1", "away"))
    assert segments(events) == [(2, "queue", "failed")]
    assert closes(events) == [("failure", "")]
    assert when(after(*TALKING), c.StepFailed("x", "route/1", "away")) == []


def test_an_acceptance_after_the_customer_left_binds_nobody():
    state = after(*QUEUED, c.CloseConversation("x", "customer"))
    assert when(state, ACCEPTED) == []


def test_a_broken_connection_may_come_back_within_the_grace():
    here = c.PresenceReported("x", "c1", True)
    gone = c.PresenceReported("x", "c1", False)
    state = after(*QUEUED, here, gone)
    assert next_due(state) == 2_000 + ENTRY.grace_ms
    assert next_due(after(*QUEUED, here, gone, c.PresenceReported("x", "c2", True))) is None
    events = when(state, c.Tick(), now=12_000)
    assert segments(events) == [(2, "queue", "abandoned")]
    assert of(events, e.ConversationEnded)[0].detail == "connection lost"


def test_the_end_of_an_older_connection_says_nothing_of_a_newer_one():
    state = after(OPEN, c.PresenceReported("x", "c1", True), c.PresenceReported("x", "c2", True))
    assert when(state, c.PresenceReported("x", "c1", False)) == []


def test_silence_closes_with_bot_and_agent_but_not_in_line():
    assert next_due(after(OPEN)) == 1_000 + ENTRY.idle_ms
    assert next_due(after(*QUEUED)) is None
    assert next_due(after(*TALKING)) == 2_000 + ENTRY.idle_ms
    events = when(after(OPEN), c.Tick(), now=61_000)
    assert segments(events) == [(1, "flow", "abandoned")]
    assert when(after(OPEN), c.Tick(), now=5_000) == []


def test_a_closed_conversation_is_forgotten_once_it_owes_nothing():
    state = after(*QUEUED, c.CloseConversation("x", "customer"))
    assert next_due(state) is None
    state = after(*QUEUED, c.CloseConversation("x", "customer"), c.StepDone("x", "cancel_task"))
    assert next_due(state) == 2_000 + REMEMBERED_MS
    (event,) = when(state, c.Tick(), now=2_000 + REMEMBERED_MS)
    assert not is_live(evolve(state, event))


def test_reports_about_contacts_of_others_change_nothing():
    for command in (ACCEPTED, c.TaskReported("x", "completed"), c.PresenceReported("x", "c1", True)):
        assert when(Conversation("demo", "x"), command) == []


def test_a_message_after_the_end_is_refused():
    with pytest.raises(Rejected, match="has ended"):
        when(after(*QUEUED, c.CloseConversation("x", "customer")), says("more", id="m2"))
