"""Calls through the whole of cti: what its people hear, what the others are asked, and what is told of it."""

import asyncio

import pytest
from junctor.cti.v1 import cti_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.recording.v1 import recording_pb2
from junctor.router.v1 import router_pb2
from junctor_cti.application.ports.media_errors import MediaCallUnknown
from junctor_service.errors import Code, ServiceError
from junctor_testkit.rtp import RtpEndpoint

LIMIT = 40.0
SERVED = [
    ("SEGMENT_KIND_FLOW", "", "SEGMENT_RESULT_COMPLETED"),
    ("SEGMENT_KIND_QUEUE", "", "SEGMENT_RESULT_COMPLETED"),
    ("SEGMENT_KIND_AGENT", "alice", "SEGMENT_RESULT_COMPLETED"),
]
ABANDONED = [SERVED[0], ("SEGMENT_KIND_QUEUE", "", "SEGMENT_RESULT_ABANDONED")]


async def eventually(condition, what):
    async with asyncio.timeout(LIMIT):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


async def in_talk(place):
    agent = await place.phone("1001", 1000, register=True)
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    return await dialed.bridged(agent)


async def test_a_call_goes_all_the_way(place):
    agent = await place.phone("1001", 1000, register=True)
    reported = await eventually(lambda: place.others.of(router_pb2.ReportDeviceRequest), "the phone is reported")
    assert (reported[0].agent_id, reported[0].state) == ("alice", router_pb2.DEVICE_STATE_IDLE)

    dialed = await (await place.dial()).answered()
    await dialed.menu()
    await dialed.phone.send_digits("2")
    verbs = await eventually(lambda: place.said(dialed.contact, "MediaVerbEnded"), "the digit is told")
    assert (verbs[0].verb_id, verbs[0].digits) == ("menu/1", "2")

    await dialed.routed()
    assert place.others.of(router_pb2.RequestTaskRequest)[0].queue == "loans"
    await dialed.phone.rtp.wait_for_tone(700, within=LIMIT)
    await dialed.offered()
    await dialed.bridged(agent)
    (accept,) = place.others.of(router_pb2.AcceptReservationRequest)
    assert (accept.agent_id, accept.reservation_id) == ("alice", "r1")
    (bound,) = await eventually(lambda: place.said(dialed.contact, "Bound"), "it is told who talks")
    assert (bound.agent_id, bound.reservation_id) == ("alice", "r1")
    await eventually(lambda: place.others.of(recording_pb2.StartRecordingRequest), "it is recorded")

    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await dialed.agent.wait("ended", within=LIMIT)
    await dialed.state("wrapping")
    await eventually(lambda: place.others.of(router_pb2.EndContactRequest), "the router knows that the talk is over")
    await eventually(lambda: place.others.of(recording_pb2.StopRecordingRequest), "the recording is ended")
    await dialed.wrapped_up()
    await dialed.over()
    (closed,) = place.said(dialed.contact, "ContactClosed")
    assert closed.disposition == "sold"
    assert dialed.segments() == SERVED
    assert not await place.cti.media.exists(dialed.contact)


async def test_a_transfer_to_another_queue_takes_the_customer_to_another_agent(place):
    alice = await place.phone("1001", 1000, register=True)
    bob = await place.phone("1002", 1400, register=True)
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    await dialed.bridged(alice)
    first = dialed.agent
    await place.report(
        router_pb2.TaskRequeued(contact_id=dialed.contact, queue="cards", agent_id="alice", edge=f"cti/{place.site}")
    )
    await first.wait("ended", within=LIMIT)
    await dialed.phone.rtp.wait_for_tone(700, within=LIMIT)
    await dialed.offered("bob", "1002")
    await dialed.bridged(bob)
    recorded = await eventually(
        lambda: len(asked := place.others.of(recording_pb2.StartRecordingRequest)) == 2 and asked,
        "both talks are recorded",
    )
    assert [request.agent_id for request in recorded] == ["alice", "bob"]

    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await dialed.agent.wait("ended", within=LIMIT)
    await dialed.wrapped_up()
    await dialed.over()
    assert dialed.segments() == [
        SERVED[0],
        SERVED[1],
        ("SEGMENT_KIND_AGENT", "alice", "SEGMENT_RESULT_TRANSFERRED"),
        SERVED[1],
        ("SEGMENT_KIND_AGENT", "bob", "SEGMENT_RESULT_COMPLETED"),
    ]
    assert [(one.agent_id, one.cause) for one in place.said(dialed.contact, "Unbound")] == [
        ("alice", "transferred"),
        ("bob", "customer"),
    ]


