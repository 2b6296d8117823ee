"""Calls through the edge, with independent phones as peers."""

import asyncio

import pytest
from junctor_cti.adapters.sip import sdp
from junctor_cti.application.ports import sip_events as ev
from junctor_cti.application.ports.edge import NoRoute, UnknownLeg, WrongState
from junctor_testkit.sip_phone import Behavior, PhoneError

MEDIA = sdp.audio_sdp("127.0.0.1", 40000, 1)


async def bridged(sip_desk, sip_phone, t1=0.05):
    desk = await sip_desk(t1=t1)
    agent = await sip_phone("agent", desk, tone_hz=440, t1=t1)
    caller = await sip_phone("4711", desk, tone_hz=1000, t1=t1)
    desk.bridge_to = agent.uri
    call = await caller.call(desk.number, display='Jürgen "Q"')
    await call.wait("answered")
    far = await agent.next_call()
    await far.wait("answered")
    return desk, call, far


async def test_a_bridged_call_has_audio_both_ways_and_clears_with_its_cause(sip_desk, sip_phone):
    desk, call, far = await bridged(sip_desk, sip_phone)
    await call.rtp.wait_for_tone(440)
    await far.rtp.wait_for_tone(1000)
    incoming = await desk.event(ev.IncomingCall)
    assert (incoming.caller_number, incoming.called_number, incoming.display) == ("4711", "4000", 'Jürgen "Q"')
    assert incoming.headers["user-agent"] == "junctor-test-phone"
    assert await call.hang_up() == 200
    await far.wait("ended")
    assert "cause=16" in far.cause
    assert (await desk.event(ev.Cleared, by="peer")).cause == 16
    assert (await desk.event(ev.Cleared, by="us")).code == 200
    assert call.phone.unexpected == []


async def test_the_callee_hangs_up(sip_desk, sip_phone):
    _, call, far = await bridged(sip_desk, sip_phone)
    assert await far.hang_up() == 200
    await call.wait("ended")
    assert call.ended_by == "peer"


async def test_the_phones_repeat_nothing_on_a_clean_line(sip_desk, sip_phone):
    desk, call, far = await bridged(sip_desk, sip_phone, t1=5)
    await call.hang_up()
    await far.wait("ended")
    assert (desk.edge.counters["absorbed"], call.phone.repeated, far.phone.repeated) == (0, 0, 0)


async def test_hold_and_resume_are_reported_and_mirrored(sip_desk, sip_phone):
    desk, call, _ = await bridged(sip_desk, sip_phone)
    assert await call.reinvite("sendonly") == 200
    assert (await desk.event(ev.Renegotiated)).direction == "sendonly"
    assert sdp.direction(call.remote_sdp) == "recvonly"
    assert await call.reinvite("sendrecv") == 200
    assert (await desk.event(ev.Renegotiated)).direction == "sendrecv"
    assert sdp.direction(call.remote_sdp) == "sendrecv"


async def test_our_reinvite_reaches_the_phone_and_its_answer_is_reported(sip_desk, sip_phone):
    desk, call, _ = await bridged(sip_desk, sip_phone)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    await desk.event(ev.Confirmed)
    desk.edge.reinvite(leg, sdp.with_direction(MEDIA, "inactive"))
    with pytest.raises(WrongState):
        desk.edge.reinvite(leg, MEDIA)
    done = await desk.event(ev.Reinvited)
    assert (done.code, sdp.audio_address(done.sdp)) == (200, ("127.0.0.1", call.rtp.port))
    assert sdp.direction(call.remote_sdp) == "inactive"
    assert call.renegotiations == 1


async def test_digits_by_info_a_transfer_and_other_requests_in_the_dialog(sip_desk, sip_phone):
    desk, call, _ = await bridged(sip_desk, sip_phone)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    relay = {"Content_Type": "application/dtmf-relay"}
    assert (await call.request("INFO", "Signal=5\r\nDuration=160\r\n", **relay)).status_code == 200
    assert await desk.event(ev.DtmfInfo) == ev.DtmfInfo(leg, "5", 160)
    assert (await call.request("INFO", "x", Content_Type="text/plain")).status_code == 415
    assert (await call.request("OPTIONS")).status_code == 200
    assert (await call.request("UPDATE")).status_code == 200
    assert (await call.request("REFER", Refer_To="<sip:200@elsewhere>")).status_code == 202
    assert (await desk.event(ev.Referred)).refer_to == "sip:200@elsewhere"
    desk.edge.notify(leg, 200, final=True)
    call.cseq -= 3
    assert (await call.request("INFO")).status_code == 500


