"""Telephone audio for tests: G.711 both laws, tones, Goertzel levels, WAV files. 8,000 samples a second, 16 bit.

The laws are ITU-T G.711 (11/88); the code is apart from the product's own, so that a mistake there cannot hide here.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

RATE = 8000
FRAME = 160
"""Samples in 20 ms."""


def alaw_to_linear(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return magnitude if code & 0x80 else -magnitude


def ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def linear_to_alaw(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else -sample - 1, 0x7FFF) >> 4
    exponent = max(0, magnitude.bit_length() - 4)
    exponent = min(exponent, 7)
    mantissa = magnitude & 0x0F if exponent < 2 else (magnitude >> (exponent - 1)) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def linear_to_ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 0x84
    exponent = max(0, magnitude.bit_length() - 8)
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


_DECODE = {
    "PCMA": [alaw_to_linear(code) for code in range(256)],
    "PCMU": [ulaw_to_linear(code) for code in range(256)],
}
_ENCODE = {"PCMA": linear_to_alaw, "PCMU": linear_to_ulaw}
SILENCE = {"PCMA": 0xD5, "PCMU": 0xFF}


def decode(payload: bytes, codec: str) -> list[int]:
    """G.711 bytes to samples. `codec` is "PCMA" or "PCMU"."""
    table = _DECODE[codec]
    return [table[code] for code in payload]


def encode(samples: Iterable[int], codec: str) -> bytes:
    """Samples (-32768..32767) to G.711 bytes, one each."""
    law = _ENCODE[codec]
    return bytes(law(sample) for sample in samples)


def tone(hz: float, ms: int, level: int = 8000) -> list[int]:
    """A sine of peak `level`, beginning at phase 0."""
    step = 2 * math.pi * hz / RATE
    return [round(level * math.sin(step * n)) for n in range(RATE * ms // 1000)]


@lru_cache(maxsize=64)
def tone_second(hz: int | None, codec: str, level: int = 8000) -> bytes:
    """One second of a tone of whole hertz as G.711: it can be repeated without a click. None is silence."""
    if hz is None:
        return bytes([SILENCE[codec]]) * RATE
    return encode(tone(hz, 1000, level), codec)


def goertzel(samples: Sequence[int], hz: float) -> float:
    """Peak level of the sine at `hz` in `samples`: `tone(hz, ms, level)` gives about `level`, other tones near 0."""
    if not samples:
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hz / RATE)
    last = before = 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return math.sqrt(max(0.0, power)) * 2 / len(samples)


def rms(samples: Sequence[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


def write_wav(path: Path, channels: Sequence[Sequence[int]]) -> Path:
    """One list of samples per channel (equal lengths) as a 16-bit 8 kHz WAV."""
    data = array("h", bytes(2 * len(channels) * len(channels[0])))
    for index, channel in enumerate(channels):
        data[index :: len(channels)] = array("h", channel)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(data.tobytes())
    return path


def read_wav(path: Path) -> list[list[int]]:
    """The channels of a 16-bit 8 kHz WAV, as lists of samples. Raises ValueError on any other format."""
    with wave.open(str(path), "rb") as file:
        if (file.getsampwidth(), file.getframerate()) != (2, RATE):
            raise ValueError(f"{path}: {8 * file.getsampwidth()} bit at {file.getframerate()} Hz")
        data = array("h", file.readframes(file.getnframes()))
        return [list(data[index :: file.getnchannels()]) for index in range(file.getnchannels())]
