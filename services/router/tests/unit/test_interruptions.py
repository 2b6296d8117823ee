"""What may come on top of what an agent has: the matrix of the tenant and of the agent, and mail that is parked."""

from junctor_router.domain.capacity import MATRIX
from junctor_router.domain.commands import CompleteTask, EndContact, LogIn, ReportDevice, RequeueTask
from junctor_router.domain.configuration import AgentValue, Interruption, TenantValue
from junctor_router.domain.explanation import explain_agent, explain_contact
from junctor_router.domain.values import AgentState, Channel, DeviceState, ReservationState, TaskState
from router_given import names


def with_mail(centre, contact_id="m1"):
    centre.agent("ann")
    centre.arrive(contact_id, channel=Channel.MAIL)
    centre.accept(contact_id)


def test_a_call_parks_the_mail_and_after_the_wrap_up_the_mail_goes_on_with_its_age(centre):
    with_mail(centre)
    arrived, began = centre.task("m1").arrived_at, centre.now
    centre.wait(10_000)
    parked = centre.arrive("v1").events
    assert names(parked) == ["TaskQueued", "TaskParked", "ReservationCreated"]
    assert (parked[1].contact_id, parked[1].for_channel) == ("m1", Channel.VOICE)
    centre.accept("v1")
    centre.wait(60_000)
    centre.do(EndContact("v1"))
    assert centre.task("m1").state is TaskState.PARKED, "the call's wrap-up comes before the mail"
    resumed = centre.do(CompleteTask("ann", "v1")).events
    assert names(resumed) == ["TaskCompleted", "TaskResumed"]
    assert (resumed[1].parked_ms, centre.task("m1").arrived_at) == (60_000, arrived)
    centre.wait(5_000)
    centre.do(EndContact("m1"))
    done = centre.do(CompleteTask("ann", "m1")).events[0]
    assert (done.assigned_at, done.ended_at - done.assigned_at, done.parked_ms) == (began, 75_000, 60_000)


def test_a_call_that_is_not_taken_lets_the_mail_go_on(centre):
    with_mail(centre)
    centre.arrive("v1")
    assert centre.task("m1").state is TaskState.PARKED
    assert "TaskResumed" in names(centre.do(EndContact("v1")).events)
    assert centre.task("m1").state is TaskState.ASSIGNED


def test_mail_that_only_rings_goes_back_in_line_and_to_somebody_else(centre):
    centre.agent("ann")
    centre.arrive("m1", channel=Channel.MAIL)
    centre.agent("bob", state=AgentState.NOT_READY)
    events = centre.arrive("v1").events
    assert names(events) == ["TaskQueued", "ReservationEnded", "TaskRequeued", "ReservationCreated"]
    assert (events[1].state, events[1].cause) == (ReservationState.RESCINDED, "yielded")
    assert centre.task("m1").state is TaskState.QUEUED
    centre.agent("cem")
    assert centre.task("m1").agent_id == "cem"


def test_nothing_comes_on_top_of_a_call_by_default(centre):
    centre.agent("ann")
    centre.arrive("v1")
    for channel in (Channel.CHAT, Channel.MAIL, Channel.MESSAGE, Channel.VIDEO):
        assert centre.arrive(f"on-{channel}", channel=channel).response.state is TaskState.QUEUED


def test_a_tenant_may_let_calls_come_during_chats(centre):
    centre.configure("self", TenantValue("", (Interruption(Channel.VOICE, (Channel.CHAT,), ()),)), "tenant")
    centre.agent("ann")
    centre.arrive("t1", channel=Channel.CHAT)
    centre.accept("t1")
    assert centre.arrive("v1").response.state is TaskState.RESERVED
    assert centre.task("t1").state is TaskState.ASSIGNED


def test_a_changed_matrix_reaches_agents_and_contacts_in_line(centre):
    with_mail(centre)
    centre.arrive("v1")
    centre.accept("v1")
    centre.arrive("t1", channel=Channel.CHAT)
    events = centre.configure(
        "self",
        TenantValue("", (Interruption(Channel.CHAT, (Channel.VOICE, Channel.MAIL)), Interruption(Channel.VOICE))),
        "tenant",
    ).events
    assert names(events) == ["ConfigurationApplied", "TaskResumed", "ReservationCreated"]