async def test_the_caller_gives_up(sip_desk, sip_phone):
    desk = await sip_desk()
    agent, caller = await sip_phone("agent", desk), await sip_phone("1", desk)
    desk.bridge_to = agent.uri
    agent.behavior = Behavior(answer_after_ms=None)
    call = await caller.call(desk.number)
    await call.wait("ringing")
    call.cancel()
    await call.wait("canceled")
    far = await agent.next_call()
    await far.wait("canceled")
    assert "cause=16" in far.cause
    assert (await desk.event(ev.Rejected)).code == 487


async def test_nothing_is_answered_before_the_decider_has_journalled(sip_desk, sip_phone):
    desk, call, _ = await bridged(sip_desk, sip_phone)
    desk.paused = {ev.Cleared}
    leg = (await desk.event(ev.IncomingCall)).leg_id
    hang_up = asyncio.create_task(call.hang_up())
    await desk.event(ev.Cleared)
    await desk.until(lambda: desk.edge.counters["absorbed"] >= 2)
    assert not hang_up.done()
    desk.edge.accept(leg)
    assert await hang_up == 200


async def test_a_refused_call(sip_desk, sip_phone):
    desk = await sip_desk()
    agent, caller = await sip_phone("agent", desk), await sip_phone("1", desk)
    agent.behavior = Behavior(reject_with=486)
    desk.bridge_to = agent.uri
    call = await caller.call(desk.number)
    await call.wait("rejected")
    assert call.code == 486


async def test_a_phone_that_is_not_there_is_408(sip_desk, sip_phone):
    desk = await sip_desk(t1=0.02)
    gone = await sip_phone("gone", desk)
    gone.behavior = Behavior(silent=True)
    desk.edge.prepare_invite("x", gone.uri, "sip:a@b", "", MEDIA)
    desk.edge.send_invite("x")
    assert (await desk.event(ev.Rejected)).code == 408
    assert desk.edge.counters["retransmitted"] >= 5


async def test_an_answer_that_crosses_our_cancel_is_accepted_and_hung_up(sip_desk, sip_phone):
    desk = await sip_desk()
    agent = await sip_phone("agent", desk)
    agent.behavior = Behavior(answer_after_ms=None)
    desk.edge.prepare_invite("x", agent.uri, "sip:a@b", "", MEDIA)
    desk.edge.send_invite("x")
    await desk.event(ev.Ringing)
    far = await agent.next_call()
    far.answer()
    desk.edge.cancel("x")
    assert (await desk.event(ev.Cleared)).by == "us"
    await far.wait("ended")
    assert desk.edge.counters["answer_crossed_cancel"] == 1
    assert agent.unexpected == []


async def test_a_cancel_before_any_response_waits_for_one(sip_desk, sip_phone):
    desk = await sip_desk()
    agent = await sip_phone("agent", desk)
    agent.behavior = Behavior(answer_after_ms=None)
    desk.edge.prepare_invite("x", agent.uri, "sip:a@b", "", MEDIA)
    desk.edge.send_invite("x")
    desk.edge.cancel("x", cause=26)
    assert (await desk.event(ev.Rejected)).code == 487
    assert "cause=26" in (await agent.next_call()).cause


