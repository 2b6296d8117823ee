"""TCP, TLS and WebSocket phones: calls in and out over the connection that the phone opened."""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from junctor_cti.adapters.sip import sdp
from junctor_cti.application.ports import sip_events as ev
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

MEDIA = sdp.audio_sdp("127.0.0.1", 40000, 1)
AOR = "sip:anna@junctor"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """(server's context, client's context) of a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    chain = folder / "edge.pem"
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    return server, ssl.create_default_context(cafile=str(chain))


TRANSPORTS = ["tcp", "tls", "ws", "wss"]


async def listening(sip_desk, sip_phone, tls, transport, t1=0.05):
    secure = tls if transport in ("tls", "wss") else (None, None)
    desk = await sip_desk(**{f"{transport}_port": 0, "tls": secure[0], "t1": t1})
    server = ("127.0.0.1", getattr(desk.edge, f"{transport}_port"))
    return desk, await sip_phone("anna", server, transport=transport, tls=secure[1], t1=t1)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_in_over_a_stream(sip_desk, sip_phone, tls, transport):
    desk, phone = await listening(sip_desk, sip_phone, tls, transport, t1=5)
    call = await phone.call("sip:4000@junctor")
    leg = (await desk.event(ev.IncomingCall)).leg_id
    desk.edge.trying(leg)
    desk.edge.answer(leg, MEDIA)
    await call.wait("answered")
    await desk.event(ev.Confirmed)
    desk.hang_up(leg)
    await call.wait("ended")
    assert (await desk.event(ev.Cleared)).code == 200
    assert desk.edge.counters["retransmitted"] == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_registered_phone_is_rung_over_its_own_connection(sip_desk, sip_phone, tls, transport):
    desk, phone = await listening(sip_desk, sip_phone, tls, transport)
    await phone.register()
    desk.edge.prepare_invite("x", AOR, "sip:1@junctor", "", MEDIA)
    desk.edge.send_invite("x")
    await desk.event(ev.Answered)
    desk.edge.ack("x")
    call = await phone.next_call()
    hang_up = asyncio.create_task(call.hang_up())
    assert (await desk.event(ev.Cleared)).by == "peer"
    desk.edge.accept("x")
    assert await hang_up == 200


async def test_a_closed_connection_ends_the_registration_and_what_rings_on_it(sip_desk, sip_phone, tls):
    desk, phone = await listening(sip_desk, sip_phone, tls, "wss")
    phone.behavior.answer_after_ms = None
    await phone.register()
    desk.edge.prepare_invite("x", AOR, "sip:1@junctor", "", MEDIA)
    desk.edge.send_invite("x")
    await desk.event(ev.Ringing)
    await phone.close()
    assert (await desk.event(ev.Unregistered)).why == "connection"
    assert (await desk.event(ev.Rejected)).code == 503


async def test_a_call_goes_on_over_the_phones_next_connection(sip_desk, sip_phone, tls):
    desk, phone = await listening(sip_desk, sip_phone, tls, "tcp")
    await phone.register()
    desk.edge.prepare_invite("x", AOR, "sip:1@junctor", "", MEDIA)
    desk.edge.send_invite("x")
    await desk.event(ev.Answered)
    desk.edge.ack("x")
    call = await phone.next_call()
    server, lost = phone._link.server, phone._link
    await lost.close()
    await desk.event(ev.Unregistered)
    phone._link = await type(lost).open("tcp", server, phone._receive)
    await phone.register()
    desk.hang_up("x")
    await call.wait("ended")
    assert (await desk.event(ev.Cleared)).code == 200


async def test_a_tcp_target_is_connected_to_and_an_absent_one_is_503(sip_desk, sip_phone, tls):
    desk = await sip_desk()
    other = await sip_desk(tcp_port=0)
    desk.edge.prepare_invite("x", f"sip:4000@127.0.0.1:{other.edge.tcp_port};transport=tcp", "sip:1@j", "", MEDIA)
    desk.edge.send_invite("x")
    incoming = await other.event(ev.IncomingCall)
    assert incoming.called_number == "4000"
    other.edge.answer(incoming.leg_id, MEDIA)
    await desk.event(ev.Answered)
    desk.edge.ack("x")
    await other.event(ev.Confirmed)
    port = other.edge.tcp_port
    await other.die()
    desk.edge.prepare_invite("y", f"sip:4000@127.0.0.1:{port};transport=tcp", "sip:1@j", "", MEDIA)
    desk.edge.send_invite("y")
    assert (await desk.event(ev.Rejected)).code == 503


async def test_framing_across_and_within_packets(sip_desk, tls):
    desk = await sip_desk(tcp_port=0)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.edge.tcp_port)
    options = (
        b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:us>\r\n"
        b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 4\r\n\r\nbody"
    )
    stream = b"\r\n\r\n" + options % 1 + options % 2 + b"\r\n" + options % 3
    for at in range(0, len(stream), 37):
        writer.write(stream[at : at + 37])
        await writer.drain()
    assert await reader.readexactly(2) == b"\r\n"
    for number in (1, 2, 3):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
        assert head.startswith(b"SIP/2.0 200 ")
        assert b"branch=z9hG4bK%d" % number in head
    writer.close()


@pytest.mark.parametrize(
    "head",
    [b"OPTIONS sip:us SIP/2.0\r\nContent-Length: -1\r\n\r\n", b"X" * 70_000, b"A: b\r\nContent-Length: 999999\r\n\r\n"],
)
async def test_a_stream_that_cannot_be_followed_is_closed_and_nothing_else_stops(sip_desk, sip_phone, tls, head):
    desk, phone = await listening(sip_desk, sip_phone, tls, "tcp")
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.edge.tcp_port)
    writer.write(head)
    await asyncio.wait_for(reader.read(), 3)
    writer.close()
    await phone.register()


async def test_a_websocket_without_the_subprotocol_is_refused(sip_desk):
    desk = await sip_desk(ws_port=0)
    with pytest.raises(InvalidStatus, match="400"):
        await connect(f"ws://127.0.0.1:{desk.edge.ws_port}")


async def test_a_port_in_use_is_named(sip_desk):
    desk = await sip_desk(tcp_port=0)
    with pytest.raises(OSError, match=str(desk.edge.port)):
        await sip_desk(port=desk.edge.port)
    with pytest.raises(OSError, match=str(desk.edge.tcp_port)):
        await sip_desk(tcp_port=desk.edge.tcp_port)
    with pytest.raises(ValueError, match="certificate"):
        await sip_desk(wss_port=0)
