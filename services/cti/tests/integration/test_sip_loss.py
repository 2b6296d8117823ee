"""A line that loses a fifth of the packets each way: no call is made twice, nearly all come about and are cleared.

An INVITE is sent seven times before timer B gives up, so one in 1,300 finds no way there and back (0.36 to the 7th).
"""

import asyncio

from junctor_cti.application.ports import sip_events as ev
from junctor_testkit.sip_phone import PhoneError

CALLS = 60
LOSS = 0.2
UNLUCKY = 4
T1 = 0.1


async def test_twenty_percent_loss_each_way(sip_desk, sip_phone):
    desk = await sip_desk(t1=T1)
    agent = await sip_phone("agent", desk, loss=LOSS, seed=1, t1=T1)
    desk.bridge_to = agent.uri
    callers = [await sip_phone(str(n), desk, loss=LOSS, seed=100 + n, t1=T1) for n in range(6)]
    calls = []
    for number in range(CALLS):
        calls.append(await callers[number % len(callers)].call(desk.number))
        await asyncio.sleep(0.005)
    for call in calls:
        await call.wait("answered", "rejected", within=20)
    answered = [call for call in calls if call.state == "answered"]
    arrived = [event.call_id for event in desk.events if isinstance(event, ev.IncomingCall)]
    assert len(arrived) == len(set(arrived))
    assert {call.call_id for call in answered} <= set(arrived) <= {call.call_id for call in calls}
    assert len({call.call_id for call in agent.calls}) == len(agent.calls) <= len(arrived)
    assert len(answered) >= CALLS - UNLUCKY
    assert desk.edge.counters["absorbed"] > CALLS / 10
    assert desk.edge.counters["retransmitted"] > CALLS / 10

    async def hang_up(call):
        try:
            return await call.hang_up(within=20)
        except PhoneError as error:
            return error.code

    statuses = await asyncio.gather(*(hang_up(call) for call in answered))
    assert sum(status != 200 for status in statuses) <= UNLUCKY
    await desk.until(lambda: desk.edge.counters["event.Cleared"] >= 2 * (len(answered) - UNLUCKY), within=20)
    cleared = [event.leg_id for event in desk.events if isinstance(event, ev.Cleared)]
    assert len(cleared) == len(set(cleared))
