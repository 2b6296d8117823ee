"""An edge dies in every state of a call; another one at the same port goes on from the journalled records."""

import asyncio

from junctor_cti.adapters.sip import dialog, sdp
from junctor_cti.application.ports import sip_events as ev
from junctor_testkit.sip_phone import Behavior

MEDIA = sdp.audio_sdp("127.0.0.1", 40000, 1)


async def incoming(sip_desk, sip_phone):
    """A call in whose 100 was sent, its desk and its leg."""
    desk = await sip_desk()
    call = await (await sip_phone("4711", desk)).call(desk.number)
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.trying(leg)
    await desk.until(lambda: "trying" in call.times)
    return desk, call, leg


async def outgoing(sip_desk, sip_phone, **behavior):
    """A call out that was prepared and journalled, and not sent."""
    desk = await sip_desk()
    agent = await sip_phone("agent", desk)
    agent.behavior = Behavior(**behavior)
    desk.save("out", desk.edge.prepare_invite("out", agent.uri, "sip:4711@junctor", "Anna", MEDIA))
    return desk, agent


async def clear(desk, leg, call):
    desk.hang_up(leg)
    assert (await desk.event(ev.Cleared, leg_id=leg)).code == 200
    await call.wait("ended")
    assert call.ended_by == "peer"


async def test_incoming_with_its_100_sent_is_answered_by_the_next_edge(sip_desk, sip_phone):
    desk, call, leg = await incoming(sip_desk, sip_phone)
    after = await desk.successor()
    assert after.edge.state(leg) == "incoming"
    after.edge.progress(leg, 180)
    await call.wait("ringing")
    after.save(leg, after.edge.prepare_answer(leg, MEDIA))
    after.edge.send_answer(leg)
    await call.wait("answered")
    await after.event(ev.Confirmed)
    await clear(after, leg, call)


async def test_incoming_before_its_100_is_the_same_leg_when_it_comes_again(sip_desk, sip_phone):
    desk = await sip_desk()
    call = await (await sip_phone("4711", desk)).call(desk.number)
    first = await desk.event(ev.IncomingCall)
    after = await desk.successor()
    await after.until(lambda: after.edge.counters["absorbed"] >= 1)
    await call.wait("calling")
    assert "trying" in call.times, "the repeated INVITE got the record's 100"
    after.edge.answer(first.leg_id, MEDIA)
    await call.wait("answered")


async def test_an_invite_that_was_never_journalled_is_reported_again_with_the_same_names(sip_desk, sip_phone):
    desk = await sip_desk()
    await (await sip_phone("4711", desk)).call(desk.number)
    first = await desk.event(ev.IncomingCall)
    desk.journal.clear()
    after = await desk.successor()
    again = await after.event(ev.IncomingCall)
    assert (again.leg_id, again.call_id, again.from_tag) == (first.leg_id, first.call_id, first.from_tag)


async def test_a_cancel_reaches_the_next_edge(sip_desk, sip_phone):
    desk, call, leg = await incoming(sip_desk, sip_phone)
    after = await desk.successor()
    call.cancel()
    assert (await after.event(ev.Canceled)).leg_id == leg
    after.edge.accept(leg)
    await call.wait("canceled")


async def test_a_refusal_that_was_lost_is_sent_again(sip_desk, sip_phone):
    desk, call, leg = await incoming(sip_desk, sip_phone)
    receive = call.phone._link._receive
    call.phone._link._receive = lambda data: None
    desk.edge.reject(leg, 486)
    desk.save(leg, desk.edge.record(leg))
    after = await desk.successor()
    call.phone._link._receive = receive
    await call.wait("rejected")
    assert call.code == 486
    assert after.edge.state(leg) == "ending"


async def test_answered_with_the_200_never_sent(sip_desk, sip_phone):
    desk, call, leg = await incoming(sip_desk, sip_phone)
    desk.save(leg, desk.edge.prepare_answer(leg, MEDIA))
    after = await desk.successor()
    await call.wait("answered")
    assert call.remote_sdp == MEDIA
    await after.event(ev.Confirmed)
    await clear(after, leg, call)


