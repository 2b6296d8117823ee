"""A line that loses a fifth of the packets each way: every call is made exactly once, and all are cleared."""

import asyncio

from junctor_cti.adapters.sip import events as ev
from junctor_testkit.sip_phone import PhoneError

CALLS = 60
LOSS = 0.2


async def test_twenty_percent_loss_each_way(sip_desk, sip_phone):
    desk = await sip_desk()
    agent = await sip_phone("agent", desk, loss=LOSS, seed=1)
    desk.bridge_to = agent.uri
    callers = [await sip_phone(str(n), desk, loss=LOSS, seed=100 + n) for n in range(6)]
    calls = []
    for number in range(CALLS):
        calls.append(await callers[number % len(callers)].call(desk.number))
        await asyncio.sleep(0.005)
    for call in calls:
        await call.wait("answered", within=10)
    assert desk.edge.counters["event.IncomingCall"] == CALLS
    assert len(agent.calls) == CALLS
    assert desk.edge.counters["absorbed"] > CALLS / 10
    assert desk.edge.counters["retransmitted"] > CALLS / 10

    async def hang_up(call):
        try:
            return await call.hang_up(within=10)
        except PhoneError as error:
            return error.code

    assert set(await asyncio.gather(*(hang_up(call) for call in calls))) == {200}
    for call in agent.calls:
        await call.wait("ended", within=10)
    await desk.until(lambda: desk.edge.counters["event.Cleared"] == 2 * CALLS, within=10)
    cleared = [event for event in desk.events if isinstance(event, ev.Cleared)]
    assert {event.by: event.code for event in cleared} == {"peer": 200, "us": 200}
    assert len({event.leg_id for event in cleared}) == 2 * CALLS
