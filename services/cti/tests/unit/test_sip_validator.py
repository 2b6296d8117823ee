"""What is refused and with which code: a table, and the torture messages of RFC 4475."""

from pathlib import Path

import pytest
from junctor_cti.adapters.sip import codec, validator

TORTURE = Path(__file__).parents[1] / "data" / "rfc4475"
BASE = {
    "Via": "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx1",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:c@d>",
    "Call-ID": "cid",
    "CSeq": "1 INVITE",
    "Contact": "<sip:a@10.0.0.1>",
    "Max-Forwards": "70",
}


def request(line: str = "INVITE sip:c@d SIP/2.0", body: bytes = b"", *extra: str, **changed: str | None):
    fields = {**BASE, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [line, *(f"{name}: {value}" for name, value in fields.items() if value is not None), *extra]
    message = codec.parse("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    assert isinstance(message, codec.Request)
    return message


def fault_of(message):
    fault = validator.request_fault(message)
    return fault and fault.code


def test_a_proper_request_has_no_fault():
    assert validator.request_fault(request()) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (505, request("INVITE sip:c@d SIP/7.0")),
        (400, request("INVITE sip:c@d HTTP/1.1")),
        (400, request("INVITE  sip:c@d SIP/2.0")),
        (400, request(CSeq="1 BYE")),
        (400, request(CSeq="2147483648 INVITE")),
        (400, request(CSeq="-1 INVITE")),
        (400, request(CSeq="x INVITE")),
        (400, request(CSeq="٣ INVITE")),
        (400, request(CSeq=None)),
        (400, request(From=None)),
        (400, request(To=None)),
        (400, request(Call_ID=None)),
        (400, request(Call_ID="")),
        (400, request(Content_Length="-5")),
        (400, request(Content_Length="abc")),
        (400, request(Content_Length="10")),
        (400, request(Max_Forwards="many")),
        (400, request(From='"open <sip:a@b>;tag=1')),
        (400, request(To="<sip:c@d")),
        (400, request("INVITE <sip:c@d> SIP/2.0")),
        (400, request("INVITE sip:c@d?Route=x SIP/2.0")),
        (400, request("INVITE nonsense SIP/2.0")),
        (416, request("INVITE http://c.d/ SIP/2.0")),
        (400, request("INVITE sip:c@d SIP/2.0", b"", "From: <sip:e@f>;tag=2")),
        (400, request("INVITE sip:c@d SIP/2.0", b"", "t: <sip:e@f>")),
        (400, request("INVITE sip:c@d SIP/2.0", b"", "Call-ID: two")),
        (400, request("INVITE sip:c@d SIP/2.0", b"", "Content-Length: 0", "l: 5")),
    ],
)
def test_faults(code, message):
    assert fault_of(message) == code


def test_an_unknown_extension_is_named():
    fault = validator.request_fault(request("INVITE sip:c@d SIP/2.0", b"", "Require: 100rel, path", "Proxy-Require: x"))
    assert fault is not None
    assert (fault.code, dict(fault.headers)) == (420, {"Unsupported": "100rel, x"})


def test_an_unknown_method_is_told_the_known_ones():
    fault = validator.request_fault(request("DANCE sip:c@d SIP/2.0", CSeq="1 DANCE"))
    assert fault is not None
    assert fault.code == 405
    assert "INVITE" in dict(fault.headers)["Allow"]


def test_an_ack_is_never_answered():
    assert not validator.answerable(request("ACK sip:c@d SIP/2.0", CSeq="1 INVITE"))


TORTURE_FAULTS = {
    "badinv01": 400,
    "badvers": 505,
    "bext01": 420,
    "clerr": 400,
    "esc02": 405,
    "escruri": 400,
    "insuf": 400,
    "intmeth": 405,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "mcl01": 400,
    "mismatch01": 400,
    "mismatch02": 400,
    "mpart01": 405,
    "multi01": 400,
    "ncl": 400,
    "novelsc": 416,
    "quotbal": 400,
    "regbadct": 400,
    "scalar02": 400,
    "trws": 400,
    "unkscm": 416,
}
NOT_MESSAGES = {"bigcode", "test"}


@pytest.mark.parametrize("path", sorted(TORTURE.glob("*.dat")), ids=lambda path: path.stem)
def test_torture(path):
    data = path.read_bytes()
    if path.stem in NOT_MESSAGES:
        with pytest.raises(codec.Malformed):
            codec.parse(data)
        return
    message = codec.parse(data)
    if isinstance(message, codec.Response):
        assert bool(validator.response_fault(message)) == (path.stem == "bcast")
        return
    assert fault_of(message) == TORTURE_FAULTS.get(path.stem)
    assert validator.answerable(message)
    bytes(codec.response_to(message, 400, to_tag="t"))


def test_the_torture_messages_are_all_there():
    assert len(list(TORTURE.glob("*.dat"))) == 50
