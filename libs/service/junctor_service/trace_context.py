"""W3C trace context (https://www.w3.org/TR/trace-context/, version 00), and the one trace that each contact has."""

from __future__ import annotations

import hashlib
import re
import uuid

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


def contact_ids(contact_id: str) -> tuple[int, int]:
    """Trace id and root span id of a contact: the UUID's 16 bytes, and 8 bytes of their SHA-256.

    Raises `ValueError` if the contact id is no UUID.
    """
    value = uuid.UUID(contact_id)
    root = int.from_bytes(hashlib.sha256(value.bytes).digest()[:8], "big")
    return value.int, root or 1


def contact_traceparent(contact_id: str) -> str:
    """The traceparent below the contact's root span, for who has seen none: every hop can join the contact's trace."""
    trace_id, span_id = contact_ids(contact_id)
    return f"00-{trace_id:032x}-{span_id:016x}-01"


def current_traceparent() -> str:
    """The traceparent of the current span; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return traceparent_of(context) if context.is_valid else ""


def current_trace_id() -> str:
    """The current trace's id, 32 hex digits; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def traceparent_of(context: SpanContext) -> str:
    """A span's context as text."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def span_context(traceparent: str) -> SpanContext | None:
    """The span that the text names; None for text that is not valid."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    trace_id, span_id, flags = int(match[1], 16), int(match[2], 16), int(match[3], 16)
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def parent_span(traceparent: str) -> NonRecordingSpan | None:
    """The span that the text names, as a parent; None for text that is not valid."""
    context = span_context(traceparent)
    return None if context is None else NonRecordingSpan(context)
