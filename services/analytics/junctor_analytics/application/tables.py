"""Names of the tables that rows go into, and what a row is."""

from __future__ import annotations

from typing import Any, NamedTuple

EVENTS = "event_rows"
CONTACTS = "contact_rows"
SEGMENTS = "segment_rows"
TASKS = "task_rows"
AGENT_STATES = "agent_state_rows"
RECORDINGS = "recording_rows"
AUDIT = "audit_rows"
TRACES = "otel_trace_rows"
METRICS = "metric_rows"
QUEUES = "queue_rows"
SITE_EPOCHS = "site_epoch_rows"


class Row(NamedTuple):
    """One row. `values` are by column: text, numbers, lists, maps; DateTime64 columns as counts of their unit."""

    table: str
    values: dict[str, Any]
