"""What the edge answers to malformed and unwanted datagrams, as seen on the wire."""

import asyncio

import pytest
from junctor_cti.application.ports import sip_events as ev

GOOD = {
    "Via": "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx;rport",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:4000@us>",
    "Call-ID": "cid",
    "CSeq": "1 INVITE",
    "Contact": "<sip:a@127.0.0.1>",
}


def message(line="INVITE sip:4000@us SIP/2.0", body=b"", **changed):
    fields = {**GOOD, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return "\r\n".join([line, *(f"{n}: {v}" for n, v in fields.items() if v is not None)]).encode() + b"\r\n\r\n" + body


class Raw(asyncio.DatagramProtocol):
    def __init__(self):
        self.received = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.received.put_nowait(data)


async def send(desk, *datagrams):
    loop = asyncio.get_running_loop()
    transport, raw = await loop.create_datagram_endpoint(Raw, local_addr=("127.0.0.1", 0))
    for datagram in datagrams:
        transport.sendto(datagram, desk.server)
    return transport, raw


@pytest.mark.parametrize(
    ("status", "datagram"),
    [
        (505, message("INVITE sip:4000@us SIP/3.0")),
        (400, message(CSeq="1 BYE")),
        (400, message(CSeq="4294967296 INVITE")),
        (400, message(Content_Length="-1")),
        (400, message(Content_Length="100")),
        (400, message(Call_ID=None)),
        (400, message(Contact=None)),
        (416, message("INVITE gopher://x SIP/2.0")),
        (420, message(Require="nothing-we-know")),
        (405, message("PUBLISH sip:4000@us SIP/2.0", CSeq="1 PUBLISH")),
        (415, message(body=b"hello", Content_Type="text/plain")),
        (481, message("BYE sip:4000@us SIP/2.0", CSeq="1 BYE", To="<sip:4000@us>;tag=none")),
        (481, message("CANCEL sip:4000@us SIP/2.0", CSeq="1 CANCEL")),
        (481, message("INFO sip:4000@us SIP/2.0", CSeq="1 INFO")),
        (200, message("OPTIONS sip:us SIP/2.0", CSeq="1 OPTIONS")),
    ],
)
async def test_answers(sip_desk, status, datagram):
    desk = await sip_desk()
    transport, raw = await send(desk, datagram)
    answer = await asyncio.wait_for(raw.received.get(), 3)
    assert answer.startswith(b"SIP/2.0 %d " % status)
    assert b"To: <sip:4000@us>;tag=" in answer
    if status == 405:
        assert b"\r\nAllow: INVITE, ACK" in answer
    if status == 420:
        assert b"\r\nUnsupported: nothing-we-know" in answer
    assert desk.events == []
    transport.close()


async def test_what_cannot_be_answered_is_counted_and_the_next_call_comes_through(sip_desk):
    desk = await sip_desk()
    unanswerable = [
        b"\x00\xff" * 40,
        b"GET / HTTP/1.1\r\nHost: us\r\n\r\n",
        message(Via=None),
        message("ACK sip:4000@us SIP/2.0", CSeq="1 INVITE"),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP us\r\n\r\n",
        b"\r\n\r\n",
        b"\0",
    ]
    transport, raw = await send(desk, *unanswerable, message())
    assert (await desk.event(ev.IncomingCall)).call_id == "cid"
    assert raw.received.empty()
    counters = desk.edge.counters
    assert counters["malformed.unparsable"] >= 1
    assert counters["malformed.missing_via"] == 1
    assert counters["malformed.response_missing_from"] == 1
    assert counters["keep_alive"] == 2
    transport.close()


async def test_a_refused_request_that_comes_again_gets_the_same_answer(sip_desk):
    desk = await sip_desk()
    datagram = message(CSeq="1 BYE")
    transport, raw = await send(desk, datagram, datagram)
    first, second = [await asyncio.wait_for(raw.received.get(), 3) for _ in range(2)]
    assert first == second
    transport.close()


async def test_a_flood_from_one_source_is_cut_and_trunks_are_not(sip_desk):
    desk = await sip_desk(requests_per_second=10)
    options = [
        message("OPTIONS sip:us SIP/2.0", CSeq="1 OPTIONS", Via=f"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{n};rport")
        for n in range(60)
    ]
    transport, _ = await send(desk, *options)
    await desk.until(lambda: desk.edge.counters["received"] == 60)
    assert 35 <= desk.edge.counters["flooded"] <= 40
    transport.close()
    trunk = await sip_desk(requests_per_second=10, trunks={"127.0.0.1": "carrier"})
    transport, _ = await send(trunk, *options)
    await trunk.until(lambda: trunk.edge.counters["received"] == 60)
    assert trunk.edge.counters["flooded"] == 0
    transport.close()
