"""As much of SDP (RFC 8866) as an audio relay needs: read an offer or answer, write one with the relay's address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

DISCARD_PORT = 9
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class SdpError(ValueError):
    """Not an SDP, or one without audio that can be relayed. The text says what; sending it again changes nothing."""


@dataclass(slots=True)
class Media:
    """One m-line. `host` is the address to send to; `formats` are the payload types in the order of preference."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    host: str
    direction: str
    names: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where to send; None for a rejected, held or not yet known address."""
        if self.port in (0, DISCARD_PORT) or not self.host or ipaddress.ip_address(self.host).is_unspecified:
            return None
        return self.host, self.port

    def payload_types(self) -> list[int]:
        return [int(number) for number in self.formats if number.isdecimal() and int(number) < 128]

    def event_type(self) -> int | None:
        """The payload type of RFC 4733 events at 8 kHz, if there is one."""
        for number in self.payload_types():
            if self.names.get(str(number), "").lower() == "telephone-event/8000":
                return number
        return None

    @property
    def wants_audio(self) -> bool:
        return self.direction in ("sendrecv", "recvonly")


def read(text: str) -> list[Media]:
    """All m-lines. Raises SdpError where the text is not an SDP."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines[0].strip() != "v=0":
        raise SdpError("Failed to parse SDP: it does not begin with v=0")
    host, direction = "", "sendrecv"
    medias: list[Media] = []
    for line in lines:
        kind, equals, value = line.strip().partition("=")
        if not equals or len(kind) != 1:
            raise SdpError(f"Failed to parse SDP: no type=value line: {line[:40]!r}")
        media = medias[-1] if medias else None
        if kind == "m":
            medias.append(_media(value, host, direction))
        elif kind == "c":
            address = _address(value)
            if media is None:
                host = address
            else:
                media.host = address
        elif kind == "a" and value in DIRECTIONS:
            if media is None:
                direction = value
            else:
                media.direction = value
        elif kind == "a" and value.startswith("rtpmap:") and media is not None:
            number, _, name = value[7:].partition(" ")
            media.names[number] = name.strip().removesuffix("/1")
    return medias


def audio(text: str) -> tuple[list[Media], int]:
    """All m-lines and the index of the first usable audio one. Raises SdpError without one."""
    medias = read(text)
    for index, media in enumerate(medias):
        if media.kind == "audio" and media.port:
            if media.protocol not in ("RTP/AVP", "RTP/AVPF"):
                raise SdpError(f"Unsupported protocol {media.protocol}")
            if not media.host:
                raise SdpError("Failed to parse SDP: audio without a c= line")
            return medias, index
    raise SdpError("No usable audio in SDP")


def write(
    host: str,
    port: int,
    payload_types: list[tuple[int, str]],
    *,
    session: int,
    version: int,
    direction: str = "sendrecv",
    rejected: list[tuple[int, str]] | None = None,
) -> str:
    """An SDP with one audio line, and a refused one (port 0) for each of `rejected`: (index, "kind protocol formats").

    `payload_types`: number and encoding name ("PCMA/8000"), the preferred first.
    """
    family = "IP6" if ":" in host else "IP4"
    numbers = " ".join(str(number) for number, _ in payload_types)
    audio_lines = [f"m=audio {port} RTP/AVP {numbers}"]
    audio_lines += [f"a=rtpmap:{number} {name}" for number, name in payload_types]
    audio_lines += [f"a=fmtp:{number} 0-15" for number, name in payload_types if name.startswith("telephone-event")]
    audio_lines += ["a=ptime:20", f"a={direction}", f"a=rtcp:{port + 1}"]
    blocks = [audio_lines]
    for index, line in rejected or []:
        kind, protocol, formats = line.split(" ", 2)
        blocks.insert(index, [f"m={kind} 0 {protocol} {formats}"])
    head = ["v=0", f"o=- {session} {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0"]
    return "\r\n".join(head + [line for block in blocks for line in block]) + "\r\n"


def _media(value: str, host: str, direction: str) -> Media:
    parts = value.split()
    if len(parts) < 4:
        raise SdpError(f"Failed to parse SDP: m={value[:40]}")
    port = parts[1].partition("/")[0]
    if not port.isdecimal() or int(port) > 65535:
        raise SdpError(f"Failed to parse SDP: port {parts[1][:20]!r}")
    return Media(parts[0], int(port), parts[2], parts[3:], host, direction)


def _address(value: str) -> str:
    parts = value.split()
    address = parts[2].partition("/")[0] if len(parts) == 3 else ""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError as error:
        raise SdpError(f"Failed to parse SDP: not an IP address: c={value[:60]}") from error
