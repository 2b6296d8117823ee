"""cti is killed in the middle of a call, and another process goes on with it: at each stage, as if nothing had been."""

import asyncio

import pytest
from junctor.ivr.v1 import ivr_pb2
from junctor.router.v1 import router_pb2
from junctor_cti.application.ports.media_errors import MediaError
from junctor_service.errors import Code, ServiceError

LIMIT = 40.0
UNAVAILABLE = ServiceError(Code.UNAVAILABLE, "Not now.", retryable=True)


@pytest.fixture
async def agent(place):
    return await place.phone("1001", 1000, register=True)


async def ends_well(dialed, agent):
    """Whatever the stage was: the call is offered, joined, and ended by either side."""
    if dialed.call.state == "in_flow":
        await dialed.routed()
    if dialed.call.state == "queued":
        await dialed.offered()
    await dialed.bridged(agent)
    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await dialed.agent.wait("ended", within=LIMIT)
    await dialed.wrapped_up()
    await dialed.over()
    assert len(dialed.place.said(dialed.contact, "Bound")) == 1
    assert [kind for kind, _, _ in dialed.segments()] == [
        "SEGMENT_KIND_FLOW",
        "SEGMENT_KIND_QUEUE",
        "SEGMENT_KIND_AGENT",
    ]


async def test_before_the_answer(place, agent):
    media, answers = place.cti.media, []

    async def never(call_id, sdp):
        answers.append(call_id)
        raise MediaError("answer", "no answer", retryable=True)

    media.answer_first = never
    dialed = await place.dial()
    await eventually(lambda: answers, "it was tried to answer")
    await place.killed()
    await dialed.answered()
    await ends_well(dialed, agent)


async def eventually(condition, what):
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.02)


async def test_in_the_flow(place, agent):
    dialed = await (await (await place.dial()).answered()).menu()
    await place.killed()
    assert dialed.phone.state == "answered"
    await dialed.phone.send_digits("1")
    await eventually(lambda: place.said(dialed.contact, "MediaVerbEnded"), "the digit is told")
    await ends_well(dialed, agent)


async def test_in_line_and_the_phone_is_still_registered(place, agent):
    dialed = await (await (await place.dial()).answered()).routed()
    await place.killed()
    assert place.cti.edge.contacts("sip:1001@junctor")
    await ends_well(dialed, agent)
    assert len(place.others.of(router_pb2.RequestTaskRequest)) == 1


async def test_before_the_router_has_taken_the_contact(place, agent):
    place.others.refuse["RequestTask"] = UNAVAILABLE
    dialed = await (await place.dial()).answered()
    flow = ivr_pb2.FlowEnded(contact_id=dialed.contact, result=ivr_pb2.FLOW_RESULT_ROUTE, queue="loans")
    await place.report(flow)
    await eventually(lambda: place.others.of(router_pb2.RequestTaskRequest), "the router was asked")
    del place.others.refuse["RequestTask"]
    await place.killed()
    await eventually(lambda: dialed.call.owed == (), "the router has it")
    assert len(place.others.of(router_pb2.RequestTaskRequest)) == 1
    await ends_well(dialed, agent)


async def test_while_the_agents_phone_rings(place, agent):
    agent.behavior.answer_after_ms = None
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await eventually(lambda: agent.calls, "it rings")
    ringing = agent.calls[0]
    await ringing.wait("ringing", within=LIMIT)
    await place.killed()
    ringing.answer()
    await ends_well(dialed, agent)
    assert len(agent.calls) == 1


async def test_while_customer_and_agent_are_joined(place, agent):
    place.others.refuse["AcceptReservation"] = UNAVAILABLE
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await dialed.state("accepting")
    del place.others.refuse["AcceptReservation"]
    await place.killed()
    await ends_well(dialed, agent)
    assert len(place.others.of(router_pb2.AcceptReservationRequest)) == 1


@pytest.mark.parametrize("by_customer", [True, False])
async def test_in_talk_nobody_hears_a_difference_and_hanging_up_works(place, agent, by_customer):
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await dialed.bridged(agent)
    await place.killed()
    assert (dialed.phone.state, dialed.agent.state) == ("answered", "answered")
    await dialed.phone.rtp.wait_for_tone(1000, within=LIMIT)
    ends, other = (dialed.phone, dialed.agent) if by_customer else (dialed.agent, dialed.phone)
    assert await ends.hang_up(within=LIMIT) == 200
    await other.wait("ended", within=LIMIT)
    await dialed.wrapped_up()
    await dialed.over()
    assert len(place.said(dialed.contact, "Bound")) == 1


async def test_a_customer_who_hung_up_while_nobody_served_the_slot_is_heard(place, agent):
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await dialed.bridged(agent)
    await place.cti.die()
    place.dead.append(place.cti)
    leaving = asyncio.create_task(dialed.phone.hang_up(within=LIMIT))
    await asyncio.sleep(0)
    place.cti = await type(place.cti)(place, place.sip_port).start()
    assert await leaving == 200
    await dialed.agent.wait("ended", within=LIMIT)
    await dialed.wrapped_up()
    await dialed.over()


async def test_in_wrap_up_and_what_was_owed_is_done(place, agent):
    place.others.refuse["EndContact"] = UNAVAILABLE
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    await dialed.bridged(agent)
    await dialed.phone.hang_up(within=LIMIT)
    await dialed.agent.wait("ended", within=LIMIT)
    await dialed.state("wrapping")
    del place.others.refuse["EndContact"]
    await place.killed()
    await eventually(lambda: dialed.call.owed == (), "nothing is owed any more")
    await dialed.wrapped_up()
    await dialed.over()
    assert len(place.others.of(router_pb2.EndContactRequest)) == 1


async def test_while_the_treatment_plays(place):
    dialed = await (await (await place.dial()).answered()).routed()
    await place.report(
        router_pb2.TaskOverflowed(contact_id=dialed.contact, treatment="message", prompt="overflow", edge="cti/a")
    )
    await dialed.state("treated")
    await place.killed()
    await dialed.phone.wait("ended", within=LIMIT)
    await dialed.over()
