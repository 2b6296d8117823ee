"""Placement of packets in virtual time: positions are samples, 8 a millisecond."""

from array import array

from junctor_recording.adapters.channel_timeline import DRIFT, LATE_LIMIT, ChannelTimeline
from junctor_testkit.audio import encode

ONE, TWO, THREE = (encode([level] * 160, "PCMA") for level in (1000, 5000, 20000))


def levels(timeline: ChannelTimeline, until: int) -> list[int]:
    """The level at the middle of each 20 ms up to `until`: 0, 1, 5 or 20 thousand."""
    low, high = timeline.take(until)
    data = bytearray(2 * len(low))
    data[0::2], data[1::2] = low, high
    samples = array("h", bytes(data))
    return [round(sample / 1000) for sample in samples[80::160]]


def fed(*packets: tuple[int, bytes, int], ssrc: int = 7, start: int = 0xFFFFFF00) -> ChannelTimeline:
    """Packets as (number of the 20 ms, payload, arrival); the timestamps wrap at 2^32 on the way."""
    timeline = ChannelTimeline()
    for number, payload, now in packets:
        timeline.add(8, start + 160 * number & 0xFFFFFFFF, ssrc, payload, now)
    return timeline


def test_audio_is_placed_by_its_arrival_and_what_is_missing_is_silence():
    timeline = fed((0, ONE, 480), (1, TWO, 640), (3, THREE, 960))
    assert levels(timeline, 1120) == [0, 0, 1, 5, 0, 20, 0]


def test_reordering_and_jitter_do_not_move_audio():
    timeline = fed((0, ONE, 160), (2, THREE, 700), (1, TWO, 701))
    assert levels(timeline, 480) == [1, 5, 20]


def test_a_packet_after_its_place_was_written_is_counted():
    timeline = fed((0, ONE, 160), (2, THREE, 480))
    assert levels(timeline, 480) == [1, 0, 20]
    timeline.add(8, 0xFFFFFF00 + 160 & 0xFFFFFFFF, 7, TWO, 8000)
    assert timeline.counts["late"] == 1
    assert levels(timeline, 640) == [0]


def test_a_new_stream_begins_at_its_own_arrival():
    timeline = fed((0, ONE, 160))
    timeline.add(8, 55_000, 8, TWO, 480)
    assert levels(timeline, 480) == [1, 0, 5]


def test_timestamps_that_jump_ahead_begin_anew():
    timeline = fed((0, ONE, 160))
    timeline.add(8, 1_000_000, 7, TWO, 320)
    assert levels(timeline, 320) == [1, 5]


def test_timestamps_that_jump_back_begin_anew_after_some_packets():
    timeline = fed((0, ONE, 160), start=1_000_000)
    for number in range(LATE_LIMIT + 1):
        levels(timeline, 160 + 160 * number)
        timeline.add(8, 160 * number, 7, TWO, 320 + 160 * number)
    assert timeline.counts["late"] == LATE_LIMIT
    assert levels(timeline, 320 + 160 * LATE_LIMIT)[-1] == 5


def test_a_burst_after_a_stall_keeps_its_places():
    timeline = fed((0, ONE, 160), *((number, TWO, 6000) for number in range(1, 30)))
    assert levels(timeline, 4800) == [1] + [5] * 29


def test_both_laws_are_decoded_and_other_payloads_are_left_out():
    timeline = ChannelTimeline()
    timeline.add(0, 0, 1, encode([5000] * 160, "PCMU"), 160)
    timeline.add(101, 160, 1, b"\x05\x8a\x01\x40", 320)
    assert levels(timeline, 320) == [5, 0]
    assert timeline.counts["other_payload"] == 1


def test_a_pause_is_silence_also_for_packets_on_their_way():
    timeline = fed((0, ONE, 160), (1, ONE, 320))
    timeline.pause(320)
    timeline.add(8, 0xFFFFFF00 + 320 & 0xFFFFFFFF, 7, TWO, 480)
    timeline.resume(480)
    timeline.add(8, 0xFFFFFF00 + 480 & 0xFFFFFFFF, 7, THREE, 640)
    assert levels(timeline, 640) == [1, 1, 0, 20]


def test_a_phones_slow_clock_is_followed():
    """200 ppm: a packet every 20.004 ms, which is 240 ms late after 20 minutes."""
    timeline = ChannelTimeline()
    for number in range(60_000):
        now = 160 + number * 160 * 10_002 // 10_000
        timeline.add(8, 160 * number & 0xFFFFFFFF, 7, ONE, now)
        timeline.take(now - 8000)
    assert timeline.counts["late"] == 0
    assert timeline.counts["drift_corrections"] >= 4
    _, high = timeline.take(now)
    assert high[-DRIFT - 200 : -DRIFT - 40].count(0) == 0, "the newest audio stands within 45 ms of the end"


def test_what_the_file_holds_already_is_left_alone():
    timeline = ChannelTimeline(taken=800)
    timeline.add(8, 0, 1, ONE, 960)
    assert levels(timeline, 1120) == [1, 0]
    timeline.skip(1600)
    assert levels(timeline, 1760) == [0]
