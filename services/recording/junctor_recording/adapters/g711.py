"""G.711 to 16-bit linear, as two tables per law: the low and the high bytes of the samples (ITU-T G.711, 11/88)."""

from __future__ import annotations

PCMU, PCMA = 0, 8
"""RTP payload types (RFC 3551 table 4)."""


def _alaw(code: int) -> int:
    code ^= 0x55
    segment, step = code >> 4 & 7, code & 15
    level = (step << 4) + 8 if segment == 0 else (step << 4) + 0x108 << (segment - 1)
    return level if code & 0x80 else -level


def _ulaw(code: int) -> int:
    code = ~code & 0xFF
    level = (((code & 15) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -level if code & 0x80 else level


_SAMPLES = {PCMA: [_alaw(code) for code in range(256)], PCMU: [_ulaw(code) for code in range(256)]}

LOW = {number: bytes(sample & 0xFF for sample in samples) for number, samples in _SAMPLES.items()}
HIGH = {number: bytes(sample >> 8 & 0xFF for sample in samples) for number, samples in _SAMPLES.items()}
"""By payload type, for `bytes.translate`: 160 samples are decoded in two C calls."""