def test_an_agents_own_rule_comes_before_the_tenants(centre):
    centre.configure("self", TenantValue("", (Interruption(Channel.VOICE, (Channel.CHAT,)),)), "tenant")
    centre.configure("bob", AgentValue({}, "phone", {}, (Interruption(Channel.VOICE),)))
    centre.do(LogIn("bob", state=AgentState.READY))
    centre.arrive("t1", channel=Channel.CHAT)
    assert centre.arrive("v1").response.state is TaskState.QUEUED


def test_a_parked_mail_can_be_ended_canceled_and_given_away(centre):
    with_mail(centre)
    centre.arrive("m2", channel=Channel.MAIL)
    centre.accept("m2")
    centre.arrive("v1")
    assert centre.do(EndContact("m1")).response.state is TaskState.WRAPPING
    assert names(centre.do(RequeueTask("m2")).events) == ["TaskRequeued"]
    assert (centre.task("m2").state, centre.task("m2").parked_at) == (TaskState.QUEUED, 0)
    assert names(centre.wait(5_000)) == ["TaskCompleted"]


def test_what_is_parked_is_so_after_a_restart(centre):
    with_mail(centre)
    centre.arrive("v1")
    centre.wait(1_000)
    centre.pool = centre.restored()
    assert "TaskResumed" in names(centre.do(EndContact("v1")).events)
    assert centre.task("m1").parked_ms == 1_000


def test_a_phone_that_is_busy_keeps_calls_from_parking_mail(centre):
    with_mail(centre)
    centre.do(ReportDevice("ann", DeviceState.BUSY))
    centre.arrive("v1")
    assert centre.task("m1").state is TaskState.ASSIGNED


def test_what_keeps_a_call_away_is_named_and_nothing_else(centre):
    with_mail(centre)
    centre.arrive("t1", channel=Channel.CHAT)
    centre.accept("t1")
    reasons = explain_agent(centre.pool.state, centre.person("ann")).reasons
    assert "Takes no voice now: has chat in hand, which voice does not interrupt." in reasons


def test_what_a_parked_mail_waits_for_is_explained(centre):
    with_mail(centre)
    centre.arrive("v1")
    assert "it is parked for v1 (voice)" in explain_contact(centre.pool.state, centre.task("m1")).summary
    assert "Has m1 (parked)." in explain_agent(centre.pool.state, centre.person("ann")).reasons


def test_of_two_channels_that_park_each_other_the_later_rule_holds(centre):
    centre.configure("self", TenantValue("", (Interruption(Channel.MAIL, (), (Channel.VOICE,)),)), "tenant")
    centre.agent("ann")
    centre.arrive("v1")
    assert names(centre.arrive("m1", channel=Channel.MAIL).events)[-1] == "ReservationCreated"
    assert (centre.task("m1").state, centre.task("v1").state) == (TaskState.RESERVED, TaskState.QUEUED)


def test_of_channels_that_park_each_other_in_a_ring_the_last_rule_breaks_it(centre):
    ring = (
        Interruption(Channel.CHAT, (), (Channel.MAIL,)),
        Interruption(Channel.MAIL, (), (Channel.MESSAGE,)),
        Interruption(Channel.MESSAGE, (), (Channel.CHAT,)),
    )
    matrix = MATRIX.changed(ring)
    assert [matrix.parks[one.channel] for one in ring] == [1 << Channel.MAIL, 0, 1 << Channel.CHAT]
    assert not matrix.allows[Channel.MAIL] >> Channel.MESSAGE & 1
    centre.configure("self", TenantValue("", ring), "tenant")
    centre.agent("ann")
    for channel in (Channel.CHAT, Channel.MAIL, Channel.MESSAGE):
        centre.arrive(channel.name, channel=channel)
    assert centre.task("MESSAGE").state is TaskState.RESERVED
