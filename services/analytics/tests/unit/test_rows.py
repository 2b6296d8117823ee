"""Events, spans and audit records become rows: without personal data, within the columns' ranges."""

import json
import uuid

import pytest
from google.protobuf.message import Message
from junctor.audit.v1 import audit_pb2
from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.options.v1 import options_pb2
from junctor.recording.v1 import recording_pb2
from junctor.router.v1 import router_pb2
from junctor_analytics.application import projection
from junctor_analytics.application.decoding import decode
from junctor_analytics.application.event_data import event_json
from junctor_analytics.application.span_rows import audit_row, span_rows
from junctor_analytics.application.values import LATEST_MS, enum_text, moment, moment_or_none
from junctor_journal.cloud_events import epoch_record
from junctor_journal.events import decode_event
from junctor_journal.log import Record
from junctor_journal.message_types import class_of

MARK = "kept-from-analysts"


def rows(as_read, fact, message, service="cti", time=1_000):
    return projection.rows_of(decode_event(as_read(fact(service, time, "c1", message), "demo")))


def filled(message: Message, depth: int = 0) -> Message:
    """Every text field, at any depth, holds the mark where it is personal."""
    for field in message.DESCRIPTOR.fields:
        personal = field.GetOptions().Extensions[options_pb2.personal_data]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.message_type is not None and field.message_type.full_name.startswith("junctor."):
            if depth < 3:
                inner = getattr(message, field.name)
                filled(inner.add() if field.is_repeated else inner, depth + 1)
                if not field.is_repeated:
                    inner.SetInParent()
        elif field.type == field.TYPE_STRING:
            value = MARK if personal else "open"
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
        elif field.type == field.TYPE_BYTES and not field.is_repeated:
            setattr(message, field.name, MARK.encode())
    return message


def every_message():
    for module in (*projection.KNOWN, journal_pb2):
        yield from (class_of(found.full_name) for found in module.DESCRIPTOR.message_types_by_name.values())


def test_no_message_of_any_service_lets_personal_data_through():
    marked = 0
    for kind in every_message():
        message = filled(kind())
        marked += MARK.encode() in message.SerializeToString()
        assert MARK not in event_json(message), kind.DESCRIPTOR.full_name
    assert marked > 10


def test_what_is_packed_is_kept_from_analysts_too():
    outcome = journal_pb2.Outcome()
    outcome.response.Pack(contact_pb2.ContactOpened(contact_id="c1", customer_address=MARK))
    shown = json.loads(event_json(outcome))
    assert shown["response"] == {"@type": "junctor.contact.v1.ContactOpened", "contact_id": "c1"}


def test_opened_and_closed_share_a_key(as_read, fact):
    opened = contact_pb2.ContactOpened(contact_id="c1", arrived_at=5, channel=1, site="b", customer_address="138")
    closed = contact_pb2.ContactClosed(contact_id="c1", arrived_at=5, ended_at=7, closed_at=9, cause=2)
    (event, first), (_, second) = rows(as_read, fact, opened), rows(as_read, fact, closed)
    assert [first.values[key] for key in ("tenant", "arrived_at", "contact_id")] == ["demo", 5, "c1"]
    assert [second.values[key] for key in ("tenant", "arrived_at", "contact_id")] == ["demo", 5, "c1"]
    assert (first.values["channel"], first.values["site"]) == ("voice", "b")
    assert (second.values["cause"], second.values["ended_at"], "site" in second.values) == ("agent", 7, False)
    assert event.values["service"] == "cti"
    assert "138" not in event.values["data"]


def test_a_pending_agent_state_is_no_interval(as_read, fact):
    pending = router_pb2.AgentStateChanged(agent_id="li", state=3, previous=3, pending=2, previous_since=5)
    assert len(rows(as_read, fact, pending)) == 1
    first = router_pb2.AgentStateChanged(agent_id="li", state=3, previous=1)
    assert [row.values["state"] for row in rows(as_read, fact, first)[1:]] == ["ready"]
    later = router_pb2.AgentStateChanged(agent_id="li", state=2, previous=3, previous_since=500)
    begun, ended = (row.values for row in rows(as_read, fact, later)[1:])
    assert (begun["state"], begun["started_at"], "ended_at" in begun) == ("not_ready", 1_000, False)
    assert (ended["state"], ended["started_at"], ended["ended_at"]) == ("ready", 500, 1_000)


