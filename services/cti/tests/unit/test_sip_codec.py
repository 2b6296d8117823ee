"""The codec: what arrives in any spelling is seen in one."""

import pytest
from junctor_cti.adapters.sip import codec

INVITE = (
    b"INVITE sip:100@127.0.0.1 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx1;rport\r\n"
    b'f: "Anna \\"A\\" B" <sip:+4930123;phone-context=x@10.0.0.1>;tag=ft\r\n'
    b"t: <sip:100@127.0.0.1>\r\ni: cid\r\nCSeq: 7 INVITE\r\nm: <sip:a@10.0.0.1:5062>\r\n"
    b"x: 1800\r\nr: <sip:b@c>\r\nb: <sip:d@e>\r\nl: 0\r\n\r\n"
)


def invite() -> codec.Request:
    message = codec.parse(INVITE)
    assert isinstance(message, codec.Request)
    return message


def test_compact_names_are_full_names():
    headers = invite().headers
    assert headers.first("Session-Expires") == "1800"
    assert headers.first("Refer-To") == "<sip:b@c>"
    assert headers.first("Referred-By") == "<sip:d@e>"
    assert headers.first("Call-ID") == "cid"
    assert "x" not in headers


def test_a_list_that_is_read_can_be_changed_without_changing_the_message():
    message = invite()
    message.headers.all("Via").clear()
    assert message.headers.count("Via") == 1


def test_an_address_has_its_display_name_number_and_tag():
    caller = codec.address(invite().headers.first("From"))
    assert (caller.display, caller.number, caller.tag) == ('Anna "A" B', "+4930123", "ft")


@pytest.mark.parametrize(
    ("value", "number", "host"),
    [
        ("tel:+86-10-5555;phone-context=cn", "+86-10-5555", ""),
        ("<tel:911>;tag=1", "911", ""),
        ("sip:bob@[2001:db8::1]:5070", "bob", "[2001:db8::1]"),
        ("<http://example.com>", "", ""),
    ],
)
def test_other_schemes_and_ipv6(value, number, host):
    parsed = codec.address(value)
    assert (parsed.number, parsed.host) == (number, host)


def test_the_parameters_of_a_bare_uri_are_its_own():
    value = "sip:+49;phone-context=x@10.0.0.1:5070;transport=tcp"
    parsed = codec.bare_uri(value)
    assert (parsed.number, parsed.port, parsed.uri_params) == ("+49", 5070, {"transport": "tcp"})
    assert parsed.uri == value


def test_the_via_is_stamped_with_where_it_came_from():
    message = invite()
    codec.stamp_via(message, "192.0.2.9", 40000)
    assert message.headers.first("Via") == ("SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx1;rport=40000;received=192.0.2.9")
    assert codec.reply_address(message, "192.0.2.9", 40000) == ("192.0.2.9", 40000)


def test_without_rport_the_reply_goes_to_the_port_of_the_via():
    message = invite()
    message.headers.set("Via", "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx1")
    assert codec.reply_address(message, "192.0.2.9", 40000) == ("192.0.2.9", 5062)
    message.headers.set("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx1")
    assert codec.reply_address(message, "192.0.2.9", 40000) == ("192.0.2.9", 5060)


def test_requests_without_the_magic_cookie_are_told_apart_by_their_other_fields():
    first, second = invite(), invite()
    for message in (first, second):
        message.headers.set("Via", "SIP/2.0/UDP 10.0.0.1;branch=1")
    second.headers.set("Call-ID", "another")
    assert codec.transaction_key(first) != codec.transaction_key(second)


def test_a_response_copies_what_it_must_and_adds_our_tag_once():
    message = invite()
    message.headers.add("Record-Route", "<sip:p1;lr>", "<sip:p2;lr>")
    response = codec.response_to(message, 180, to_tag="ours")
    assert response.headers.first("To") == "<sip:100@127.0.0.1>;tag=ours"
    assert response.headers.all("Record-Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    message.headers.set("To", response.headers.first("To"))
    assert codec.response_to(message, 200, to_tag="ours").headers.first("To").count("tag=") == 1


def test_a_line_break_in_a_value_is_refused():
    with pytest.raises(ValueError, match="line breaks"):
        invite().headers.set("X-Note", "a\r\nVia: forged")


def test_a_display_name_cannot_break_out_of_its_quotes():
    value = f"{codec.quoted(chr(34) + ' <sip:evil@x>')}<sip:good@y>;tag=1"
    assert value == '"\\" <sip:evil@x>" <sip:good@y>;tag=1'


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"HELLO", b"SIP/2.0 abc OK\r\n\r\n", b"SIP/2.0 99 Low\r\n\r\n"])
def test_what_is_no_message_is_malformed(data):
    with pytest.raises(codec.Malformed):
        codec.parse(data)
