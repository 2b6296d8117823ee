import pytest
from junctor_cti.adapters.media.offered import nobody, only_chosen, read_offer, receiver
from junctor_cti.application.ports.media_errors import UnusableSdp
from junctor_testkit.rtp import peer_of

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 111 0 8 97 96\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:97 telephone-event/48000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\na=sendrecv\r\n"
    "m=video 5000 RTP/AVP 111\r\na=rtpmap:111 H264/90000\r\n"
)


def test_pcma_comes_first_and_events_at_eight_kilohertz():
    offered = read_offer(OFFER)
    assert (offered.codec, offered.event_type) == (8, 96)
    assert offered.chosen == ["8", "96"]


def test_pcmu_is_the_second_choice_and_events_may_be_missing():
    offered = read_offer("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 18\r\n")
    assert (offered.codec, offered.event_type) == (0, None)


def test_what_was_not_chosen_is_taken_out_of_the_audio_alone():
    lines = only_chosen(OFFER).splitlines()
    assert "m=audio 4000 RTP/AVP 8 96" in lines
    assert [line for line in lines if "opus" in line or "useinbandfec" in line or "PCMU" in line] == []
    assert "a=rtpmap:96 telephone-event/8000" in lines
    assert "a=rtpmap:111 H264/90000" in lines
    assert only_chosen(only_chosen(OFFER)) == only_chosen(OFFER)


def test_nobody_answers_at_the_discard_port():
    assert peer_of(nobody(OFFER)) == ("127.0.0.1", 9, [8, 96])


def test_a_receiver_takes_both_laws_and_the_offered_events():
    assert peer_of(receiver("192.0.2.7", 7000, OFFER)) == ("192.0.2.7", 7000, [8, 0, 96])
    assert "IN IP6 2001:db8::1" in receiver("2001:db8::1", 7000, OFFER)


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "v=0\r\n",
        "m=audio 0 RTP/AVP 8\r\n",
        "m=audio 4000\r\n",
        "m=audio 4000 RTP/AVP 18\r\n",
        "m=video 1 RTP/AVP 8\r\n",
    ],
)
def test_an_offer_that_cannot_be_used_is_refused(sdp: str):
    with pytest.raises(UnusableSdp) as error:
        read_offer(sdp)
    assert not error.value.retryable
