"""Spans become rows of `otel_traces`; one contact, one trace; nothing waits; names are listed."""

import ast
import json
import time
import uuid
from pathlib import Path

import pytest
from junctor_service import span_rows, telemetry_names
from junctor_service.append import MemoryAppend
from junctor_service.telemetry import Telemetry
from junctor_service.telemetry_names import UnlistedName
from junctor_service.trace_context import contact_traceparent, current_traceparent, parent_span

CONTACT = "0f0e0d0c-0b0a-5908-8706-050403020100"
ROOT = Path(__file__).parents[4]


@pytest.fixture
def append():
    return MemoryAppend()


@pytest.fixture
def telemetry(settings, append):
    return Telemetry("router", settings, append)


def rows(append):
    return [json.loads(line) for record in append.records for line in record.value.splitlines()]


async def test_a_span_becomes_a_row(telemetry, append):
    link = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    before = time.time_ns()
    with telemetry.span("router.match", attributes={"queue": "loans", "agents": 3}, links=[link]) as span:
        span.add_event("found", {"agent": "ann"})
    await telemetry.spans.flush()
    (record,) = append.records
    assert (record.topic, record.key, record.headers) == ("junctor.spans.v1", "a/router", {"site": "a"})
    (row,) = rows(append)
    assert set(row) == {
        "Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName",
        "ResourceAttributes", "SpanAttributes", "Duration", "StatusCode", "StatusMessage", "Events", "Links",
    }  # fmt: skip
    assert before <= row["Timestamp"] <= time.time_ns()
    assert 0 <= row["Duration"] < 10**10
    assert (row["SpanName"], row["SpanKind"], row["ServiceName"]) == ("router.match", "Internal", "router")
    assert (row["StatusCode"], row["ParentSpanId"]) == ("Unset", "")
    assert row["SpanAttributes"] == {"queue": "loans", "agents": "3"}
    assert row["ResourceAttributes"]["junctor.site"] == "a"
    assert (row["Events"][0]["Name"], row["Events"][0]["Attributes"]) == ("found", {"agent": "ann"})
    assert (row["Links"][0]["TraceId"], row["Links"][0]["SpanId"]) == ("a" * 32, "b" * 16)


async def test_all_hops_of_a_contact_share_its_trace_and_its_root(telemetry, append, settings):
    with telemetry.span("router.apply", traceparent=contact_traceparent(CONTACT)):
        inner = current_traceparent()
    root = telemetry.start_contact_span(CONTACT)
    with telemetry.span("router.match", traceparent=inner):
        pass
    root.end()
    await telemetry.spans.flush()
    early, late, rooted = rows(append)
    assert {row["TraceId"] for row in (early, late, rooted)} == {uuid.UUID(CONTACT).hex}
    assert rooted["ParentSpanId"] == ""
    assert early["ParentSpanId"] == rooted["SpanId"]
    assert late["ParentSpanId"] == early["SpanId"] != rooted["SpanId"]


async def test_a_failed_block_marks_its_span(telemetry, append):
    with pytest.raises(ValueError, match="no"), telemetry.span("router.match"):
        raise ValueError("no: +861380")
    await telemetry.spans.flush()
    (row,) = rows(append)
    assert (row["StatusCode"], row["StatusMessage"]) == ("Error", "ValueError")
    assert "+861380" not in json.dumps(row)