async def test_a_site_epoch_that_a_relay_tells_of_is_a_row_by_which_others_count():
    started = journal_pb2.EpochStarted(
        epoch=journal_pb2.Epoch(site_epoch=3), previous_site_epoch=1, cut_seq=12, now=5_000, partition=7, site="b"
    )
    new = epoch_record("router", "junctor.router.journal.v1", 7, started)
    decoded = await decode([Record("junctor.router.events.v1", 7, 0, 5_000, new.key, new.value, new.headers)])
    assert not decoded.skipped
    (row,) = decoded.tables["site_epoch_rows"]
    assert row == {
        "service": "router",
        "journal_partition": 7,
        "site_epoch": 3,
        "previous_site_epoch": 1,
        "cut_sequence": 12,
        "site": "b",
        "started_at": 5_000,
    }


def test_what_the_router_decided_keeps_its_place_in_the_journal(as_read, fact):
    done = router_pb2.TaskCompleted(contact_id="c1", completed_at=5)
    changed = router_pb2.AgentStateChanged(agent_id="li", state=2, previous=3, previous_since=500)
    for message in (done, changed):
        event = decode_event(as_read(fact("router", 1_000, "c1", message), "demo"))
        event = event._replace(journal_partition=7, sequence=9, site_epoch=2)
        for row in projection.rows_of(event):
            place = [row.values[name] for name in ("journal_partition", "sequence", "site_epoch")]
            assert place == [7, 9, 2], row.table


def test_an_erasure_is_a_row_of_each_recording(as_read, fact):
    erased = recording_pb2.RecordingErased(contact_id="c1", recording_ids=["a", "b"], reason="asked for")
    found = [row.values for row in rows(as_read, fact, erased, "recording")[1:]]
    assert [(row["recording_id"], row["state"], row["reason"]) for row in found] == [
        ("a", "erased", "asked for"),
        ("b", "erased", "asked for"),
    ]


def test_the_same_record_gives_the_same_rows(as_read, floor):
    day = floor(1, "demo", 10**12)
    for _ in range(10):
        day.contact()
    for fact in day.facts:
        event = decode_event(as_read(fact, "demo"))
        assert projection.rows_of(event) == projection.rows_of(event)


@pytest.mark.parametrize(("given", "kept"), [(-5, 0), (0, 0), (7, 7), (2**62, LATEST_MS)])
def test_times_stay_in_the_columns_range(given, kept):
    assert moment(given) == kept
    assert moment_or_none(given) == (kept or None)


def test_enums_are_short_and_unknown_numbers_stay():
    opened = contact_pb2.ContactOpened(channel=1)
    assert (enum_text(opened, "channel"), enum_text(opened, "direction")) == ("voice", "")
    assert enum_text(contact_pb2.ContactOpened(channel=77), "channel") == "77"


def test_spans_are_checked_line_by_line():
    span = {"Timestamp": -1, "TraceId": "t", "SpanId": "s", "SpanName": "n", "ServiceName": "cti", "Duration": -3,
            "Events": [{"Timestamp": 2**70, "Name": "e", "Attributes": {"a": "b"}}],
            "Links": [{"TraceId": "x", "SpanId": "y", "TraceState": "", "Attributes": {}}]}  # fmt: skip
    good = json.dumps(span).encode()
    wrong = json.dumps({**span, "SpanAttributes": {"a": 1}}).encode()
    found, bad = span_rows(b"\n".join([good, b"", wrong, b"{", b'{"Timestamp": 1}', b"\xff"]))
    assert (len(found), bad) == (1, 4)
    values = found[0].values
    assert (values["Timestamp"], values["Duration"]) == (0, 0)
    assert (values["Events.Name"], values["Links.TraceId"]) == (["e"], ["x"])
    assert values["Events.Timestamp"] == [LATEST_MS * 1_000_000]


def test_an_audit_record_needs_an_id():
    record = audit_pb2.AuditRecord(id="1", time=5, action="recording.play", outcome=2, roles=["analyst"])
    row = audit_row(record.SerializeToString())
    assert (row.values["outcome"], row.values["time"]) == ("refused", 5)
    assert audit_row(b"") is None
    assert audit_row(b"\xff") is None


async def test_one_bad_record_leaves_the_others(as_read, fact, monkeypatch):
    contact = str(uuid.uuid4())
    good = fact("cti", 1, contact, contact_pb2.ContactOpened(contact_id=contact, arrived_at=1))
    odd = as_read(fact("router", 1, contact, router_pb2.TaskCanceled(contact_id=contact)), "demo", 1)

    def fails(event, message):
        raise KeyError("an error in the program")

    monkeypatch.setitem(projection._PROJECTIONS, "junctor.router.v1.TaskCanceled", fails)
    decoded = await decode([odd, as_read(good, "demo"), odd._replace(headers=()), odd._replace(value=b"\xff")])
    assert {table: len(found) for table, found in decoded.tables.items()} == {"event_rows": 1, "contact_rows": 1}
    assert decoded.skipped == {"not_projected": 1, "not_an_event": 1, "unknown_type_or_bytes": 1}
    assert decoded.contacts == {contact: 1}
