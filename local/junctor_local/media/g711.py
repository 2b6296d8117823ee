"""G.711 by tables (ITU-T G.711, 11/88): linear to both laws, and one law to the other for `bytes.translate`."""

from __future__ import annotations

import sys
from array import array

PCMU, PCMA = 0, 8
"""RTP payload types (RFC 3551 table 4)."""
NAMES = {PCMU: "PCMU", PCMA: "PCMA"}
SILENCE = {PCMU: b"\xff", PCMA: b"\xd5"}


def _alaw_to_linear(code: int) -> int:
    code ^= 0x55
    segment, step = code >> 4 & 7, code & 15
    level = (step << 4) + 8 if segment == 0 else (step << 4) + 0x108 << (segment - 1)
    return level if code & 0x80 else -level


def _ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    level = ((code & 15) << 3) + 0x84 << (code >> 4 & 7)
    return 0x84 - level if code & 0x80 else level - 0x84


def _linear_to_alaw(sample: int) -> int:
    level = (sample if sample >= 0 else ~sample) >> 4
    segment = max(0, level.bit_length() - 4)
    step = level & 15 if segment < 2 else level >> (segment - 1) & 15
    return ((0x80 if sample >= 0 else 0) | segment << 4 | step) ^ 0x55


def _linear_to_ulaw(sample: int) -> int:
    level = min(abs(sample), 32635) + 0x84
    segment = level.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | segment << 4 | level >> (segment + 3) & 15) & 0xFF


def _signed(index: int) -> int:
    return index - 0x10000 if index & 0x8000 else index


# A law depends on the upper 12 bits alone, so one entry in 16 is computed.
_ALAW = b"".join(bytes([_linear_to_alaw(_signed(index))]) * 16 for index in range(0, 0x10000, 16))
_ULAW = bytes(_linear_to_ulaw(_signed(index)) for index in range(0x10000))
_ENCODE = {PCMA: _ALAW, PCMU: _ULAW}

TRANSCODE: dict[tuple[int, int], bytes] = {
    (PCMA, PCMU): bytes(_linear_to_ulaw(_alaw_to_linear(code)) for code in range(256)),
    (PCMU, PCMA): bytes(_linear_to_alaw(_ulaw_to_linear(code)) for code in range(256)),
}
"""(from, to) to a table for `bytes.translate`."""


def encode(pcm: bytes, payload_type: int) -> bytes:
    """16-bit little-endian samples to G.711, one byte each."""
    samples = array("H", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return bytes(map(_ENCODE[payload_type].__getitem__, samples))