@pytest.mark.parametrize(
    "text", ["", "x", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01"]
)
def test_an_invalid_traceparent_is_no_parent(text):
    assert parent_span(text) is None


async def test_while_appends_fail_spans_wait_and_beyond_the_limit_are_dropped_and_counted(
    telemetry, append, monkeypatch
):
    monkeypatch.setattr(span_rows, "QUEUE_LIMIT", 10)
    append.failure = ConnectionError("away")
    for _ in range(13):
        with telemetry.span("router.match"):
            pass
    with pytest.raises(ConnectionError):
        await telemetry.spans.flush()
    assert telemetry.spans.dropped == 3
    dropped = [point.value for point in telemetry.points() if point.name == "junctor.telemetry.spans_dropped"]
    assert dropped == [3]
    append.failure = None
    await telemetry.spans.flush()
    assert len(rows(append)) == 10


async def test_batches_are_bounded(telemetry, append):
    for _ in range(601):
        with telemetry.span("router.match"):
            pass
    await telemetry.spans.flush()
    assert [len(record.value.splitlines()) for record in append.records] == [250, 250, 101]


async def test_stopping_appends_what_waits(telemetry, append):
    await telemetry.start()
    with telemetry.span("router.match"):
        pass
    await telemetry.stop(time.monotonic() + 2)
    assert len([record for record in append.records if record.topic == "junctor.spans.v1"]) == 1


async def test_without_tracing_nothing_is_recorded_but_the_trace_goes_on(settings, append):
    import dataclasses

    telemetry = Telemetry("router", dataclasses.replace(settings, tracing=False), append)
    with telemetry.span("router.match", traceparent=contact_traceparent(CONTACT)):
        assert current_traceparent().split("-")[1] == uuid.UUID(CONTACT).hex
    assert telemetry.spans is None


def test_metrics_are_read_with_their_units(telemetry):
    telemetry.counter("junctor.relay.events").add(2, {"topic": "t"})
    telemetry.counter("junctor.relay.events").add(3, {"topic": "t"})
    telemetry.histogram("junctor.journal.apply_duration").record(4.0)
    telemetry.histogram("junctor.journal.apply_duration").record(6.0)
    telemetry.gauge("junctor.router.waiting", lambda: 7)
    points = {point.name: point for point in telemetry.points()}
    assert (points["junctor.relay.events"].value, points["junctor.relay.events"].unit) == (5, "events")
    assert points["junctor.relay.events"].attributes == {"topic": "t"}
    assert (points["junctor.journal.apply_duration"].value, points["junctor.journal.apply_duration"].count) == (10, 2)
    assert points["junctor.router.waiting"].value == 7


def test_two_services_of_a_process_do_not_mix(settings, append):
    one, two = Telemetry("router", settings, append), Telemetry("cti", settings, append)
    one.counter("junctor.relay.events").add(1)
    assert "junctor.relay.events" not in {point.name for point in two.points()}


def test_unlisted_names_raise(telemetry):
    for use in (
        lambda: telemetry.span("router.mtach").__enter__(),
        lambda: telemetry.counter("junctor.x"),
        lambda: telemetry.histogram("junctor.x"),
        lambda: telemetry.gauge("junctor.x", lambda: 0),
    ):
        with pytest.raises(UnlistedName):
            use()


KINDS = {
    "span": telemetry_names.SPANS,
    "counter": telemetry_names.METRICS,
    "histogram": telemetry_names.METRICS,
    "gauge": telemetry_names.METRICS,
}


def used_names():
    sources = [p for folder in ("libs", "services") for p in (ROOT / folder).rglob("*.py") if "tests" not in p.parts]
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner, first = node.func.value, node.args[0]
            name = getattr(owner, "attr", getattr(owner, "id", ""))
            constant = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if node.func.attr in KINDS and (name.endswith("telemetry") or name == "self") and constant:
                yield node.func.attr, first.value, path


def test_every_name_in_the_sources_is_listed():
    found = list(used_names())
    assert ("histogram", "junctor.rpc.server_duration") in {(kind, name) for kind, name, _ in found}
    assert [(name, str(path)) for kind, name, path in found if name not in KINDS[kind]] == []


def test_the_list_is_well_formed():
    assert all(text.endswith("]") and telemetry_names.unit_of(name) for name, text in telemetry_names.METRICS.items())
    assert all(name.startswith("junctor.") for name in telemetry_names.METRICS)
