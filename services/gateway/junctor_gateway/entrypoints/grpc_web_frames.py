"""Frames of gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md).

A body is frames: one byte of flags (0x80 trailers, 0x01 compressed), four bytes of length, big-endian, then so many
bytes. In the text form the body is base64, which may be several pieces, each with its own padding.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from urllib.parse import quote

_HEADER = struct.Struct(">BI")
_COMPRESSED = 0x01
_TRAILERS = 0x80


class BadFrame(ValueError):
    """The body is not one whole message frame. A retry of the same bytes does not help."""

    retryable = False


class Compressed(BadFrame):
    """The frame is compressed; this server announces no encoding."""


def message_of(body: bytes, *, text: bool) -> bytes:
    """The one message of a request's body. Raises `BadFrame`."""
    if text:
        body = _decoded(body)
    if len(body) < _HEADER.size:
        raise BadFrame("the body has no whole frame")
    flags, length = _HEADER.unpack_from(body)
    if flags & _COMPRESSED:
        raise Compressed("the frame is compressed")
    if flags:
        raise BadFrame("the first frame is no message")
    end = _HEADER.size + length
    if len(body) < end:
        raise BadFrame(f"the frame says {length} bytes and has {len(body) - _HEADER.size}")
    if len(body) > end:
        raise BadFrame("there is more than one message")
    return body[_HEADER.size : end]


def message_frame(message: bytes, *, text: bool) -> bytes:
    """A message of an answer."""
    return _encoded(_HEADER.pack(0, len(message)) + message, text)


def trailers_frame(trailers: Sequence[tuple[str, str]], *, text: bool) -> bytes:
    """The end of an answer: trailers as lines of HTTP/1 headers, names in lower case."""
    block = "".join(f"{name}: {value}\r\n" for name, value in trailers).encode("ascii")
    return _encoded(_HEADER.pack(_TRAILERS, len(block)) + block, text)


def status_trailers(code: int, message: str, details: bytes) -> list[tuple[str, str]]:
    """grpc-status, grpc-message (percent-encoded UTF-8) and the google.rpc.Status (base64 without padding)."""
    found = [("grpc-status", str(code))]
    if message:
        found.append(("grpc-message", quote(message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")))
    if details:
        found.append(("grpc-status-details-bin", base64.b64encode(details).decode().rstrip("=")))
    return found


def _encoded(frame: bytes, text: bool) -> bytes:
    return base64.b64encode(frame) if text else frame


def _decoded(body: bytes) -> bytes:
    """Pieces end where padding does."""
    compact = b"".join(body.split())
    found = bytearray()
    try:
        for start in range(0, len(compact), 4):
            found += binascii.a2b_base64(compact[start : start + 4], strict_mode=True)
    except binascii.Error as error:
        raise BadFrame("the body is not base64") from error
    return bytes(found)