async def test_numbers_and_descriptions_are_sealed_in_the_journal(place):
    dialed = await (await place.dial()).answered()
    assert dialed.call.caller_number.startswith("sealed:v1:")
    assert dialed.call.customer.record.startswith(b"sealed:v1:")
    written = b"".join(r.value or b"" for r in place.log.records("junctor.cti.journal.v1", 0))
    assert b"13800138000" not in written
    assert b"m=audio" not in written


async def test_the_agent_can_end_the_talk_too(place):
    dialed = await in_talk(place)
    assert await dialed.agent.hang_up(within=LIMIT) == 200
    await dialed.phone.wait("ended", within=LIMIT)
    await dialed.wrapped_up()
    await dialed.over()
    assert dialed.segments() == SERVED


async def test_a_repeated_invite_makes_no_second_contact(place):
    dialed = await place.dial()
    for _ in range(5):
        dialed.phone.phone._link.send(bytes(dialed.phone.invite))
    await dialed.answered()
    assert len(place.said(dialed.contact, "ContactOpened")) == 1
    assert len([line for line in place.fold.streams().values() if line.call is not None]) == 1


async def test_an_unknown_number_is_refused_and_leaves_nothing(place):
    dialed = await place.dial("9999")
    await dialed.phone.wait("rejected", within=LIMIT)
    assert dialed.phone.code == 404
    assert not place.fold.streams()


async def test_a_description_without_audio_that_can_be_relayed_is_refused_with_488(place, monkeypatch):
    opus = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9000 RTP/AVP 96\r\n"
    monkeypatch.setattr(RtpEndpoint, "sdp", lambda *a, **k: opus + "a=rtpmap:96 opus/48000/2\r\n")
    dialed = await place.dial()
    await dialed.phone.wait("rejected", within=LIMIT)
    assert dialed.phone.code == 488
    await dialed.over()
    (closed,) = place.said(dialed.contact, "ContactClosed")
    assert closed.detail.startswith("answer:")


async def test_a_busy_agent_sends_the_contact_back_and_the_next_one_gets_it(place):
    busy, free = await place.phone("1001", 1000, register=True), await place.phone("1002", 1200, register=True)
    busy.behavior.reject_with = 486
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    rejected = await eventually(lambda: place.others.of(router_pb2.RejectReservationRequest), "the router is told")
    assert (rejected[0].reservation_id, rejected[0].cause) == ("r1", "busy")
    await dialed.state("queued")
    await dialed.offered("bob", "1002")
    await dialed.bridged(free)
    assert [b.agent_id for b in place.said(dialed.contact, "Bound")] == ["bob"]


