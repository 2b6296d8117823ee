"""A customer whose site was lost comes again at another one: the later leg has the contact, in its place or with its agent."""

from junctor_router.domain.commands import CancelTask, EndContact, RequestTask, RequeueTask
from junctor_router.domain.values import Channel, TaskState
from router_given import names


def again(centre, contact_id, leg=2, channel=Channel.VOICE, **more):
    return centre.do(RequestTask(contact_id, channel, "sales", edge="cti/b", leg=leg, **more))


def test_who_waits_keeps_arrival_priority_and_requirements(centre):
    centre.arrive("first", priority=3, requirements=("language.en >= 1",))
    arrived = centre.task("first").arrived_at
    centre.wait(5_000)
    centre.arrive("second", priority=3)
    again(centre, "first", priority=9, arrived_at=centre.now)
    task = centre.task("first")
    assert (task.edge, task.leg, task.arrived_at, task.priority) == ("cti/b", 2, arrived, 3)
    assert task.requirements == ("language.en >= 1",)
    assert task.key < centre.task("second").key


def test_a_ring_for_the_lost_leg_ends_and_the_contact_is_back_in_line(centre):
    centre.agent("ann")
    centre.arrive("c")
    old = centre.task("c").reservation_id
    done = names(again(centre, "c").events)
    assert done[:2] == ["ReservationEnded", "TaskRequeued"]
    assert centre.task("c").reservation_id != old


def test_a_call_that_talked_goes_back_in_line_and_its_agent_is_free(centre):
    centre.agent("ann")
    centre.arrive("c")
    arrived = centre.task("c").arrived_at
    centre.accept("c")
    centre.wait(1_000)
    again(centre, "c")
    task = centre.task("c")
    assert (task.state, task.arrived_at) == (TaskState.QUEUED, arrived)
    centre.agent("bob")
    assert centre.task("c").agent_id == "bob"


def test_a_chat_keeps_its_agent_who_is_told_to_the_new_edge(centre):
    centre.agent("ann")
    centre.arrive("c", channel=Channel.CHAT)
    centre.accept("c")
    reservation = centre.task("c").reservation_id
    found = again(centre, "c", channel=Channel.CHAT)
    assert (found.response.state, found.response.agent_id) == (TaskState.ASSIGNED, "ann")
    assert found.response.reservation_id == reservation
    assert found.events == ()
    assert centre.task("c").edge == "cti/b"


def test_what_an_earlier_leg_says_is_history(centre):
    centre.arrive("c")
    again(centre, "c", leg=3)
    for command in (CancelTask("c", "abandoned", leg=2), EndContact("c", leg=1), RequeueTask("c", leg=2)):
        assert centre.do(command).refusal.reason == "LEG_MOVED"
    assert names(again(centre, "c", leg=2).events) == []
    assert centre.task("c").leg == 3
    centre.do(CancelTask("c", "abandoned", leg=3))


def test_a_contact_that_never_got_here_arrives_with_its_old_stamp(centre):
    centre.wait(10_000)
    again(centre, "c", arrived_at=centre.now - 9_000)
    assert (centre.task("c").leg, centre.task("c").arrived_at) == (2, centre.now - 9_000)


def test_a_customer_who_was_gone_before_does_not_come_again(centre):
    centre.agent("ann")
    centre.arrive("c")
    centre.accept("c")
    centre.do(EndContact("c", leg=1))
    assert again(centre, "c").refusal.reason == "TASK_WRAPPING"
