"""Kafka is away: who talks goes on and can hang up, nothing new begins, and what happened is told afterwards in order."""

import asyncio
import time

import pytest
from junctor.contact.v1 import contact_pb2
from junctor_testkit.sip_phone import SipPhone

LIMIT = 40.0
JOURNAL = ("junctor.cti.journal.v1", 0)


async def eventually(condition, what):
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def talk(place):
    agent = await place.phone("1001", 1000, register=True)
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    return await dialed.bridged(agent)


@pytest.fixture(params=["refuses", "hangs"])
def away(place, request):
    """Two ways to be away: appends fail at once, or are not acknowledged. Returns (begin, end)."""
    if request.param == "refuses":
        return place.log.down, place.log.up

    def back():
        place.log.release(*JOURNAL)

    return lambda: place.log.hold(*JOURNAL), back


@pytest.mark.parametrize("by_customer", [True, False])
async def test_a_talk_goes_on_and_ends_for_both_while_the_journal_is_away(place, talk, away, by_customer):
    begin, back = away
    begin()
    await talk.phone.rtp.wait_for_tone(1000, within=LIMIT)
    ends, other = (talk.phone, talk.agent) if by_customer else (talk.agent, talk.phone)
    assert await ends.hang_up(within=LIMIT) == 200
    await other.wait("ended", within=LIMIT)
    assert talk.call.state == "bridged"
    assert place.spool.exists()
    assert place.said(talk.contact, "Unbound") == []
    back()
    await talk.state("wrapping")
    await talk.wrapped_up()
    await talk.over()
    (closed,) = place.said(talk.contact, "ContactClosed")
    cause = contact_pb2.CLOSE_CAUSE_CUSTOMER if by_customer else contact_pb2.CLOSE_CAUSE_AGENT
    assert closed.cause == cause
    kinds = [type(event.message).__name__ for event in place.events(talk.contact)]
    assert kinds.count("Unbound") == kinds.count("ContactClosed") == 1
    assert kinds.index("Bound") < kinds.index("Unbound") < kinds.index("ContactClosed")
    await eventually(lambda: not place.spool.exists(), "the spool is empty")


async def test_what_is_spooled_survives_the_process(place, talk):
    place.log.down()
    assert await talk.phone.hang_up(within=LIMIT) == 200
    await talk.agent.wait("ended", within=LIMIT)
    await place.cti.die()
    place.dead.append(place.cti)
    place.log.up()
    place.cti = await type(place.cti)(place, place.sip_port).start()
    await talk.state("wrapping")
    await talk.wrapped_up()
    await talk.over()
    assert len(place.said(talk.contact, "Unbound")) == 1


async def test_a_new_call_is_refused_with_the_time_to_try_again_and_taken_afterwards(place):
    place.log.down()
    responses = []
    phone = await SipPhone.open("+861390", ("127.0.0.1", place.sip_port), t1=0.25)
    place.phones.append(phone)
    exchange = phone._exchange

    async def listened(*arguments):
        responses.append(await exchange(*arguments))
        return responses[-1]

    phone._exchange = listened
    call = await phone.call(f"sip:4001@127.0.0.1:{place.sip_port}")
    await call.wait("rejected", within=LIMIT)
    assert call.code == 503
    assert responses[0].get_header("Retry-After") == "5"
    place.log.up()
    await eventually(lambda: place.cti.slot.takes_calls, "calls are taken again")
    await (await place.dial()).answered()


async def test_a_customer_in_line_hangs_up_while_the_journal_is_away(place, away):
    begin, back = away
    dialed = await (await (await place.dial()).answered()).routed()
    begin()
    assert await dialed.phone.hang_up(within=LIMIT) == 200
    back()
    await dialed.over()
    assert dialed.segments()[-1] == ("SEGMENT_KIND_QUEUE", "", "SEGMENT_RESULT_ABANDONED")


async def test_a_ringing_phone_stops_when_the_customer_leaves_while_the_journal_is_away(place, away):
    begin, back = away
    agent = await place.phone("1001", 1000, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await (await place.dial()).answered()).routed()
    await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await ringing.wait("ringing", within=LIMIT)
    await eventually(lambda: dialed.call.agent is not None, "its leg is journalled")
    begin()
    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await ringing.wait("canceled", within=LIMIT)
    back()
    await dialed.over()


async def test_many_calls_end_while_the_journal_is_away_and_each_closes_once(place):
    calls = [await (await (await place.dial()).answered()).routed() for _ in range(4)]
    place.log.down()
    assert await asyncio.gather(*(one.phone.hang_up(within=LIMIT) for one in calls)) == [200] * 4
    until = time.monotonic() + LIMIT
    while len(place.cti.slot.facts) < 4:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    place.log.up()
    for one in calls:
        await one.over()
        assert len(place.said(one.contact, "ContactClosed")) == 1