async def test_a_phone_that_is_not_answered_stops_ringing_when_the_reservation_ends(place):
    agent = await place.phone("1001", 1000, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    reservation = await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await ringing.wait("ringing", within=LIMIT)
    await dialed.ended(reservation)
    await ringing.wait("canceled", within=LIMIT)
    await dialed.state("queued")
    await eventually(lambda: not dialed.call.leaving, "its leg is gone")
    agent.behavior.answer_after_ms = 0
    await dialed.offered()
    await dialed.bridged(agent)


async def test_an_agent_without_a_phone_is_unreachable_at_once(place):
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    rejected = await eventually(lambda: place.others.of(router_pb2.RejectReservationRequest), "the router is told")
    assert rejected[0].cause == "unreachable"
    await dialed.state("queued")


async def test_an_offer_that_the_router_no_longer_holds_joins_nobody(place):
    agent = await place.phone("1001", 1000, register=True)
    place.others.refuse["AcceptReservation"] = ServiceError(Code.FAILED_PRECONDITION, "It is over.")
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    rung = await agent.next_call(within=LIMIT)
    await rung.wait("ended", within=LIMIT)
    await dialed.state("queued")
    assert dialed.phone.state == "answered"
    assert place.said(dialed.contact, "Bound") == []


async def test_a_contact_that_cannot_be_joined_is_put_in_line_again(place):
    agent = await place.phone("1001", 1000, register=True)
    dialed = await (await place.dial()).answered()
    await dialed.routed()
    place.others.on_request = lambda request: (
        setattr(place.cti.media, "connect_far", broken)
        if isinstance(request, router_pb2.AcceptReservationRequest)
        else None
    )
    works = place.cti.media.connect_far
    await dialed.offered()
    rung = await agent.next_call(within=LIMIT)
    await rung.wait("ended", within=LIMIT)
    requeued = await eventually(lambda: place.others.of(router_pb2.RequeueTaskRequest), "the router is told")
    assert requeued[0].contact_id == dialed.contact
    await dialed.state("queued")
    place.others.on_request = lambda request: None
    place.cti.media.connect_far = works
    await dialed.offered()
    await dialed.bridged(agent)
    assert [b.reservation_id for b in place.said(dialed.contact, "Bound")] == ["r2"]


async def broken(call_id, sdp):
    raise MediaCallUnknown("answer", "the call is not known")


async def test_a_flow_that_cannot_be_started_gives_the_default_treatment(place):
    place.others.refuse["StartFlow"] = ServiceError(Code.NOT_FOUND, "There is no such flow.")
    dialed = await place.dial()
    await dialed.phone.wait("answered", within=LIMIT)
    await dialed.phone.wait("ended", within=LIMIT)
    await dialed.over()
    (closed,) = place.said(dialed.contact, "ContactClosed")
    assert "no such flow" in closed.detail


async def test_a_supervisor_clears_a_call_and_a_repeat_of_the_request_changes_nothing(place):
    dialed = await in_talk(place)
    request = cti_pb2.ClearCallRequest(
        request_id="clear-1", tenant="demo", contact_id=dialed.contact, cause="supervisor"
    )
    await place.cti.commands.apply(request, stream=dialed.contact)
    await dialed.phone.wait("ended", within=LIMIT)
    await dialed.agent.wait("ended", within=LIMIT)
    before = len(place.events(dialed.contact))
    await place.cti.commands.apply(request, stream=dialed.contact)
    await dialed.wrapped_up()
    await dialed.over()
    assert len(place.said(dialed.contact, "Unbound")) == 1
    assert before > 0


# --- a customer who hangs up, at each stage


async def hangs_up(dialed):
    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await dialed.over()
    return dialed.segments()


async def test_a_customer_gives_up_before_the_answer(place):
    dialed = await place.dial()
    place.log.hold("junctor.cti.journal.v1", 0)
    dialed.phone.cancel()
    await eventually(lambda: dialed.call is not None or place.log.held_count("junctor.cti.journal.v1", 0), "arrived")
    place.log.release("junctor.cti.journal.v1", 0)
    await dialed.phone.wait("canceled", "answered", within=LIMIT)
    if dialed.phone.state == "answered":
        await dialed.phone.hang_up(within=LIMIT)
    await dialed.over()
    assert dialed.segments() == [("SEGMENT_KIND_FLOW", "", "SEGMENT_RESULT_ABANDONED")]


async def test_a_customer_leaves_in_the_flow(place):
    dialed = await (await (await place.dial()).answered()).menu()
    assert await hangs_up(dialed) == [("SEGMENT_KIND_FLOW", "", "SEGMENT_RESULT_ABANDONED")]
    assert place.others.of(ivr_pb2.StopFlowRequest)


async def test_a_customer_leaves_in_line(place):
    dialed = await (await (await place.dial()).answered()).routed()
    assert await hangs_up(dialed) == ABANDONED
    assert place.others.of(router_pb2.CancelTaskRequest)[0].cause == "abandoned"


async def test_a_customer_leaves_while_the_agents_phone_rings(place):
    agent = await place.phone("1001", 1000, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await ringing.wait("ringing", within=LIMIT)
    assert await hangs_up(dialed) == ABANDONED
    await ringing.wait("canceled", within=LIMIT)


async def test_a_customer_leaves_while_being_joined(place):
    agent = await place.phone("1001", 1000, register=True)
    place.others.refuse["AcceptReservation"] = ServiceError(Code.UNAVAILABLE, "Not now.", retryable=True)
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await dialed.state("accepting")
    rung = await agent.next_call(within=LIMIT)
    assert await hangs_up(dialed) == ABANDONED
    await rung.wait("ended", within=LIMIT)
    assert place.said(dialed.contact, "Bound") == []


async def test_a_customer_leaves_while_the_treatment_plays(place):
    dialed = await (await (await place.dial()).answered()).routed()
    await place.report(
        router_pb2.TaskOverflowed(contact_id=dialed.contact, treatment="message", prompt="welcome_menu", edge="cti/a")
    )
    await dialed.state("treated")
    await dialed.phone.rtp.wait_for_tone(700, within=LIMIT)
    assert await hangs_up(dialed) == [SERVED[0], ("SEGMENT_KIND_QUEUE", "", "SEGMENT_RESULT_OVERFLOWED")]


@pytest.mark.parametrize("result", [ivr_pb2.FLOW_RESULT_HANG_UP, ivr_pb2.FLOW_RESULT_FAILED])
async def test_a_flow_ends_the_call_itself(place, result):
    dialed = await (await place.dial()).answered()
    await place.report(ivr_pb2.FlowEnded(contact_id=dialed.contact, result=result))
    await dialed.phone.wait("ended", within=LIMIT)
    await dialed.over()
    assert len(dialed.segments()) == 1
