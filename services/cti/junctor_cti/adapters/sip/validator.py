"""What the parser lets pass and a server must refuse (RFC 3261 8.2, 16.3; cases of RFC 4475)."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_cti.adapters.sip.codec import Request, Response

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "REFER", "REGISTER")
ALLOW = ", ".join(METHODS)
SCHEMES = ("sip", "sips", "tel")
EXTENSIONS: frozenset[str] = frozenset({"path", "outbound"})
MAX_SEQUENCE = 2**31
_ONCE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is refused: the response's code, reason and extra headers; `kind` is the counter's name."""

    code: int
    reason: str
    kind: str
    headers: tuple[tuple[str, str], ...] = ()


def request_fault(request: Request) -> Fault | None:
    """The first fault found, None for a request that may go on. Whether it can be answered tells `answerable`."""
    return (
        _start_line(request)
        or _presence(request)
        or _sequence(request)
        or _lengths(request)
        or _addresses(request)
        or _target(request)
        or _support(request)
    )


def answerable(request: Request) -> bool:
    """Whether a response can be addressed at all, and may be sent (never to an ACK)."""
    via = request.headers.first("Via")
    return request.method != "ACK" and via[:3].upper() == "SIP" and len(via.partition(";")[0].split()) >= 2


def response_fault(response: Response) -> str:
    """The kind of fault for which a response is dropped, empty for none."""
    headers = response.headers
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if name not in headers:
            return f"missing_{name.lower().replace('-', '_')}"
    number, _, method = headers.first("CSeq").strip().partition(" ")
    if not (number.isascii() and number.isdigit()) or not method.strip():
        return "cseq"
    if headers.count("Via") > 1:
        return "via_stack"
    return ""


def _start_line(request: Request) -> Fault | None:
    if request.version.upper() != "SIP/2.0":
        if request.version.upper().startswith("SIP/"):
            return Fault(505, "Version Not Supported", "version")
        return Fault(400, "Malformed Request-Line", "request_line")
    if request.defect:
        return Fault(400, request.defect, "request_line")
    return None


def _presence(request: Request) -> Fault | None:
    headers = request.headers
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if not headers.first(name).strip():
            return Fault(400, f"Missing {name}", f"missing_{name.lower().replace('-', '_')}")
    for name in _ONCE:
        if headers.count(name) > 1:
            return Fault(400, f"Several {name}", f"several_{name.lower().replace('-', '_')}")
    return None


def _sequence(request: Request) -> Fault | None:
    number, _, method = request.headers.first("CSeq").strip().partition(" ")
    if not (number.isascii() and number.isdigit()) or len(number) > 10 or int(number) >= MAX_SEQUENCE:
        return Fault(400, "CSeq Out of Range", "cseq_range")
    if method.strip() != request.method:
        return Fault(400, "CSeq Method Mismatch", "cseq_method")
    hops = request.headers.first("Max-Forwards").strip()
    if hops and (not (hops.isascii() and hops.isdigit()) or int(hops[:6]) > 255):
        return Fault(400, "Bad Max-Forwards", "max_forwards")
    return None


def _lengths(request: Request) -> Fault | None:
    declared = request.headers.first("Content-Length").strip()
    if not declared:
        return None
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 9:
        return Fault(400, "Bad Content-Length", "content_length")
    if int(declared) > len(request.body):
        return Fault(400, "Body Shorter Than Content-Length", "body_short")
    return None


def _addresses(request: Request) -> Fault | None:
    for name in ("From", "To"):
        value = request.headers.first(name)
        if _unbalanced(value):
            return Fault(400, f"Malformed {name}", f"malformed_{name.lower()}")
    head, _, rest = request.headers.first("Via").partition(";")
    if len(head.split()) < 2 or (rest and any(not p.strip() for p in rest.split(";"))):
        return Fault(400, "Malformed Via", "malformed_via")
    for contact in request.headers.all("Contact"):
        if _unbalanced(contact) or ("?" in contact and "<" not in contact):
            return Fault(400, "Malformed Contact", "malformed_contact")
    return None


def _target(request: Request) -> Fault | None:
    scheme, colon, rest = request.uri.partition(":")
    if not colon or scheme.startswith("<"):
        return Fault(400, "Malformed Request-URI", "request_uri")
    if scheme.lower() not in SCHEMES:
        return Fault(416, "Unsupported URI Scheme", "uri_scheme")
    if not rest or "<" in rest or ">" in rest or "?" in rest.rpartition("@")[2]:
        return Fault(400, "Malformed Request-URI", "request_uri")
    return None


def _support(request: Request) -> Fault | None:
    if request.method not in METHODS:
        return Fault(405, "Method Not Allowed", "method", (("Allow", ALLOW),))
    if request.method in ("ACK", "CANCEL"):
        return None
    asked = [*request.headers.all("Require"), *request.headers.all("Proxy-Require")]
    unknown = [option for option in asked if option.strip().lower() not in EXTENSIONS]
    if unknown:
        return Fault(420, "Bad Extension", "extension", (("Unsupported", ", ".join(unknown)),))
    return None


def _unbalanced(value: str) -> bool:
    outside, quoted, escaped = [], False, False
    for char in value:
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted:
            outside.append(char)
    plain = "".join(outside)
    if quoted or plain.count("<") != plain.count(">") or plain.count("<") > 1:
        return True
    inner = plain[plain.find("<") + 1 : plain.find(">")] if "<" in plain else ""
    return " " in inner.strip()
