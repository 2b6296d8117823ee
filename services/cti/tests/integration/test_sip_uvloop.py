"""The edge on uvloop: the transports differ from asyncio's, the calls do not."""

import asyncio

import uvloop
from junctor_cti.adapters.sip import sdp
from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.application.ports import sip_events as ev
from junctor_testkit.sip_phone import SipPhone

MEDIA = sdp.audio_sdp("127.0.0.1", 40000, 1)


async def call_over(transport: str) -> list[ev.Event]:
    events: list[ev.Event] = []

    def decide(event: ev.Event) -> None:
        events.append(event)
        if isinstance(event, ev.IncomingCall):
            edge.trying(event.leg_id)
            edge.answer(event.leg_id, MEDIA)

    edge = SipEdge(SipSettings(port=0, tcp_port=0, ws_port=0), decide)
    await edge.start()
    server = ("127.0.0.1", {"udp": edge.port, "tcp": edge.tcp_port, "ws": edge.ws_port}[transport])
    async with await SipPhone.open("1", server, transport=transport) as phone:
        call = await phone.call("sip:4000@us")
        await call.wait("answered")
        assert await call.hang_up() == 200
    await edge.stop(drain=1)
    return events


def test_a_call_on_each_transport():
    for transport in ("udp", "tcp", "ws"):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            events = runner.run(call_over(transport))
        assert [type(event) for event in events] == [ev.IncomingCall, ev.Confirmed, ev.Cleared], transport
