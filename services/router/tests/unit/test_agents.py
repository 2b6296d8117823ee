"""Agents: sessions, states, devices, capacity and who of several is chosen."""

import pytest
from junctor_router.domain.commands import (
    CompleteTask,
    EndContact,
    LogIn,
    LogOut,
    ReportDevice,
    SetAgentState,
)
from junctor_router.domain.configuration import AgentValue, Step, TenantValue
from junctor_router.domain.values import AgentOrder, AgentState, AttributeType, Channel, DeviceState, TaskState
from router_given import names


def finish(centre, contact_id):
    centre.do(EndContact(contact_id))
    centre.do(CompleteTask("", contact_id))


def test_the_longest_idle_agent_is_chosen(centre):
    for name in ("ann", "bob", "cem"):
        centre.agent(name)
        centre.wait(1_000)
    centre.arrive("c1")
    assert centre.task("c1").agent_id == "ann"
    centre.accept("c1")
    finish(centre, "c1")
    order = []
    for number in range(2, 5):
        centre.arrive(f"c{number}")
        order.append(centre.task(f"c{number}").agent_id)
    assert order == ["bob", "cem", "ann"]


def test_a_caller_who_gives_up_while_it_rings_does_not_cost_the_agent_the_rank(centre):
    centre.agent("ann")
    centre.agent("bob")
    centre.arrive("c1")
    centre.do(EndContact("c1"))
    centre.arrive("c2")
    assert centre.task("c2").agent_id == "ann"


def test_the_most_proficient_agent_is_chosen(centre):
    centre.queue("loans", Step("product.loan >= 1", order=AgentOrder.MOST_PROFICIENT))
    for name, level in (("ann", 3), ("bob", 9), ("cem", 5)):
        centre.agent(name, product__loan=level)
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").agent_id == "bob"
    centre.arrive("c2", queue="loans")
    assert centre.task("c2").agent_id == "cem"


def test_several_proficiencies_add_up(centre):
    centre.queue("loans", Step("loan >= 1 && zh >= 1", order=AgentOrder.MOST_PROFICIENT))
    centre.agent("ann", loan=9, zh=1)
    centre.agent("bob", loan=6, zh=6)
    centre.arrive("c1", queue="loans")
    assert centre.task("c1").agent_id == "bob"


def test_the_least_occupied_agent_is_chosen(centre):
    centre.queue("fair", Step("", order=AgentOrder.LEAST_OCCUPIED))
    centre.agent("ann")
    centre.arrive("c0", queue="fair")
    centre.accept("c0")
    centre.wait(3_600_000)
    centre.agent("bob")
    centre.arrive("c1", queue="fair")
    centre.accept("c1")
    assert centre.task("c1").agent_id == "bob"
    finish(centre, "c1")
    finish(centre, "c0")
    centre.arrive("c2", queue="fair")
    assert centre.task("c2").agent_id == "ann"


def test_in_turn(centre):
    centre.queue("ring", Step("", order=AgentOrder.ROUND_ROBIN))
    for name in ("ann", "bob"):
        centre.agent(name)
    served = []
    for number in range(4):
        centre.arrive(f"c{number}", queue="ring")
        served.append(centre.task(f"c{number}").agent_id)
        centre.do(EndContact(f"c{number}"))
    assert served == ["ann", "bob", "ann", "bob"]


def test_a_session_replaces_the_one_before_and_its_offers_end(centre):
    centre.agent("ann")
    centre.arrive("c1")
    outcome = centre.do(LogIn("ann", state=AgentState.READY))
    assert outcome.response.session == 2
    assert names(outcome.events) == ["ReservationEnded", "TaskRequeued", "AgentStateChanged", "ReservationCreated"]
    assert centre.task("c1").reservation_id.endswith(".2.2")


def test_a_session_can_leave_channels_out(centre):
    centre.agent("ann", state=None)
    centre.do(LogIn("ann", (Channel.CHAT,), AgentState.READY))
    assert centre.arrive("v1").response.state is TaskState.QUEUED
    assert centre.arrive("t1", channel=Channel.CHAT).response.state is TaskState.RESERVED


def test_a_session_begins_not_ready_unless_it_says_so(centre):
    centre.agent("ann", state=None)
    centre.do(LogIn("ann"))
    assert centre.person("ann").state is AgentState.NOT_READY
    assert centre.do(LogIn("ann", state=AgentState.NOT_RESPONDING)).refusal.code == "invalid_argument"
    assert centre.do(LogIn("ghost")).refusal.code == "not_found"


