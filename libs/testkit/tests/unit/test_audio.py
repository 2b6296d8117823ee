from pathlib import Path

import pytest
from junctor_testkit.audio import (
    alaw_to_linear,
    decode,
    encode,
    goertzel,
    linear_to_alaw,
    linear_to_ulaw,
    read_wav,
    tone,
    ulaw_to_linear,
    write_wav,
)


@pytest.mark.parametrize(
    ("code", "alaw", "ulaw"), [(0x55, -8, -716), (0xD5, 8, 716), (0x2A, -32256, -5372), (0x00, -5504, -32124)]
)
def test_known_code_points_of_g711(code: int, alaw: int, ulaw: int):
    assert (alaw_to_linear(code), ulaw_to_linear(code)) == (alaw, ulaw)


def test_every_code_survives_decoding_and_encoding():
    assert [linear_to_alaw(alaw_to_linear(code)) for code in range(256)] == list(range(256))
    minus_zero = 0x7F
    assert [linear_to_ulaw(ulaw_to_linear(code)) for code in range(256) if code != minus_zero] == [
        code for code in range(256) if code != minus_zero
    ]


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_a_tone_keeps_its_level_through_the_codec_and_other_tones_stay_silent(codec: str):
    heard = decode(encode(tone(440, 500), codec), codec)
    assert goertzel(heard, 440) == pytest.approx(8000, rel=0.02)
    assert goertzel(heard, 1000) < 150


@pytest.mark.parametrize("law", [linear_to_alaw, linear_to_ulaw])
def test_the_extremes_of_16_bit_are_encoded(law):
    assert 0 <= law(-32768) <= 255
    assert 0 <= law(32767) <= 255


def test_a_wav_keeps_its_channels(tmp_path: Path):
    path = write_wav(tmp_path / "two.wav", [[1, 2, -3], [4, 5, -32768]])
    assert read_wav(path) == [[1, 2, -3], [4, 5, -32768]]
