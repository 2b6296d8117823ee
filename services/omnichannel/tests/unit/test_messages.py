"""The domain and its messages match, the state survives a snapshot, and the router's events mean what they should."""

from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_omnichannel.application.mapping import MAPPING, new_fold
from junctor_omnichannel.application.reactions import meaning
from junctor_omnichannel.domain import commands, events


def test_every_field_has_its_counterpart():
    classes = [
        kind
        for module in (commands, events)
        for kind in vars(module).values()
        if isinstance(kind, type)
        and kind.__module__ == module.__name__
        and kind not in {commands.Tick, commands.Overtaken}
    ]
    assert len(classes) > 25
    assert MAPPING.unmatched(*classes) == []


def applied(fold, body, now):
    return fold.apply(journal_pb2.Input(tenant="demo", stream="x", id=str(now)), body, now)


def filled():
    fold = new_fold()
    entry = pb.EntryPoint(bot="greeter", queue="chat", greeting="Hello", language="en", idle_ms=60_000)
    opened = applied(fold, pb.OpenConversationRequest(contact_id="x", widget="web", received_at=5, entry=entry), 10)
    reading = pb.BotReading(matched=True, reply="One moment", queue="chat", set={"product": "loans"})
    message = pb.ReceiveMessageRequest(contact_id="x", widget="web", message_id="m", text="sealed", reading=reading)
    return fold, opened, applied(fold, message, 20)


def test_contact_events_have_the_common_shape():
    _, opened, received = filled()
    contact = next(event for event in opened.events if isinstance(event, contact_pb2.ContactOpened))
    assert (contact.channel, contact.direction) == (contact_pb2.CHANNEL_CHAT, contact_pb2.DIRECTION_INBOUND)
    assert received.response.number == 2
    ended = next(event for event in received.events if isinstance(event, contact_pb2.SegmentEnded))
    assert (ended.kind, ended.result) == (contact_pb2.SEGMENT_KIND_FLOW, contact_pb2.SEGMENT_RESULT_COMPLETED)


def test_the_state_survives_a_snapshot():
    fold, _, _ = filled()
    copy = new_fold()
    copy.load(fold.dump())
    assert copy.get("demo", "x") == fold.get("demo", "x")
    assert copy.hash() == fold.hash()


def test_a_refusal_says_why():
    fold, _, _ = filled()
    refused = applied(fold, pb.SendMessageRequest(contact_id="x", agent_id="alice", text="x"), 30)
    assert refused.refusal.message == "No agent has the conversation yet."


def test_the_routers_events_are_taken_where_they_are_meant_for_this_edge():
    accepted = router_pb2.ReservationAccepted(contact_id="x", reservation_id="r", agent_id="a", edge="omnichannel/a")
    assert meaning(accepted, "omnichannel/a") == pb.ReservationReported(
        contact_id="x", reservation_id="r", agent_id="a", accepted=True
    )
    assert meaning(router_pb2.ReservationAccepted(contact_id="x", edge="omnichannel/b"), "omnichannel/a") is None
    closed = router_pb2.TaskOverflowed(contact_id="x", treatment="closed", edge="omnichannel/a")
    assert meaning(closed, "omnichannel/a") == pb.TaskReported(contact_id="x", state="overflowed", prompt="closed")
    assert (
        meaning(router_pb2.TaskRequeued(contact_id="x", queue="q", edge="omnichannel/a"), "omnichannel/a").queue == "q"
    )
    assert meaning(router_pb2.TaskQueued(contact_id="x"), "omnichannel/a") is None