async def test_a_lost_200_is_repeated_until_the_ack(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    call = await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.trying(leg)
    receive, dropped = caller._link._receive, []
    caller._link._receive = lambda data: dropped.append(data) if len(dropped) < 3 else receive(data)
    desk.edge.answer(leg, MEDIA)
    await call.wait("answered")
    await desk.event(ev.Confirmed)
    assert len(dropped) == 3


async def test_without_an_ack_it_is_reported_and_the_leg_can_be_ended(sip_desk, sip_phone):
    desk = await sip_desk(t1=0.01)
    caller = await sip_phone("1", desk)
    call = await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.trying(leg)
    await call.wait("calling")
    caller._link._receive = lambda data: None
    desk.edge.answer(leg, MEDIA)
    assert await desk.event(ev.AckTimeout) == ev.AckTimeout(leg)
    desk.hang_up(leg)
    assert (await desk.event(ev.Cleared)).code == 408


async def test_a_hang_up_before_the_ack_waits_for_it(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    call = await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.trying(leg)
    receive, seen = caller._link._receive, []
    caller._link._receive = seen.append
    desk.edge.answer(leg, MEDIA)
    desk.hang_up(leg)
    await desk.until(lambda: sum(data.startswith(b"SIP/2.0 200") for data in seen) >= 3)
    assert not any(data.startswith(b"BYE") for data in seen)
    caller._link._receive = receive
    await call.wait("ended")
    assert (await desk.event(ev.Cleared)).code == 200


async def test_the_same_invite_over_another_path_is_482(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    first = await caller.call(desk.number)
    desk.edge.trying((await desk.event(ev.IncomingCall)).leg_id)
    again = first.invite
    again.headers.set_single("Via", again.headers.get_first("Via").replace("z9hG4bK", "z9hG4bKother"))
    response = await caller._exchange(again, 2.0)
    assert response.status_code == 482
    assert desk.edge.counters["event.IncomingCall"] == 1


async def test_an_invite_that_comes_again_after_the_call_ended_is_no_second_call(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    call = await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.reject(leg, 486)
    await call.wait("rejected")
    desk.edge._transactions.servers.clear()
    assert (await caller._exchange(call.invite, 2.0)).status_code == 482
    assert desk.edge.counters["event.IncomingCall"] == 1


async def test_commands_out_of_turn_are_refused_and_send_nothing(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    sent = desk.edge.counters["sent"]
    for command in (desk.edge.send_answer, desk.edge.send_bye, desk.edge.prepare_bye, desk.edge.ack, desk.edge.cancel):
        with pytest.raises(WrongState):
            command(leg)
    with pytest.raises(UnknownLeg):
        desk.edge.trying("nobody")
    assert desk.edge.counters["sent"] == sent


@pytest.mark.parametrize("uri", ["sip:a>;tag=1@b", "sip:a@b\r\nX: y", 'sip:"a"@b'])
async def test_a_uri_cannot_break_out_of_its_header(sip_desk, uri):
    desk = await sip_desk()
    for target, caller in ((uri, "sip:a@b"), ("sip:1@127.0.0.1", uri)):
        with pytest.raises(ValueError, match="a URI has no"):
            desk.edge.prepare_invite("x", target, caller)
    with pytest.raises(UnknownLeg):
        desk.edge.send_invite("x")


async def test_a_target_without_a_way_to_it_is_refused(sip_desk):
    desk = await sip_desk()
    with pytest.raises(NoRoute):
        desk.edge.prepare_invite("x", "sip:nobody@junctor", "sip:a@b")


async def test_a_request_for_an_unknown_dialog_is_481(sip_desk, sip_phone):
    desk = await sip_desk()
    phone = await sip_phone("1", desk)
    call = await phone.call(desk.number)
    call.remote = f"<{desk.number}>;tag=nobody"
    assert (await call.request("BYE")).status_code == 481
    call.remote = f"<{desk.number}>"
    assert (await call.request("OPTIONS")).status_code == 200


async def test_a_decider_that_fails_is_counted_and_stops_nothing(sip_desk, sip_phone):
    desk = await sip_desk(bridge_to="sip:nobody@host.invalid")
    caller = await sip_phone("1", desk)
    await caller.call(desk.number)
    await desk.event(ev.IncomingCall)
    assert desk.edge.counters["event_failed"] == 1
    assert (await (await caller.call(desk.number)).wait("calling")).state == "calling"
    await desk.event(ev.IncomingCall)


async def test_draining_refuses_new_calls(sip_desk, sip_phone):
    desk = await sip_desk()
    caller = await sip_phone("1", desk)
    waiting = await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    stopping = asyncio.create_task(desk.edge.stop(drain=5))
    await asyncio.sleep(0)
    late = await caller.call(desk.number)
    await late.wait("rejected")
    assert late.code == 503
    desk.edge.reject(leg, 480)
    await waiting.wait("rejected")
    await asyncio.wait_for(stopping, 2)


async def test_an_edge_without_others_leaves_new_calls_to_the_process_after_it(sip_desk, sip_phone):
    desk = await sip_desk(alone=True)
    port = desk.edge.port
    caller = await sip_phone("1", desk)
    await caller.call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    stopping = asyncio.create_task(desk.edge.stop(drain=5))
    await asyncio.sleep(0)
    late = await caller.call(desk.number)
    async with asyncio.timeout(5):
        while not desk.edge.counters["unanswered.draining"]:
            await asyncio.sleep(0.01)
    desk.edge.reject(leg, 480)
    await asyncio.wait_for(stopping, 2)
    after = await sip_desk(alone=True, port=port)
    arrived = await after.event(ev.IncomingCall)
    assert late.state == "calling"
    after.edge.reject(arrived.leg_id, 486)
    await late.wait("rejected")
    assert late.code == 486


async def test_a_phone_without_an_answer_to_bye(sip_desk, sip_phone):
    desk, call, far = await bridged(sip_desk, sip_phone)
    await far.phone.close()
    await call.hang_up()
    assert (await desk.event(ev.Cleared, by="us", within=8)).code == 408


async def test_hang_up_twice(sip_desk, sip_phone):
    _, call, far = await bridged(sip_desk, sip_phone)
    await call.hang_up()
    await far.wait("ended")
    assert await call.hang_up() == 200, "a second BYE, as from a phone that lost the first response"
    with pytest.raises(PhoneError):
        call.cancel()
