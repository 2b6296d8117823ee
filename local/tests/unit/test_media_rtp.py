"""The per-packet parts of junctor-media without sockets: events, the outgoing stream, SDP, bencode, laws."""

import struct
from itertools import pairwise

import pytest
from junctor_local.media import g711, sdp
from junctor_local.media.events import EventDetector
from junctor_local.media.output import Output
from junctor_local.media.playout import PlayError, read_wav
from junctor_service.bencode import BencodeError, decode, encode
from junctor_testkit import audio

SSRC = 0xFFFFFFFF


def event(code: int, duration: int, end: bool = False) -> bytes:
    return struct.pack("!BBH", code, (0x80 if end else 0) | 10, duration)


def test_a_digit_is_told_once_however_often_its_end_is_repeated():
    detector = EventDetector()
    packets = [event(5, 160), event(5, 320), *[event(5, 480, end=True)] * 3]
    told = [found for packet in packets for found in detector.packet(packet, SSRC, 1000)]
    assert [(found.code, found.duration_ms, found.volume) for found in told] == [(5, 60, 10)]


def test_the_same_digit_twice_is_two_digits():
    detector = EventDetector()
    told = [
        *detector.packet(event(5, 480, end=True), SSRC, 1000),
        *detector.packet(event(5, 480, end=True), SSRC, 2000),
    ]
    assert [found.code for found in told] == [5, 5]
    assert detector.packet(event(5, 480, end=True), SSRC, 1000) == [], "a late repeat of the first"


def test_a_digit_whose_end_is_lost_ends_with_the_next_digit_or_with_audio():
    detector = EventDetector()
    detector.packet(event(1, 480), SSRC, 1000)
    assert [found.code for found in detector.packet(event(2, 160), SSRC, 3000)] == [1]
    assert detector.pending
    assert detector.audio(SSRC, 3000 + 160) is None
    assert detector.audio(SSRC, 3000 + 160 + 800).code == 2
    assert not detector.pending
    assert detector.packet(event(2, 480, end=True), SSRC, 3000) == [], "its late end packet"


def test_events_survive_the_wrap_of_timestamps():
    detector = EventDetector()
    assert detector.packet(event(1, 480, end=True), SSRC, 0xFFFFFF00)
    assert [found.code for found in detector.packet(event(2, 480, end=True), SSRC, 0x100)] == [2]


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x05\x8a\x01", event(16, 480, end=True), event(255, 1, end=True)])
def test_what_is_no_digit_is_not_told(payload: bytes):
    assert EventDetector().packet(payload, SSRC, 1) == []


