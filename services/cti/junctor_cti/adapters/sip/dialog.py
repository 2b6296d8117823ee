"""A leg's dialog as one record: everything that another edge needs to go on with it (RFC 3261 12).

Bytes: a version, then each field of `Record` in order: integers as LEB128, strings as length and UTF-8, lists as count
and strings. Fields are only ever added at the end; a missing one takes its default, an unknown one is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from junctor_cti.adapters.sip import codec
from junctor_cti.adapters.sip.codec import Request, Response
from junctor_cti.adapters.sip.peer import Peer, parse_peer
from junctor_cti.application.ports.edge import BadRecord

VERSION = 1
CSEQ_JUMP = 1000

INCOMING, PROCEEDING, PREPARED, RINGING, EARLY = "incoming", "proceeding", "prepared", "ringing", "early"
ANSWERED, CONFIRMED, ENDING, ENDED = "answered", "confirmed", "ending", "ended"


@dataclass(slots=True)
class Record:
    """`local` and `remote` are our and the peer's From/To values with display name and tag, as first seen.

    `status` is the last status sent (incoming leg) or received (outgoing leg) for the first INVITE. `vias`,
    `record_routes` and `uri` belong to an incoming INVITE; `invite` is an outgoing one's exact bytes, dropped once it
    is acknowledged. `pinned` (0 or 1): the peer is reached where it was seen, whatever its Contact says (NAT, flows).
    `cause` is the Q.850 cause that we clear with.
    """

    leg_id: str = ""
    direction: str = "in"
    state: str = INCOMING
    peer: str = ""
    pinned: int = 0
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local: str = ""
    remote: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int = 0
    invite_cseq: int = 0
    local_sdp: str = ""
    remote_sdp: str = ""
    vias: list[str] = field(default_factory=list)
    record_routes: list[str] = field(default_factory=list)
    uri: str = ""
    invite: str = ""
    status: int = 0
    cause: int = 0
    aor: str = ""
    text: str = ""

    @property
    def incoming(self) -> bool:
        return self.direction == "in"

    @property
    def at(self) -> Peer:
        return parse_peer(self.peer)


def encode(record: Record) -> bytes:
    out = bytearray((VERSION,))
    for spec in fields(record):
        value = getattr(record, spec.name)
        if isinstance(value, int):
            _put_int(out, value)
        elif isinstance(value, str):
            _put_text(out, value)
        else:
            _put_int(out, len(value))
            for item in value:
                _put_text(out, item)
    return bytes(out)


def decode(data: bytes) -> Record:
    """Raises `BadRecord`."""
    if not data or data[0] != VERSION:
        raise BadRecord(f"record version {data[0] if data else 'none'}, expected {VERSION}")
    record, at = Record(), 1
    try:
        for spec in fields(Record):
            if at == len(data):
                break
            default = getattr(record, spec.name)
            value: int | str | list[str]
            if isinstance(default, int):
                value, at = _int(data, at)
            elif isinstance(default, str):
                value, at = _text(data, at)
            else:
                count, at = _int(data, at)
                value = []
                for _ in range(count):
                    item, at = _text(data, at)
                    value.append(item)
            setattr(record, spec.name, value)
        _ = record.at
    except (IndexError, ValueError) as error:
        raise BadRecord(f"record cannot be read: {error}") from error
    return record


def from_invite(request: Request, leg_id: str, peer: Peer) -> Record:
    """The callee's dialog of an incoming INVITE (RFC 3261 12.1.1), before any response."""
    headers = request.headers
    number, _ = codec.cseq(headers)
    tag = codec.new_tag()
    contacts = headers.all("Contact")
    to = headers.first("To")
    return Record(
        leg_id=leg_id,
        direction="in",
        state=INCOMING,
        peer=str(peer),
        pinned=int(bool(peer.flow) or headers.count("Via") == 1),
        call_id=headers.first("Call-ID"),
        local_tag=tag,
        remote_tag=codec.address(headers.first("From")).tag,
        local=f"{to};tag={tag}",
        remote=headers.first("From"),
        target=codec.address(contacts[0]).uri if contacts else codec.address(headers.first("From")).uri,
        routes=headers.all("Record-Route"),
        remote_cseq=number,
        invite_cseq=number,
        vias=headers.all("Via"),
        record_routes=headers.all("Record-Route"),
        uri=request.uri,
    )


def invite_of(record: Record) -> Request:
    """The incoming INVITE as far as its responses need it."""
    request = Request("INVITE", record.uri)
    request.headers.set("Via", *record.vias)
    request.headers.set("From", record.remote)
    request.headers.set("To", record.local)
    request.headers.set("Call-ID", record.call_id)
    request.headers.set("CSeq", f"{record.invite_cseq} INVITE")
    request.headers.add("Record-Route", *record.record_routes)
    return request


def learn(record: Record, response: Response) -> None:
    """The caller's dialog from a response with a To tag (RFC 3261 12.1.2)."""
    to = codec.address(response.headers.first("To"))
    if not to.tag:
        return
    record.remote_tag, record.remote = to.tag, response.headers.first("To")
    record.routes = list(reversed(response.headers.all("Record-Route")))
    refresh_target(record, response.headers)


def refresh_target(record: Record, headers: codec.Headers) -> None:
    """The remote target from Contact (RFC 3261 12.2.1.2)."""
    contacts = headers.all("Contact")
    if contacts:
        uri = codec.address(contacts[0]).uri
        if uri.lower().startswith(("sip:", "sips:")):
            record.target = uri


def request_in(record: Record, method: str, number: int, via: str, contact: str) -> Request:
    """A request inside the dialog (RFC 3261 12.2.1.1), loose routing. `number` is its CSeq."""
    request = Request(method, record.target)
    headers = request.headers
    headers.set("Via", via)
    headers.add("Route", *record.routes)
    headers.set("Max-Forwards", "70")
    headers.set("From", record.local)
    headers.set("To", record.remote)
    headers.set("Call-ID", record.call_id)
    headers.set("CSeq", f"{number} {method}")
    if method not in ("BYE", "CANCEL"):
        headers.set("Contact", contact)
    return request


def cancel_of(invite: bytes) -> bytes:
    """The CANCEL of an INVITE that was sent with exactly these bytes (RFC 3261 9.1)."""
    sent = codec.parse(invite)
    assert isinstance(sent, Request)
    cancel = Request("CANCEL", sent.uri)
    cancel.headers.set("Via", sent.headers.first("Via"))
    cancel.headers.add("Route", *sent.headers.all("Route"))
    for name in ("Max-Forwards", "From", "To", "Call-ID"):
        cancel.headers.set(name, sent.headers.first(name))
    cancel.headers.set("CSeq", f"{codec.cseq(sent.headers)[0]} CANCEL")
    return bytes(cancel)


def cause_of(headers: codec.Headers) -> int:
    """The Q.850 cause of a Reason header (RFC 3326), 0 without one."""
    for value in headers.all("Reason"):
        protocol, _, rest = value.partition(";")
        if protocol.strip().upper() != "Q.850":
            continue
        for parameter in rest.split(";"):
            name, _, number = parameter.strip().partition("=")
            if name.lower() == "cause" and number.isascii() and number.isdigit() and len(number) < 4:
                return int(number)
    return 0


def _put_int(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_text(out: bytearray, value: str) -> None:
    data = value.encode()
    _put_int(out, len(data))
    out += data


def _int(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("integer too long")


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _int(data, at)
    if at + size > len(data):
        raise IndexError("text cut off")
    return data[at : at + size].decode(), at + size
