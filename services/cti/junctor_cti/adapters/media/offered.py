"""Which codec a caller gets: PCMA where it is offered, else PCMU (SDP: RFC 8866; offer and answer: RFC 3264)."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_cti.application.ports.media_errors import UnusableSdp

CODECS = {8: "PCMA", 0: "PCMU"}
"""By RTP payload type (RFC 3551), the preferred first."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The audio line of an offer, by its line number, with the codec chosen and the number of telephone-event."""

    line: int
    formats: tuple[str, ...]
    codec: int
    event_type: int | None

    @property
    def chosen(self) -> list[str]:
        """The payload types that are used: the codec and, where offered, telephone-event."""
        return [str(self.codec)] + ([] if self.event_type is None else [str(self.event_type)])


def read_offer(sdp: str) -> Offered:
    """Raises UnusableSdp where there is no audio, or neither G.711 law in it."""
    lines = sdp.splitlines()
    start = next((at for at, line in enumerate(lines) if _is_audio(line)), None)
    if start is None:
        raise UnusableSdp("offer", "No usable audio in SDP")
    formats = tuple(lines[start].split()[3:])
    end = next((at for at in range(start + 1, len(lines)) if lines[at].startswith("m=")), len(lines))
    codec = next((number for number in CODECS if str(number) in formats), None)
    if codec is None:
        raise UnusableSdp("offer", "No supported codec: neither PCMA nor PCMU is offered")
    events = [
        line.removeprefix("a=rtpmap:").split()[0]
        for line in lines[start:end]
        if line.startswith("a=rtpmap:") and line.lower().rstrip().endswith(" telephone-event/8000")
    ]
    event_type = next((int(number) for number in events if number.isdecimal() and number in formats), None)
    return Offered(start, formats, codec, event_type)


def only_chosen(sdp: str) -> str:
    """The offer with the chosen codec alone, as it was answered: what the caller really sends from then on."""
    offered = read_offer(sdp)
    dropped = set(offered.formats) - set(offered.chosen)
    lines = sdp.splitlines()
    head = lines[offered.line].split()[:3]
    lines[offered.line] = " ".join(head + offered.chosen)
    end = next((at for at in range(offered.line + 1, len(lines)) if lines[at].startswith("m=")), len(lines))
    kept = [line for at, line in enumerate(lines) if not (offered.line < at < end and _attribute_of(line) in dropped)]
    return "\r\n".join(kept) + "\r\n"


def nobody(sdp: str) -> str:
    """An answer to the offer from nobody: the codec chosen, the discard port (RFC 863)."""
    offered = read_offer(sdp)
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        f"m=audio 9 RTP/AVP {' '.join(offered.chosen)}",
        f"a=rtpmap:{offered.codec} {CODECS[offered.codec]}/8000",
    ]
    if offered.event_type is not None:
        lines.append(f"a=rtpmap:{offered.event_type} telephone-event/8000")
        lines.append(f"a=fmtp:{offered.event_type} 0-15")
    return "\r\n".join(lines) + "\r\n"


def receiver(host: str, port: int, offer: str) -> str:
    """The answer of a fork's receiver to the media process's offer: both laws, so that the receiver follows the line.

    rtpengine refuses an answer without the telephone-event of its offer.
    """
    event_type = read_offer(offer).event_type
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(map(str, CODECS))}{'' if event_type is None else f' {event_type}'}",
        *(f"a=rtpmap:{number} {name}/8000" for number, name in CODECS.items()),
        *([] if event_type is None else [f"a=rtpmap:{event_type} telephone-event/8000"]),
        "a=recvonly",
    ]
    return "\r\n".join(lines) + "\r\n"


def _is_audio(line: str) -> bool:
    parts = line.split()
    return line.startswith("m=audio ") and len(parts) > 3 and parts[1] != "0"


def _attribute_of(line: str) -> str:
    """The payload type that an rtpmap, fmtp or rtcp-fb line is about."""
    name, _, value = line.partition(":")
    return value.split()[0] if name in ("a=rtpmap", "a=fmtp", "a=rtcp-fb") and value.split() else ""
