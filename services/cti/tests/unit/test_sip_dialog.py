"""A leg's record survives its bytes, and bytes of another version or cut off are refused."""

from dataclasses import fields

import pytest
from junctor_cti.adapters.sip import codec, dialog
from junctor_cti.adapters.sip.dialog import Record
from junctor_cti.adapters.sip.peer import Peer, parse_peer
from junctor_cti.application.ports.edge import BadRecord


def full_record() -> Record:
    record = Record()
    for number, spec in enumerate(fields(Record)):
        value = getattr(record, spec.name)
        new = (
            [f"值{number}", ""] if isinstance(value, list) else number * 999 if isinstance(value, int) else f"v{number}"
        )
        setattr(record, spec.name, new)
    record.peer = "wss:[::1]:443#123456789012345"
    return record


def test_every_field_survives():
    record = full_record()
    assert dialog.decode(dialog.encode(record)) == record


def test_a_record_of_an_older_release_has_defaults_for_the_newer_fields():
    record = full_record()
    record.text = ""
    short = dialog.encode(record)[:-1]
    assert dialog.decode(short) == record


def test_fields_of_a_newer_release_are_skipped():
    record = full_record()
    assert dialog.decode(dialog.encode(record) + b"\x03new") == record


@pytest.mark.parametrize(
    "data", [b"", b"\x02abc", b"{}", dialog.encode(full_record())[:43], b"\x01\x05\xff\xff\xff\xff\xff"]
)
def test_other_bytes_are_refused(data):
    with pytest.raises(BadRecord):
        dialog.decode(data)


@pytest.mark.parametrize("peer", [Peer("udp", "10.0.0.1", 5060), Peer("wss", "::1", 9, 77), Peer("tcp", "h", 1)])
def test_a_peer_survives_its_text(peer):
    assert parse_peer(str(peer)) == peer


def test_the_callee_takes_the_routes_in_order_and_the_caller_reversed():
    invite = codec.Request("INVITE", "sip:100@x")
    for name, value in (
        ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"),
        ("From", '"A" <sip:a@b>;tag=f'),
        ("To", "<sip:c@d>"),
        ("Call-ID", "i"),
        ("CSeq", "5 INVITE"),
        ("Contact", "<sip:a@9.9.9.9:5070>"),
    ):
        invite.headers.set(name, value)
    invite.headers.add("Record-Route", "<sip:p1;lr>", "<sip:p2;lr>")
    record = dialog.from_invite(invite, "leg", Peer("udp", "9.9.9.9", 5070))
    assert (record.routes, record.target, record.remote_cseq) == (
        ["<sip:p1;lr>", "<sip:p2;lr>"],
        "sip:a@9.9.9.9:5070",
        5,
    )
    bye = dialog.request_in(record, "BYE", 1, "SIP/2.0/UDP us;branch=z9hG4bK2", "<sip:us>")
    assert (bye.headers.first("From"), bye.headers.first("To")) == (record.local, '"A" <sip:a@b>;tag=f')
    assert codec.address(bye.headers.first("From")).tag == record.local_tag

    answer = codec.response_to(invite, 200, to_tag="them")
    answer.headers.set("Contact", "<sip:c@8.8.8.8>")
    caller = Record(direction="out")
    dialog.learn(caller, answer)
    assert (caller.routes, caller.remote_tag, caller.target) == (
        ["<sip:p2;lr>", "<sip:p1;lr>"],
        "them",
        "sip:c@8.8.8.8",
    )


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ('Q.850;cause=17;text="busy"', 17),
        ("SIP;cause=200", 0),
        ("q.850 ; cause = 16", 0),
        ("Q.850;cause=99999", 0),
        ("Q.850;cause=²", 0),
        ("", 0),
    ],
)
def test_the_cause_of_a_reason(reason, cause):
    headers = codec.Headers()
    headers.add("Reason", reason)
    assert dialog.cause_of(headers) == cause
