"""SIP messages on the wire. The only module that imports aiosipua, which serves as parser and serialiser alone.

aiosipua is lenient; `validator` refuses what it lets pass. It leaves some compact header names as they are: `parse`
expands them (IANA SIP parameters, "Header Fields"), so nothing else ever sees one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiosipua.headers import CaseInsensitiveDict, parse_address, parse_uri
from aiosipua.message import SipMessage, SipRequest, SipResponse

# What its warnings report per message, validator refuses and counts.
logging.getLogger("aiosipua").setLevel(logging.CRITICAL)

MAGIC = "z9hG4bK"
_COMPACT = {
    "r": "Refer-To",
    "x": "Session-Expires",
    "o": "Event",
    "b": "Referred-By",
    "u": "Allow-Events",
    "a": "Accept-Contact",
    "d": "Request-Disposition",
    "j": "Reject-Contact",
    "y": "Identity",
    "n": "Identity-Info",
}
REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    505: "Version Not Supported",
    603: "Decline",
}


class Malformed(ValueError):
    """The bytes are not a SIP message. Nothing can be answered; sending them again changes nothing."""


class Headers:
    """Header fields in order of arrival, by case-insensitive full name. Lists returned are copies."""

    __slots__ = ("raw",)

    def __init__(self, raw: CaseInsensitiveDict | None = None) -> None:
        self.raw = CaseInsensitiveDict() if raw is None else raw

    def first(self, name: str, default: str = "") -> str:
        value: str = self.raw.get_first(name, default) or default
        return value

    def all(self, name: str) -> list[str]:
        return list(self.raw.get(name))

    def count(self, name: str) -> int:
        return len(self.raw.get(name))

    def set(self, name: str, *values: str) -> None:
        """Replaces the field. Raises `ValueError` for a line break in a value (header injection)."""
        self.raw.remove(name)
        for value in values:
            self.raw.append(name, value)

    def add(self, name: str, *values: str) -> None:
        for value in values:
            self.raw.append(name, value)

    def replace_first(self, name: str, value: str) -> None:
        self.set(name, value, *self.all(name)[1:])

    def __contains__(self, name: str) -> bool:
        return name in self.raw

    def items(self) -> Iterator[tuple[str, list[str]]]:
        yield from self.raw.items()


@dataclass(slots=True)
class Request:
    """`defect` says what is wrong with the request line, empty when it is right (RFC 3261 7.1, RFC 4475 3.1.2)."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = "SIP/2.0"
    defect: str = ""

    def __bytes__(self) -> bytes:
        return bytes(SipRequest(headers=self.headers.raw, body=self.body, method=self.method, uri=self.uri))


@dataclass(slots=True)
class Response:
    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        reason = self.reason or REASONS.get(self.status, "")
        return bytes(
            SipResponse(headers=self.headers.raw, body=self.body, status_code=self.status, reason_phrase=reason)
        )


def parse(data: bytes) -> Request | Response:
    """Reads one message; leading line breaks are skipped (RFC 3261 7.5). Raises `Malformed`."""
    data = data.lstrip(b"\r\n")
    line, _, _ = data.partition(b"\n")
    start = line.rstrip(b"\r").decode("utf-8", "replace")
    try:
        message = SipMessage.parse(data)
    except (ValueError, IndexError) as error:
        raise Malformed(str(error)) from error
    headers = message.headers
    for short, name in _COMPACT.items():
        if short in headers:
            values = headers.get(short)
            headers.remove(short)
            for value in values:
                headers.append(name, value)
    if isinstance(message, SipResponse):
        if not 100 <= message.status_code <= 699:
            raise Malformed("status code out of range")
        return Response(message.status_code, message.reason_phrase, Headers(headers), message.body)
    parts = start.split(" ")
    defect = "" if len(parts) == 3 and all(parts) and "\t" not in start else "Malformed Request-Line"
    version = start.rsplit(None, 1)[-1]
    return Request(message.method, message.uri, Headers(headers), message.body, version, defect)


@dataclass(frozen=True, slots=True)
class Address:
    """A From, To, Contact or Refer-To value, taken apart. `number` is the user part without its parameters."""

    display: str
    uri: str
    user: str
    host: str
    port: int | None
    params: dict[str, str | None]
    uri_params: dict[str, str | None]

    @property
    def tag(self) -> str:
        return self.params.get("tag") or ""

    @property
    def number(self) -> str:
        return self.user.partition(";")[0]


