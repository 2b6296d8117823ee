"""Frames that can be used, and what is said of those that cannot."""

import json

import pytest
from junctor_omnichannel.entrypoints import frames
from junctor_omnichannel.entrypoints.flood import Flood
from junctor_omnichannel.entrypoints.frames import BadFrame, Close, Hello, Said, Typing, parse

ID = "0" * 16


def test_good_frames():
    assert parse(json.dumps({"type": "hello", "widget": "web", "id": ID})) == Hello("web", "", 0, "", ID)
    assert parse('{"type": "message", "id": "1", "text": "hi"}') == Said("1", "hi")
    assert (parse('{"type": "typing"}'), parse('{"type": "close"}')) == (Typing(), Close())


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (b"\x00", "binary_frame", "Send text frames"),
        ("{", "not_json", "The frame is not JSON."),
        ("[" * 100_000, "not_json", "not JSON"),
        ("[]", "not_json", "not a JSON object"),
        ("{}", "missing_field", "lacks 'type'"),
        ('{"type": "shout"}', "unknown_type", "'shout' is no frame"),
        ('{"type": "hello"}', "missing_field", "lacks 'widget'"),
        ('{"type": "hello", "widget": 1}', "wrong_field", "'widget' must be a text"),
        ('{"type": "hello", "widget": "w", "id": "1"}', "wrong_field", "make a random one"),
        ('{"type": "hello", "widget": "w", "last_seq": -1}', "wrong_field", "whole number from 0 up"),
        ('{"type": "hello", "widget": "w", "last_seq": true}', "wrong_field", "whole number"),
        ('{"type": "message", "text": "x"}', "missing_field", "lacks 'id'"),
        ('{"type": "message", "id": "1"}', "missing_field", "lacks 'text'"),
        ('{"type": "message", "id": "1", "text": " "}', "missing_field", "lacks 'text'"),
        ('{"type": "message", "id": "1", "text": "\\ud800"}', "not_text", "no valid Unicode"),
        (json.dumps({"type": "message", "id": "1", "text": "x" * 4001}), "too_long", "at most 4000"),
    ],
)
def test_a_bad_frame_is_told_what_is_wrong(data, code, sentence):
    with pytest.raises(BadFrame, match=sentence) as refusal:
        parse(data)
    assert refusal.value.code == code


def test_what_is_sent_is_json_with_a_type():
    assert json.loads(frames.error("too_many", "Wait.", id="1", retry=True)) == {
        "type": "error",
        "code": "too_many",
        "message": "Wait.",
        "id": "1",
        "retry": True,
    }
    assert json.loads(frames.closed()) == {"type": "closed"}


def test_a_flood_is_cut_and_forgiven_with_time():
    now = [0.0]
    flood = Flood(2.0, 3, lambda: now[0])
    assert [flood.allows() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [flood.allows(), flood.allows()] == [True, False]