class Wire:
    """Takes the place of a socket and keeps what was sent, as (payload type, marker, sequence, timestamp, ssrc)."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, int, int, int]] = []
        self.payloads: list[bytes] = []

    def sendto(self, data: bytes, _: object) -> None:
        _, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        self.sent.append((second & 0x7F, second >> 7, sequence, timestamp, ssrc))
        self.payloads.append(data[12:])


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def output(wire: Wire) -> Output:
    output = Output(wire)  # type: ignore[arg-type]
    output.peer, output.event_type = ("127.0.0.1", 9), 101
    return output


def steps(wire: Wire) -> list[int]:
    numbers = [sent[2] for sent in wire.sent]
    return [(after - before) & 0xFFFF for before, after in pairwise(numbers)]


def test_losses_and_disorder_of_the_source_stay_visible(wire: Wire, output: Output):
    for sequence in (65534, 0, 65535, 3):
        output.relay(8, b"x" * 160, 0, sequence, sequence * 160, 7)
    assert steps(wire) == [2, 0xFFFF, 4]


def test_a_change_of_source_is_one_stream_with_a_marker(wire: Wire, output: Output):
    output.relay(8, b"x" * 160, 0, 100, 5000, 7)
    output.own(b"p" * 160)
    output.own(b"p" * 160)
    output.relay(8, b"x" * 160, 0, 102, 5320, 7)
    output.relay(8, b"y" * 160, 0, 9, 77, 8)
    output.relay(8, b"y" * 160, 0, 10, 237, 8)
    assert steps(wire) == [1] * 5
    assert [sent[1] for sent in wire.sent] == [1, 1, 0, 1, 1, 0]
    assert len({sent[4] for sent in wire.sent}) == 1
    times = [sent[3] for sent in wire.sent]
    gaps = [(after - before) & 0xFFFFFFFF for before, after in pairwise(times)]
    assert all(160 <= gap < 800 for gap in gaps)


def test_what_was_left_out_on_purpose_is_no_loss(wire: Wire, output: Output):
    output.relay(8, b"x" * 160, 0, 100, 5000, 7)
    output.interrupt()
    output.relay(8, b"x" * 160, 0, 150, 13_000, 7)
    assert steps(wire) == [1]


def test_events_take_the_peers_number_or_are_left_out(wire: Wire, output: Output):
    output.event(b"\x05\x0a\x00\xa0", 0x80, 1, 160, 7)
    output.event_type = None
    output.event(b"\x05\x0a\x00\xa0", 0, 2, 160, 7)
    assert [sent[0] for sent in wire.sent] == [101]


def test_an_own_event_keeps_the_time_of_its_beginning(wire: Wire, output: Output):
    output.own(b"p" * 160)
    for number in range(3):
        output.own_event(b"\x05\x0a\x00\xa0", first=number == 0)
    assert steps(wire) == [1, 1, 1]
    assert len({sent[3] for sent in wire.sent[1:]}) == 1


def test_the_other_law_is_transcoded(wire: Wire, output: Output):
    output.payload_type = 0
    output.relay(8, audio.encode(audio.tone(440, 20), "PCMA"), 0, 1, 0, 7)
    assert wire.sent[0][0] == 0
    assert audio.goertzel(audio.decode(wire.payloads[0], "PCMU"), 440) == pytest.approx(8000, rel=0.1)


@pytest.mark.parametrize("law", ["PCMA", "PCMU"])
def test_the_tables_agree_with_the_definition(law: str):
    number = {"PCMA": 8, "PCMU": 0}[law]
    samples = list(range(-32768, 32768, 7))
    assert g711.encode(struct.pack(f"<{len(samples)}h", *samples), number) == audio.encode(samples, law)


OFFER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
    "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "m=audio 4000 RTP/AVP 0 8 97\r\nc=IN IP4 192.0.2.2\r\na=rtpmap:97 telephone-event/8000\r\na=recvonly\r\n"
)


def test_an_offer_is_read():
    medias, index = sdp.audio(OFFER)
    assert index == 1
    audio_line = medias[1]
    assert audio_line.address == ("192.0.2.2", 4000)
    assert audio_line.payload_types() == [0, 8, 97]
    assert audio_line.event_type() == 97
    assert audio_line.wants_audio
    assert not medias[0].wants_audio


@pytest.mark.parametrize(
    ("old", "new"), [("m=audio 4000", "m=audio 9"), ("c=IN IP4 192.0.2.2", "c=IN IP4 0.0.0.0")], ids=["discard", "hold"]
)
def test_nowhere_is_no_address(old: str, new: str):
    medias, index = sdp.audio(OFFER.replace(old, new))
    assert medias[index].address is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begin with v=0"),
        ("v=0\r\nnonsense\r\n", "type=value"),
        ("v=0\r\nm=audio x RTP/AVP 8\r\n", "port"),
        ("v=0\r\nm=audio 99999 RTP/AVP 8\r\n", "port"),
        ("v=0\r\nm=audio 4000\r\n", "m=audio"),
        ("v=0\r\nm=audio 4000 RTP/AVP 8\r\n", "without a c= line"),
        ("v=0\r\nc=IN IP4 phone.example\r\nm=audio 4000 RTP/AVP 8\r\n", "not an IP address"),
        ("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 8\r\n", "Unsupported protocol"),
        ("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 8\r\n", "No usable audio"),
    ],
)
def test_a_bad_sdp_says_why(text: str, reason: str):
    with pytest.raises(sdp.SdpError, match=reason):
        sdp.audio(text)


def test_an_answer_refuses_the_other_lines_in_their_places():
    text = sdp.write("192.0.2.9", 6000, [(8, "PCMA/8000")], session=1, version=2, rejected=[(0, "video RTP/AVP 96")])
    assert [line for line in text.split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 96",
        "m=audio 6000 RTP/AVP 8",
    ]


def test_bencode_goes_both_ways():
    value = {"command": "offer", "flags": ["a", "b"], "number": -3, "blob": b"\xff\x00", "inner": {"x": ""}}
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "data", [b"", b"i5", b"d", b"5:abc", b"le5", b"x", b"i5ei6e", b"di1ei2ee", b"-1:a", b"l" * 50 + b"e" * 50]
)
def test_broken_bencode_is_refused(data: bytes):
    with pytest.raises(BencodeError):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\x04\x00\x00\x00WAVE"])
def test_a_prompt_that_is_no_wav_is_refused(data: bytes):
    with pytest.raises(PlayError, match="blob"):
        read_wav(data, "blob")