def address(value: str) -> Address:
    """Takes apart a name-addr or addr-spec (RFC 3261 20.10). A `tel:` URI's number becomes the user."""
    parsed = parse_address(value)
    params = dict(parsed.params)
    display = (parsed.display_name or "").replace('\\"', '"').replace("\\\\", "\\")
    inner = value[value.find("<") + 1 : value.find(">")].strip() if "<" in value else value.split(";", 1)[0].strip()
    scheme, _, rest = inner.partition(":")
    if scheme.lower() == "tel":
        return Address(display, inner, rest.split(";", 1)[0], "", None, params, {})
    if scheme.lower() not in ("sip", "sips"):
        return Address(display, inner, "", "", None, params, {})
    # The parser ends the user part at its first semicolon, where a telephone number's parameters begin.
    user, at, place = rest.partition("@")
    uri = parse_uri(f"sip:{place if at else rest}")
    return Address(display, inner, user if at else "", uri.host, uri.port, params, dict(uri.params))


def bare_uri(uri: str) -> Address:
    """Takes apart a URI as such: its parameters are its own, where `address` counts them to the header field."""
    return address(uri if "<" in uri else f"<{uri}>")


def cseq(headers: Headers) -> tuple[int, str]:
    """(number, method) of a CSeq that `validator` let pass. Raises `ValueError` for any other."""
    number, _, method = headers.first("CSeq").strip().partition(" ")
    return int(number), method.strip()


def sent_by(via: str) -> tuple[str, str]:
    """(branch, sent-by) of a Via value, without taking the rest apart: this runs for every message."""
    head, _, rest = via.partition(";")
    branch = ""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "branch":
            branch = value.strip()
    return branch, head.split()[-1] if head.split() else ""


def transaction_key(message: Request | Response) -> tuple[str, str, str]:
    """RFC 3261 17.2.3: (branch, sent-by, method), ACK counted as INVITE. Without the magic cookie the older rule's
    fields stand in for the branch."""
    via = message.headers.first("Via")
    branch, host = sent_by(via)
    number, method = cseq(message.headers)
    method = "INVITE" if method == "ACK" else method
    if not branch.startswith(MAGIC) or branch == MAGIC:
        headers = message.headers
        tag = address(headers.first("From")).tag
        branch = f"2543|{headers.first('Call-ID')}|{tag}|{number}|{via}"
    return branch, host, method


def stamp_via(request: Request, host: str, port: int) -> None:
    """Adds `received` and fills `rport` of the top Via (RFC 3261 18.2.1, RFC 3581 4)."""
    via = request.headers.first("Via")
    head, _, rest = via.partition(";")
    parameters = [p.strip() for p in rest.split(";")] if rest else []
    asked = any(p.lower() == "rport" for p in parameters)
    if not asked and head.split()[-1].rpartition(":")[0] == host:
        return
    kept = [f"rport={port}" if p.lower() == "rport" else p for p in parameters if not p.lower().startswith("received=")]
    request.headers.replace_first("Via", ";".join([head, *kept, f"received={host}"]))


def reply_address(request: Request, source_host: str, source_port: int) -> tuple[str, int]:
    """Where a response goes over UDP (RFC 3261 18.2.2, RFC 3581 4)."""
    head, _, rest = request.headers.first("Via").partition(";")
    for parameter in rest.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "rport" and value:
            return source_host, source_port
    host_port = head.split()[-1] if head.split() else ""
    _, _, port = host_port.rpartition(":")
    return source_host, int(port) if port.isdigit() and 0 < int(port) < 65536 else 5060


def response_to(request: Request, status: int, reason: str = "", to_tag: str = "") -> Response:
    """A response with the fields that RFC 3261 8.2.6 has it copy; `to_tag` is added where To has none."""
    response = Response(status, reason)
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        values = request.headers.all(name)
        if name == "To" and to_tag and values and not address(values[0]).tag:
            values = [f"{values[0]};tag={to_tag}"]
        response.headers.add(name, *(values if name == "Via" else values[:1]))
    if status > 100 and request.method == "INVITE" and status < 300:
        response.headers.add("Record-Route", *request.headers.all("Record-Route"))
    return response


def new_branch() -> str:
    return MAGIC + secrets.token_hex(10)


def new_tag() -> str:
    return secrets.token_hex(8)


def quoted(display: str) -> str:
    """A display name as a quoted string, with a blank behind it; empty for none (RFC 3261 25.1)."""
    clean = "".join(" " if c in "\r\n\0" else c for c in display)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" ' if escaped else ""
