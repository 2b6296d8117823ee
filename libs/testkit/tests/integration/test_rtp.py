"""Two endpoints on loopback: what one sends, the other measures."""

import asyncio

import pytest
from junctor_testkit.rtp import RtpEndpoint, peer_of


@pytest.fixture
async def pair():
    one, two = await RtpEndpoint.open(tone_hz=440), await RtpEndpoint.open(tone_hz=1000)
    yield one, two
    one.close()
    two.close()


async def test_each_hears_the_others_tone_and_not_its_own(pair):
    one, two = pair
    one.connect(two.sdp())
    two.connect(one.sdp(codecs=("PCMU",)))
    await asyncio.gather(one.wait_for_tone(1000), two.wait_for_tone(440))
    assert one.level(440, last_ms=100) < 200
    assert one.received[-1].payload_type == 0
    assert two.received[-1].payload_type == 8


async def test_digits_arrive_once_each_and_audio_goes_on_between(pair):
    one, two = pair
    one.connect(two.sdp())
    await one.send_digits("5#", duration_ms=80, gap_ms=40)
    await two.wait_for_digits("5#")
    await two.wait_for_tone(440)


async def test_silence_suppression_leaves_a_gap_that_is_measured(pair):
    one, two = pair
    one.connect(two.sdp())
    await two.wait_for_tone(440)
    one.mute()
    sent = one.sent
    await asyncio.sleep(0.2)
    assert one.sent == sent
    one.mute(False)
    await two.wait_for_tone(440)
    assert two.worst_gap_ms() >= 180


def test_the_audio_lines_own_address_counts():
    sdp = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 8 101\r\nc=IN IP4 10.0.0.2\r\nm=video 0 RTP/AVP 96\r\n"
    assert peer_of(sdp) == ("10.0.0.2", 4000, [8, 101])
    with pytest.raises(ValueError, match="without audio"):
        peer_of("v=0\r\n")
