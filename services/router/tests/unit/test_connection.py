"""An agent's workspace that is gone: the grace, what comes back, what stays, and processes that die without a word."""

import pytest
from junctor_router.domain.commands import (
    AgentStreamClosed,
    AgentStreamOpened,
    EndContact,
    LogIn,
    LogOut,
    SetAgentState,
    StreamHolderAlive,
)
from junctor_router.domain.configuration import QueueValue, TenantValue
from junctor_router.domain.connection_commands import HOLDER_MS
from junctor_router.domain.explanation import explain_agent
from junctor_router.domain.values import AgentState, Channel, ConnectionState, TaskState
from router_given import names

GRACE_MS = 60_000


def opened(centre, agent="ann", holder="p1"):
    return centre.do(AgentStreamOpened(agent, holder))


def closed(centre, agent="ann", holder="p1"):
    return centre.do(AgentStreamClosed(agent, holder))


@pytest.fixture
def watched(centre):
    centre.agent("ann")
    opened(centre)
    return centre


def in_hand(centre, contact_id="t1", channel=Channel.CHAT):
    centre.arrive(contact_id, channel=channel)
    centre.accept(contact_id)


def alive_for(centre, milliseconds, holder="p1"):
    """Time passes, and the process is heard of."""
    events = []
    for _ in range(milliseconds // 10_000):
        events += centre.wait(10_000)
        events += centre.do(StreamHolderAlive(holder)).events
    return events


def test_after_the_grace_contacts_go_back_with_their_age_and_the_session_ends(watched):
    in_hand(watched)
    arrived = watched.task("t1").arrived_at
    lost = closed(watched).events
    assert [(e.state, e.lost_until) for e in lost] == [(ConnectionState.LOST, watched.now + GRACE_MS)]
    assert watched.wait(GRACE_MS - 1) == []
    events = watched.wait(1)
    assert names(events) == ["AgentStateChanged", "AgentStateChanged", "TaskRequeued"]
    assert (events[2].cause, events[2].agent_id) == ("connection_lost", "ann")
    assert watched.task("t1").arrived_at == arrived
    assert (watched.person("ann").state, watched.person("ann").reason) == (AgentState.LOGGED_OUT, "connection_lost")
    watched.agent("bob")
    assert watched.task("t1").agent_id == "bob"


def test_who_comes_back_within_the_grace_keeps_everything(watched):
    in_hand(watched)
    closed(watched)
    watched.wait(GRACE_MS - 1)
    assert [e.state for e in opened(watched, holder="p2").events] == [ConnectionState.CONNECTED]
    assert (watched.task("t1").state, watched.task("t1").agent_id) == (TaskState.ASSIGNED, "ann")
    assert alive_for(watched, 120_000, "p2") == []
    assert watched.person("ann").state is AgentState.READY


def test_meanwhile_there_are_no_offers_and_one_that_rings_is_nobodys_fault(watched):
    watched.arrive("t1", channel=Channel.CHAT)
    closed(watched)
    watched.arrive("t2", channel=Channel.CHAT)
    assert watched.task("t2").state is TaskState.QUEUED
    assert "has lost the connection" in explain_agent(watched.pool.state, watched.person("ann")).summary
    events = watched.wait(20_000)
    assert names(events) == ["ReservationEnded", "TaskRequeued"]
    assert watched.person("ann").state is AgentState.READY
    assert names(opened(watched).events) == ["AgentConnectionChanged", "ReservationCreated", "ReservationCreated"]


def test_a_call_stays_with_the_phone_and_the_session_ends_after_it(watched):
    in_hand(watched, "v1", Channel.VOICE)
    closed(watched)
    assert names(watched.wait(GRACE_MS)) == ["AgentStateChanged"]
    assert watched.task("v1").state is TaskState.ASSIGNED
    assert watched.person("ann").pending is AgentState.LOGGED_OUT
    watched.do(EndContact("v1"))
    assert "AgentStateChanged" in names(watched.wait(5_000))
    assert not watched.person("ann").logged_in


def test_a_wrap_up_that_nobody_writes_is_completed(watched):
    in_hand(watched)
    watched.configure("sales", QueueValue(wrap_up_ms=600_000))
    watched.do(EndContact("t1"))
    closed(watched)
    assert names(watched.wait(GRACE_MS)) == ["AgentStateChanged", "TaskCompleted", "AgentStateChanged"]


def test_two_workspaces_are_one_presence(watched):
    opened(watched, holder="p2")
    assert closed(watched).events == ()
    assert names(closed(watched, holder="p2").events) == ["AgentConnectionChanged"]


def test_an_agent_without_a_workspace_is_not_watched_over(centre):
    centre.agent("ann")
    in_hand(centre)
    assert closed(centre).events == ()
    assert centre.wait(3_600_000) == []


def test_a_new_session_is_a_sign_of_life(watched):
    in_hand(watched)
    closed(watched)
    watched.do(LogIn("ann", state=AgentState.READY))
    assert watched.wait(3_600_000) == []
    assert watched.task("t1").agent_id == "ann"


def test_logging_out_ends_the_grace(watched):
    closed(watched)
    watched.do(LogOut("ann"))
    assert watched.wait(3_600_000) == []
    assert closed(watched).events == ()


def test_a_stream_from_before_the_session_counts(centre):
    centre.agent("ann", state=None)
    opened(centre)
    centre.do(LogIn("ann", state=AgentState.READY))
    assert names(closed(centre).events) == ["AgentConnectionChanged"]


def test_who_was_given_up_with_a_call_may_stay_after_all(watched):
    in_hand(watched, "v1", Channel.VOICE)
    closed(watched)
    watched.wait(GRACE_MS)
    opened(watched)
    watched.do(SetAgentState("ann", AgentState.READY))
    watched.do(EndContact("v1"))
    alive_for(watched, 120_000)
    assert watched.person("ann").state is AgentState.READY


def test_a_process_that_died_has_lost_its_streams(watched):
    watched.agent("bob")
    opened(watched, "bob")
    opened(watched, "bob", "p2")
    assert alive_for(watched, 30_000, "p1") == []
    opened(watched, "bob", "p2")
    events = watched.wait(HOLDER_MS)
    assert [(e.agent_id, e.state) for e in events] == [
        ("ann", ConnectionState.LOST),
        ("bob", ConnectionState.LOST),
    ]
    assert watched.pool.state.holders == {}
    assert watched.do(StreamHolderAlive("p1")).events == ()


def test_a_process_with_many_agents_is_worked_off_in_slices(centre):
    for number in range(250):
        centre.agent(f"a{number:03}")
        opened(centre, f"a{number:03}")
    events = centre.wait(HOLDER_MS + 10)
    assert len({e.lost_until for e in events}) == 3
    assert sorted(e.agent_id for e in events) == [f"a{number:03}" for number in range(250)]


@pytest.mark.parametrize(("grace_ms", "left"), [(-1, True), (2_000, False)])
def test_the_tenant_says_how_long(centre, grace_ms, left):
    centre.configure("self", TenantValue("", (), grace_ms), "tenant")
    centre.agent("ann")
    opened(centre)
    closed(centre)
    centre.wait(2_000)
    assert centre.person("ann").logged_in is left


def test_a_restart_keeps_the_grace(watched):
    in_hand(watched)
    closed(watched)
    watched.wait(10_000)
    watched.pool = watched.restored()
    assert "TaskRequeued" in names(watched.wait(50_000))