async def test_answered_with_the_200_sent_and_its_ack_lost(sip_desk, sip_phone):
    desk, call, leg = await incoming(sip_desk, sip_phone)
    desk.save(leg, desk.edge.prepare_answer(leg, MEDIA))
    stale = dict(desk.journal)
    desk.edge.send_answer(leg)
    await desk.event(ev.Confirmed)
    desk.journal = stale
    after = await desk.successor()
    await after.event(ev.Confirmed)
    assert call.phone.repeated >= 1
    await clear(after, leg, call)


async def test_prepared_and_never_sent(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone)
    after = await desk.successor()
    answered = await after.event(ev.Answered)
    after.edge.ack(answered.leg_id)
    call = await agent.next_call()
    await call.wait("answered")
    await clear(after, "out", call)
    assert len(agent.calls) == 1


async def test_ringing_without_a_180_sends_the_same_bytes_again(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone, ring=False, answer_after_ms=None)
    desk.edge.send_invite("out")
    call = await agent.next_call()
    after = await desk.successor()
    await after.until(lambda: agent.repeated >= 1)
    call.answer()
    await after.event(ev.Answered)
    after.edge.ack("out")
    await after.until(lambda: "acknowledged" in call.times)
    await clear(after, "out", call)
    assert len(agent.calls) == 1


async def test_ringing_with_a_180_sends_nothing_and_hears_the_answer(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone, answer_after_ms=None)
    desk.edge.send_invite("out")
    await desk.event(ev.Ringing)
    call = await agent.next_call()
    repeated = agent.repeated
    after = await desk.successor()
    nobody = await sip_phone("nobody", after)
    nobody.behavior = Behavior(silent=True)
    after.edge.prepare_invite("clock", nobody.uri, "sip:1@junctor")
    after.edge.send_invite("clock")
    await after.until(lambda: after.edge.counters["retransmitted"] >= 2)
    assert agent.repeated == repeated, "longer than 1.2 x T1, and the INVITE did not come again"
    call.answer()
    await after.event(ev.Answered)
    after.edge.ack("out")
    await after.until(lambda: "acknowledged" in call.times)
    await clear(after, "out", call)


async def test_an_answer_given_while_no_edge_was_there_is_repeated_to_the_next(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone, answer_after_ms=None)
    desk.edge.send_invite("out")
    await desk.event(ev.Ringing)
    call = await agent.next_call()
    await desk.die()
    call.answer()
    after = await sip_desk(port=desk.edge.port)
    after.edge.adopt(desk.journal["out"])
    await after.event(ev.Answered)
    after.edge.ack("out")
    await after.until(lambda: "acknowledged" in call.times)


async def test_ringing_that_is_no_longer_wanted_is_canceled(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone, answer_after_ms=None)
    desk.edge.send_invite("out")
    await desk.event(ev.Ringing)
    after = await desk.successor()
    after.edge.cancel("out")
    assert (await after.event(ev.Rejected)).code == 487
    assert (await agent.next_call()).state == "canceled"


async def test_answered_by_the_agent_with_the_ack_never_sent(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone)
    desk.edge.send_invite("out")
    await desk.event(ev.Answered)
    call = await agent.next_call()
    assert "acknowledged" not in call.times
    after = await desk.successor()
    await after.until(lambda: "acknowledged" in call.times)
    assert after.edge.state("out") == "confirmed"
    await clear(after, "out", call)
    assert agent.unexpected == []


async def confirmed(sip_desk, sip_phone):
    desk = await sip_desk()
    agent, caller = await sip_phone("agent", desk, tone_hz=440), await sip_phone("4711", desk, tone_hz=1000)
    desk.bridge_to = agent.uri
    call = await (await caller.call(desk.number)).wait("answered")
    far = await (await agent.next_call()).wait("answered")
    leg = (await desk.event(ev.Confirmed)).leg_id
    return desk, call, far, leg


async def test_confirmed_keeps_its_audio_and_can_be_cleared_renegotiated_and_held_from_both_sides(sip_desk, sip_phone):
    desk, call, far, leg = await confirmed(sip_desk, sip_phone)
    await call.rtp.wait_for_tone(440)
    after = await desk.successor()
    assert after.edge.counters["sent"] == 0
    assert await call.reinvite("sendonly") == 200
    assert await far.reinvite() == 200
    after.edge.reinvite(leg, MEDIA)
    assert (await after.event(ev.Reinvited)).code == 200
    await call.rtp.wait_for_tone(440)
    assert await call.hang_up() == 200
    await far.wait("ended")


