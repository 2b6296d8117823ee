"""What logs show of messages and values."""

import io
import json
import logging

import pytest
from google.protobuf.any_pb2 import Any
from junctor_service import logs
from junctor_service.redaction import redacted
from junctor_service.settings import Secret


def person(probe, **given):
    return probe.pb2.Person(queue="loans", number="+861380", words=["I am Li"], pin="1234", voice=b"abc", **given)


def test_personal_fields_are_hidden_at_any_depth(probe):
    inside = Any()
    inside.Pack(person(probe))
    message = person(
        probe,
        friend=person(probe),
        notes={"k": "secret words"},
        others={"o": person(probe)},
        any=inside,
        address=probe.pb2.Address(street="Main St"),
        age_band=3,
    )
    shown = redacted(message)
    text = json.dumps(shown)
    for hidden in ("+861380", "I am Li", "1234", "abc", "secret words", "Main St"):
        assert hidden not in text
    assert shown["queue"] == "loans"
    assert shown["age_band"] == 3
    assert shown["number"] == shown["friend"]["number"] == shown["others"]["o"]["number"] == "[personal]"
    assert shown["any"]["number"] == "[personal]"
    assert shown["any"]["queue"] == "loans"


def test_an_any_of_an_unknown_type_shows_its_type_only(probe):
    unknown = Any(type_url="type.googleapis.com/nobody.Knows", value=b"+861380")
    assert redacted(probe.pb2.Person(any=unknown)) == {"any": {"@type": "type.googleapis.com/nobody.Knows"}}


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    level = root.level
    handler = logs.configure("debug", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_line_has_its_fields_and_no_secrets(probe, lines):
    log = logging.getLogger("junctor_router.domain")
    with logs.fields(tenant="acme", contact_id="c1"):
        log.info(
            "task queued",
            extra={
                "input": person(probe),
                "deep": {"people": [person(probe)], "password": "hunter2"},
                "key": Secret("hunter2"),
                "access_token": "hunter2",
                "payload": b"hunter2",
            },
        )
    (line,) = lines()
    assert list(line)[:6] == ["time", "level", "service", "site", "logger", "message"]
    assert (line["service"], line["tenant"], line["contact_id"]) == ("router", "acme", "c1")
    assert line["input"]["number"] == line["deep"]["people"][0]["number"] == "[personal]"
    assert "hunter2" not in json.dumps(line)
    assert "+861380" not in json.dumps(line)


def test_arguments_of_other_libraries_messages_are_redacted_and_errors_have_a_traceback(probe, lines):
    log = logging.getLogger("some.library")
    log.warning("got %s of %d", person(probe), 3)
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    first, second = lines()
    assert "+861380" not in first["message"]
    assert first["message"].endswith("of 3")
    assert (second["error"]["type"], second["error"]["text"]) == ("ValueError", "no")
    assert "Traceback" in second["error"]["traceback"]


def test_words_for_a_terminal(probe):
    stream = io.StringIO()
    handler = logs.configure("debug", "text", stream)
    logging.getLogger("junctor_cti.edge").info("call answered", extra={"caller": person(probe)})
    logging.getLogger().removeHandler(handler)
    assert "cti junctor_cti.edge: call answered caller=" in stream.getvalue()
    assert "+861380" not in stream.getvalue()
