"""What the edge and its decider need of SDP (RFC 8866, RFC 3264); codecs are the media server's business."""

from __future__ import annotations

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_ANSWERS = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def audio_sdp(host: str, port: int, session_id: int, version: int = 1, direction: str = "sendrecv") -> str:
    """An audio description with PCMA first, PCMU second and telephone-event 101 (RFC 4733 events 0-15)."""
    family = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0",
        f"o=junctor {session_id} {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        f"a={direction}",
    )
    return "\r\n".join(lines) + "\r\n"


def audio_address(sdp: str) -> tuple[str, int] | None:
    """(host, port) of the first audio stream; None where there is none, or it is refused with port 0."""
    host = ""
    in_audio = False
    port = 0
    for line in sdp.splitlines():
        if line.startswith("m="):
            if in_audio:
                break
            in_audio, port = _audio_port(line)
        elif line.startswith("c=") and (in_audio or not port):
            host = line.split()[-1].partition("/")[0]
    return (host, port) if in_audio and port and host else None


def direction(sdp: str) -> str:
    """The first audio stream's direction attribute; the session's where it has none, else sendrecv."""
    session = found = ""
    in_audio = seen_media = False
    for line in sdp.splitlines():
        if line.startswith("m="):
            if in_audio:
                break
            seen_media, in_audio = True, line.startswith("m=audio")
        elif line[:2] == "a=" and line[2:].strip() in DIRECTIONS:
            if in_audio:
                found = line[2:].strip()
            elif not seen_media:
                session = line[2:].strip()
    return found or session or "sendrecv"


def answer_direction(offered: str) -> str:
    """The direction that mirrors an offer's (RFC 3264 6.1)."""
    return _ANSWERS.get(offered, "sendrecv")


def with_direction(sdp: str, wanted: str) -> str:
    """`sdp` with every direction attribute replaced by `wanted`."""
    lines = [line for line in sdp.splitlines() if not (line[:2] == "a=" and line[2:].strip() in DIRECTIONS)]
    return "\r\n".join([*lines, f"a={wanted}"]) + "\r\n"


def from_body(body: bytes, content_type: str) -> str | None:
    """The SDP of a body: itself, or the first such part of a multipart one (RFC 5621). Empty for no body, None for
    a body without SDP."""
    if not body:
        return ""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if kind in ("application/sdp", ""):
        return body.decode("utf-8", "replace")
    if not kind.startswith("multipart/"):
        return None
    boundary = ""
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            boundary = value.strip('"')
    if not boundary:
        return None
    for part in body.split(b"--" + boundary.encode()):
        head, _, rest = part.partition(b"\r\n\r\n")
        if b"application/sdp" in head.lower():
            return rest.strip(b"\r\n").decode("utf-8", "replace") + "\r\n"
    return None


def _audio_port(line: str) -> tuple[bool, int]:
    words = line.split()
    port = words[1].partition("/")[0] if len(words) > 1 else ""
    return words[0] == "m=audio", int(port) if port.isdigit() and int(port) < 65536 else 0


def renewed(sdp: str, wanted: str) -> str:
    """`sdp` as the answer of a renegotiation: unchanged where its direction is `wanted`, else with that direction and
    the next version in its origin line (RFC 3264 8)."""
    if not sdp or direction(sdp) == wanted:
        return sdp
    lines = []
    for line in with_direction(sdp, wanted).splitlines():
        words = line.split()
        if line.startswith("o=") and len(words) == 6 and words[2].isdigit():
            words[2] = str(int(words[2]) + 1)
            line = " ".join(words)  # noqa: PLW2901
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def first_payload_type(sdp: str) -> int:
    """The payload type that an SDP's first audio line prefers. Raises `ValueError` where there is none."""
    for line in sdp.splitlines():
        if line.startswith("m=audio "):
            return int(line.split()[3])
    raise ValueError("the SDP has no audio")