async def test_the_other_side_hangs_up_after_a_take_over(sip_desk, sip_phone):
    desk, call, far, _ = await confirmed(sip_desk, sip_phone)
    await desk.successor()
    assert await far.hang_up() == 200
    await call.wait("ended")


async def test_ending_sends_the_bye_that_may_never_have_left(sip_desk, sip_phone):
    desk, call, far, leg = await confirmed(sip_desk, sip_phone)
    desk.save(leg, desk.edge.prepare_bye(leg))
    after = await desk.successor()
    assert (await after.event(ev.Cleared)).code == 200
    await call.wait("ended")
    assert far.state == "answered"


async def test_ending_while_ringing_cancels(sip_desk, sip_phone):
    desk, agent = await outgoing(sip_desk, sip_phone, answer_after_ms=None)
    desk.edge.send_invite("out")
    await desk.event(ev.Ringing)
    record = dialog.decode(desk.journal["out"])
    record.state = dialog.ENDING
    desk.save("out", dialog.encode(record))
    after = await desk.successor()
    assert (await after.event(ev.Rejected)).code == 487
    assert (await agent.next_call()).state == "canceled"


async def test_ended_answers_a_bye_that_comes_again_with_200(sip_desk, sip_phone):
    desk, call, _, leg = await confirmed(sip_desk, sip_phone)
    desk.paused = {ev.Cleared}
    hang_up = asyncio.create_task(call.hang_up())
    cleared = await desk.event(ev.Cleared)
    after = await desk.successor()
    assert await hang_up == 200
    assert after.edge.state(leg) == "ended"
    assert cleared.by == "peer"


async def test_a_bye_refused_for_its_cseq_is_sent_once_more_higher(sip_desk, sip_phone):
    desk, call, _, leg = await confirmed(sip_desk, sip_phone)
    after = await desk.successor()
    phone, seen = call.phone, []
    handle = phone._on_request

    def refuse_first(request):
        if request.method == "BYE":
            seen.append(request.cseq.seq)
            if len(seen) == 1:
                phone._reply(request, 500, call)
                return
        handle(request)

    phone._on_request = refuse_first
    after.hang_up(leg)
    assert (await after.event(ev.Cleared)).code == 200
    assert seen == [1001, 2001]


async def test_a_second_take_over(sip_desk, sip_phone):
    desk, call, far, leg = await confirmed(sip_desk, sip_phone)
    second = await (await desk.successor()).successor()
    second.edge.reinvite(leg, MEDIA)
    assert (await second.event(ev.Reinvited)).code == 200
    assert await call.hang_up() == 200
    await far.wait("ended")


async def test_twenty_calls_in_every_stage_survive_three_kills(sip_desk, sip_phone):
    desk = await sip_desk()
    agent, caller = await sip_phone("agent", desk), await sip_phone("4711", desk)
    agent.behavior = Behavior(answer_after_ms=60)
    desk.bridge_to = agent.uri
    calls = []
    for number in range(20):
        calls.append(await caller.call(desk.number))
        await asyncio.sleep(0.01)
        if number in (5, 10, 15):
            desk = await desk.successor()
            for leg in list(desk.journal):
                resume(desk, leg)
    for call in calls:
        await call.wait("answered")
    assert len([c for c in agent.calls if c.state == "answered"]) == 20
    assert len(agent.calls) == 20
    for call in calls:
        assert await call.hang_up() == 200
    for call in agent.calls:
        await call.wait("ended")


def resume(desk, leg):
    """What the decider does after a take-over for a call in that had come no further than its own INVITE."""
    if leg.endswith(".b") or leg + ".b" in desk.journal or desk.edge.state(leg) != "incoming":
        return
    desk.edge.trying(leg)
    desk.save(leg + ".b", desk.edge.prepare_invite(leg + ".b", desk.bridge_to, "sip:4711@junctor", "", MEDIA))
    desk.edge.send_invite(leg + ".b")
