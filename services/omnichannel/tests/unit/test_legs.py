"""A customer whose site was lost comes to this one: what goes on, what the old site still does, and what binds."""

from dataclasses import replace

import pytest
from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.conversation import Conversation, evolve, next_due
from junctor_omnichannel.domain.decide import Rejected, decide

ENTRY = c.EntryPoint("greeter", "chat", "Hello!", "en", idle_ms=60_000, grace_ms=10_000)
SAID = (c.Message(1, "bot", "", "sealed hello", 1_100), c.Message(2, "customer", "", "sealed loan", 1_200, "m1"))
CAME = c.CustomerReattached(
    "x", 2, "a", "b", "web", ENTRY, 1_000, "queued", SAID, {"product": "loans"}, "loans", ("en >= 1",), 1, 0, 2
)


def after(*commands, state=None, at=2_000):
    state = state or Conversation("demo", "x")
    for command in commands:
        for event in decide(state, command, at).events:
            state = evolve(state, event)
    return state


def accepted(reservation, agent="alice"):
    return c.ReservationReported("x", reservation, agent, True)


def test_who_was_in_line_is_in_line_again_with_the_old_arrival_and_all_messages():
    state = after(CAME)
    assert (state.state, state.queue, state.arrived_at, state.leg, state.site) == ("queued", "loans", 1_000, 2, "b")
    assert (state.requirements, state.data, state.owed) == (("en >= 1",), {"product": "loans"}, ("route/2",))
    assert state.messages[:2] == SAID
    assert state.messages[2].text == "The connection broke and is back. You keep your place."
    assert state.segment is not None
    assert (state.segment.number, state.segment.kind) == (3, "queue")


def test_it_is_told_once_as_a_later_leg_and_opened_by_nobody():
    events = decide(Conversation("demo", "x"), CAME, 2_000).events
    told = [event for event in events if isinstance(event, e.Reattached)]
    assert told == [e.Reattached("demo", "x", 2, "b", "a", 1_000, 2_000)]
    assert not [event for event in events if isinstance(event, e.ContactOpened)]
    assert decide(after(CAME), CAME, 3_000).events == []


def test_who_was_with_the_bot_goes_on_with_it():
    state = after(replace(CAME, state="with_bot", queue="", routed=0, segments=1))
    assert (state.state, state.owed, state.messages) == ("with_bot", (), SAID)
    loan = c.BotReading(True, "A loan it is.", "loans")
    says = c.ReceiveMessage("x", "web", "m2", "a loan", received_at=2_500, site="b", entry=ENTRY, reading=loan)
    assert after(says, state=state).owed == ("route/1",)


def test_with_nothing_but_the_token_the_place_in_line_is_kept():
    state = after(c.CustomerReattached("x", 2, "a", "b", "web", ENTRY, 1_000, queue="loans"))
    assert (state.state, state.queue, state.arrived_at) == ("queued", "loans", 1_000)
    assert after(c.CustomerReattached("x", 2, "a", "b", "web", ENTRY, 1_000)).state == "with_bot"


def test_the_agent_who_still_has_it_is_joined_under_the_same_reservation():
    state = after(replace(CAME, state="with_agent"), accepted("demo.p.1.7.1"))
    assert (state.state, state.agent_id, state.reservation_id) == ("with_agent", "alice", "demo.p.1.7.1")


@pytest.mark.parametrize("over", ["wrapping", "closed"])
def test_what_has_ended_does_not_go_on(over):
    with pytest.raises(Rejected, match="has ended"):
        decide(Conversation("demo", "x"), replace(CAME, state=over), 2_000)


def test_the_site_that_had_it_says_and_owes_nothing_any_more():
    opened = c.OpenConversation("x", "web", "sealed address", "hash", 1_000, "a", ENTRY)
    state = after(opened)
    events = decide(state, c.LegMoved("x", 2, "b"), 9_000).events
    assert events == [e.ConversationMoved("demo", "x", 2, "b", 9_000)]
    moved = after(c.LegMoved("x", 2, "b"), state=state, at=9_000)
    assert (moved.state, moved.moved_to, moved.owed, moved.open) == ("closed", "b", (), False)
    assert next_due(moved) is not None
    assert after(c.LegMoved("x", 1, "b"), state=after(CAME)).state == "queued", "an older leg"


def test_what_ended_here_by_itself_has_moved_all_the_same():
    opened = c.OpenConversation("x", "web", "sealed address", "hash", 1_000, "a", ENTRY)
    gone = after(opened, c.PresenceReported("x", "one", True), c.PresenceReported("x", "one", False))
    ended = after(c.Tick(), state=gone, at=60_000)
    assert (ended.state, ended.moved_to) == ("closed", "")
    moved = after(c.LegMoved("x", 2, "b"), state=ended, at=61_000)
    assert (moved.moved_to, moved.leg, moved.owed) == ("b", 2, ())
    assert after(c.LegMoved("x", 2, "b"), state=moved) == moved


def test_it_comes_back_to_the_first_site_when_the_second_is_lost():
    opened = c.OpenConversation("x", "web", "sealed address", "hash", 1_000, "a", ENTRY)
    state = after(opened, c.LegMoved("x", 2, "b"), replace(CAME, leg=3, previous_site="b", site="a"))
    assert (state.state, state.leg, state.moved_to, state.closed_at) == ("queued", 3, "", None)


def test_a_reservation_binds_once():
    state = after(CAME, accepted("demo.p.1.7.1"), c.TaskReported("x", "requeued", queue="loans"))
    assert after(accepted("demo.p.1.7.1"), state=state).state == "queued"
    assert after(accepted("demo.p.1.8.1", "bob"), state=state).agent_id == "bob"


def test_what_an_earlier_site_epoch_decided_binds_nothing_once_a_later_one_has():
    state = after(CAME, accepted("demo.p.q.2.1.1"))
    assert after(accepted("demo.p.q.1.99.1", "bob"), state=state).agent_id == "alice"
    requeued = after(c.TaskReported("x", "requeued", queue="loans"), state=state)
    assert after(accepted("demo.p.q.1.99.1", "bob"), state=requeued).state == "queued"
