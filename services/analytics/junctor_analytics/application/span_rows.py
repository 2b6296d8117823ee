"""Spans and audit records become rows."""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from junctor.audit.v1 import audit_pb2

from junctor_analytics.application import tables
from junctor_analytics.application.tables import Row
from junctor_analytics.application.values import LATEST_MS, enum_text, moment, text

_LATEST_NS = LATEST_MS * 1_000_000
_MOST_NS = 2**63 - 1


class _Event(msgspec.Struct):
    Timestamp: int = 0
    Name: str = ""
    Attributes: dict[str, str] = {}


class _Link(msgspec.Struct):
    TraceId: str = ""
    SpanId: str = ""
    TraceState: str = ""
    Attributes: dict[str, str] = {}


class _Span(msgspec.Struct):
    """A line of `junctor.spans.v1`. Times are nanoseconds."""

    Timestamp: int
    TraceId: str
    SpanId: str
    SpanName: str
    ServiceName: str
    ParentSpanId: str = ""
    TraceState: str = ""
    SpanKind: str = ""
    ResourceAttributes: dict[str, str] = {}
    ScopeName: str = ""
    ScopeVersion: str = ""
    SpanAttributes: dict[str, str] = {}
    Duration: int = 0
    StatusCode: str = ""
    StatusMessage: str = ""
    Events: list[_Event] = []
    Links: list[_Link] = []


_decoder = msgspec.json.Decoder(_Span)


def span_rows(value: bytes) -> tuple[list[Row], int]:
    """Rows of a record of newline-separated JSON, and how many lines were no spans."""
    rows: list[Row] = []
    bad = 0
    for line in value.split(b"\n"):
        if not line.strip():
            continue
        try:
            rows.append(Row(tables.TRACES, _span(_decoder.decode(line))))
        except (msgspec.DecodeError, UnicodeDecodeError):
            bad += 1
    return rows, bad


def _span(span: _Span) -> dict[str, Any]:
    values = {field: getattr(span, field) for field in span.__struct_fields__ if field not in {"Events", "Links"}}
    values["Timestamp"] = _nanoseconds(span.Timestamp)
    values["Duration"] = min(max(0, span.Duration), _MOST_NS)
    values["Events.Timestamp"] = [_nanoseconds(event.Timestamp) for event in span.Events]
    values["Events.Name"] = [event.Name for event in span.Events]
    values["Events.Attributes"] = [event.Attributes for event in span.Events]
    for field in _Link.__struct_fields__:
        values[f"Links.{field}"] = [getattr(link, field) for link in span.Links]
    return values


def _nanoseconds(time: int) -> int:
    return min(max(0, time), _LATEST_NS)


def audit_row(value: bytes) -> Row | None:
    """The row of an audit record; None for bytes that are none."""
    try:
        record = audit_pb2.AuditRecord.FromString(value)
    except DecodeError:
        return None
    if not record.id:
        return None
    plain = ("id", "site", "service", "action", "tenant", "subject", "agent_id", "reason", "target", "trace_id")
    values: dict[str, Any] = {field: text(getattr(record, field)) for field in plain}
    values |= {"time": moment(record.time), "roles": list(record.roles), "outcome": enum_text(record, "outcome")}
    return Row(tables.AUDIT, values)