def test_not_ready_while_busy_is_pending(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    outcome = centre.do(SetAgentState("ann", AgentState.NOT_READY, "lunch"))
    assert (outcome.response.state, outcome.response.pending) == (AgentState.READY, AgentState.NOT_READY)
    centre.do(EndContact("c1"))
    events = centre.do(CompleteTask("ann", "c1")).events
    assert names(events) == ["TaskCompleted", "AgentStateChanged"]
    assert (events[1].state, events[1].reason) == (AgentState.NOT_READY, "lunch")
    assert centre.arrive("c2").response.state is TaskState.QUEUED


def test_not_ready_while_it_rings_takes_the_offer_back_at_once(centre):
    centre.agent("ann")
    centre.arrive("c1")
    events = centre.do(SetAgentState("ann", AgentState.NOT_READY)).events
    assert names(events) == ["ReservationEnded", "AgentStateChanged", "TaskRequeued"]
    assert centre.task("c1").state is TaskState.QUEUED


def test_ready_again_ends_what_was_pending(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    centre.do(SetAgentState("ann", AgentState.NOT_READY))
    centre.do(SetAgentState("ann", AgentState.READY))
    assert centre.person("ann").pending is AgentState.UNSPECIFIED
    assert centre.do(SetAgentState("ann", AgentState.LOGGED_OUT)).refusal.code == "invalid_argument"


def test_logging_out_waits_for_contacts_in_hand(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    assert centre.do(LogOut("ann")).response.pending is True
    finish(centre, "c1")
    assert centre.person("ann").state is AgentState.LOGGED_OUT
    assert centre.do(LogOut("ann")).response.pending is False
    assert centre.do(SetAgentState("ann", AgentState.READY)).refusal.reason == "AGENT_NOT_LOGGED_IN"


def test_logging_out_with_several_chats_ringing(centre):
    centre.agent("ann")
    for number in range(3):
        centre.arrive(f"t{number}", channel=Channel.CHAT)
    assert centre.do(LogOut("ann")).response.pending is False
    assert {task.state for task in centre.pool.state.tasks.values()} == {TaskState.QUEUED}


def test_a_deleted_agent_finishes_the_contact_in_hand(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    centre.delete("agent", "ann")
    assert centre.do(LogIn("ann")).refusal.code == "not_found"
    assert centre.arrive("c2").response.state is TaskState.QUEUED
    finish(centre, "c1")
    assert "ann" not in centre.pool.state.agents


@pytest.mark.parametrize("state", [DeviceState.BUSY, DeviceState.UNREGISTERED])
def test_the_phone_blocks_voice_only(centre, state):
    centre.agent("ann")
    assert names(centre.do(ReportDevice("ann", state)).events) == ["AgentDeviceChanged"]
    assert centre.do(ReportDevice("ann", state)).events == ()
    assert centre.arrive("v1").response.state is TaskState.QUEUED
    assert centre.arrive("t1", channel=Channel.MAIL).response.state is TaskState.RESERVED
    centre.accept("t1")
    assert names(centre.do(ReportDevice("ann", DeviceState.IDLE)).events) == [
        "AgentDeviceChanged",
        "TaskParked",
        "ReservationCreated",
    ]


def test_without_a_phone_there_are_no_calls(centre):
    centre.configure("ann", AgentValue())
    centre.do(LogIn("ann", state=AgentState.READY))
    assert centre.arrive("v1").response.state is TaskState.QUEUED
    assert centre.arrive("t1", channel=Channel.CHAT).response.state is TaskState.RESERVED


def test_four_chats_at_once_by_default_and_no_call_on_top(centre):
    centre.agent("ann")
    states = [centre.arrive(f"t{n}", channel=Channel.CHAT).response.state for n in range(5)]
    assert states == [TaskState.RESERVED] * 4 + [TaskState.QUEUED]
    assert centre.arrive("v1").response.state is TaskState.QUEUED


def test_a_call_comes_on_top_of_mail_but_no_mail_on_top_of_a_call(centre):
    centre.agent("ann")
    centre.arrive("m1", channel=Channel.MAIL)
    assert centre.arrive("v1").response.state is TaskState.RESERVED
    assert centre.arrive("m2", channel=Channel.MAIL).response.state is TaskState.QUEUED


def test_who_did_not_answer_one_chat_loses_the_other_offers_too(centre):
    centre.agent("ann")
    centre.arrive("t1", channel=Channel.CHAT)
    centre.wait(1_000)
    centre.arrive("t2", channel=Channel.CHAT)
    events = centre.wait(19_000)
    assert names(events) == [
        "ReservationEnded",
        "AgentStateChanged",
        "ReservationEnded",
        "TaskRequeued",
        "TaskRequeued",
    ]


def test_a_changed_attribute_counts_at_once(centre):
    centre.queue("loans", Step("loan >= 5"))
    centre.agent("ann", loan=1)
    centre.arrive("c1", queue="loans")
    assert names(centre.configure("ann", AgentValue({"loan": "7"}, "p")).events) == [
        "ConfigurationApplied",
        "ReservationCreated",
    ]


def test_a_value_that_is_no_proficiency_is_left_out_with_a_warning(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    outcome = centre.configure("ann", AgentValue({"loan": "11"}, "p"))
    assert outcome.events[0].warnings == ("loan is '11', which is no proficiency; it is left out.",)


def test_a_type_that_is_declared_later_is_read_again(centre):
    centre.queue("loans", Step("loan >= 5"))
    centre.agent("ann", loan=7)
    centre.attribute("loan", AttributeType.TEXT)
    centre.wait(10)
    assert centre.person("ann").member.attributes == {"loan": "7"}
    assert centre.arrive("c1", queue="loans").response.state is TaskState.QUEUED


def test_reasons_and_dispositions_are_the_tenants(centre):
    centre.configure("self", TenantValue(not_ready_reasons=("break",), dispositions=("solved",)), "tenant")
    centre.agent("ann")
    refusal = centre.do(SetAgentState("ann", AgentState.NOT_READY, "nap")).refusal
    assert (refusal.reason, refusal.code) == ("REASON_UNKNOWN", "invalid_argument")
    assert "break" in refusal.message
    centre.arrive("c1")
    centre.accept("c1")
    centre.do(EndContact("c1"))
    assert centre.do(CompleteTask("ann", "c1", "guessed")).refusal.reason == "DISPOSITION_UNKNOWN"
    assert centre.do(CompleteTask("ann", "c1", "solved")).refusal is None
    assert centre.do(SetAgentState("ann", AgentState.NOT_READY, "break")).response.state is AgentState.NOT_READY
    assert centre.do(SetAgentState("ann", AgentState.NOT_READY)).refusal is None
