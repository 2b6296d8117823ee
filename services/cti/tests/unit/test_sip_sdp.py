"""SDP: addresses, directions, bodies."""

import pytest
from junctor_cti.adapters.sip import sdp

BASIC = sdp.audio_sdp("192.0.2.1", 4000, 77)


def test_ours_has_pcma_first_then_pcmu_then_events():
    assert "m=audio 4000 RTP/AVP 8 0 101\r\n" in BASIC
    assert sdp.audio_address(BASIC) == ("192.0.2.1", 4000)
    assert sdp.direction(BASIC) == "sendrecv"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("c=IN IP4 1.1.1.1\nm=audio 7 RTP/AVP 0\nc=IN IP4 2.2.2.2/127\n", ("2.2.2.2", 7)),
        ("c=IN IP4 1.1.1.1\nm=video 5 RTP/AVP 9\nc=IN IP4 3.3.3.3\nm=audio 7/2 RTP/AVP 0\n", ("1.1.1.1", 7)),
        ("c=IN IP4 1.1.1.1\nm=audio 0 RTP/AVP 0\n", None),
        ("c=IN IP4 1.1.1.1\nm=video 5 RTP/AVP 9\n", None),
        ("m=audio x y\n", None),
        ("m=\nc=\n", None),
        ("", None),
    ],
)
def test_the_audio_address(text, address):
    assert sdp.audio_address(text) == address


def test_directions():
    held = sdp.with_direction(BASIC, "sendonly")
    assert sdp.direction(held) == "sendonly"
    assert sdp.direction("a=inactive\nm=audio 1 RTP/AVP 0\n") == "inactive"
    assert sdp.answer_direction("sendonly") == "recvonly"


def test_an_answer_to_hold_has_the_next_version():
    answer = sdp.renewed(BASIC, "recvonly")
    assert "o=junctor 77 2 IN IP4" in answer
    assert sdp.renewed(answer, "recvonly") == answer


def test_bodies():
    part = f"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{BASIC}--b--"
    assert sdp.from_body(part.encode(), 'multipart/mixed; boundary="b"') == BASIC
    assert sdp.from_body(BASIC.encode(), "application/SDP; charset=x") == BASIC
    assert sdp.from_body(b"", "") == ""
    assert sdp.from_body(b"x", "text/plain") is None
