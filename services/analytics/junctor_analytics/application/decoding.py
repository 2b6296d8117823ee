"""Records of the log become rows, and what the rest of the ingest needs to know of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from junctor_journal import topics
from junctor_journal.events import decode_event
from junctor_journal.log import Record
from junctor_service.audit import TOPIC as AUDIT_TOPIC
from junctor_service.metric_rows import TOPIC as METRICS_TOPIC
from junctor_service.span_rows import TOPIC as SPANS_TOPIC

from junctor_analytics.application.metric_rows import metric_rows
from junctor_analytics.application.projection import contact_of, rows_of
from junctor_analytics.application.span_rows import audit_row, span_rows
from junctor_analytics.application.tables import Row

log = logging.getLogger(__name__)

SERVICES = (*topics.EDGES, *sorted(topics.LED))
TOPICS = (*(topics.events(service) for service in SERVICES), SPANS_TOPIC, METRICS_TOPIC, AUDIT_TOPIC)
_RECORDS_PER_TURN = 100

Reason = Literal[
    "not_an_event", "unknown_type_or_bytes", "not_a_span", "not_a_metric", "not_an_audit_record", "not_projected"
]


def topics_of(other_site: str | None) -> tuple[str, ...]:
    """What is read: with two sites, the mirrored events of the other's edges too. Led services tell theirs at both."""
    if other_site is None:
        return TOPICS
    return (*TOPICS, *(topics.of_site(other_site, topics.events(service)) for service in topics.EDGES))


@dataclass(slots=True)
class Decoded:
    """Rows by table in the records' order; Unix milliseconds of each event; events of each contact; what was skipped."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    event_times: list[int] = field(default_factory=list)
    contacts: Counter[str] = field(default_factory=Counter)
    skipped: Counter[Reason] = field(default_factory=Counter)

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.tables.setdefault(row.table, []).append(row.values)

    def skip(self, record: Record, reason: Reason, count: int = 1, error: BaseException | None = None) -> None:
        """Nothing stops for a record that cannot be read; it is counted, and can be looked at where the log says."""
        self.skipped[reason] += count
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.warning("a record was skipped", extra={**where, "reason": reason, "count": count}, exc_info=error)


async def decode(records: Sequence[Record]) -> Decoded:
    """Gives way to others now and then: a large batch takes its time."""
    decoded = Decoded()
    for number, record in enumerate(records):
        if number % _RECORDS_PER_TURN == _RECORDS_PER_TURN - 1:
            await asyncio.sleep(0)
        try:
            _record(decoded, record)
        except Exception as error:
            decoded.skip(record, "not_projected", error=error)
    return decoded


def _record(decoded: Decoded, record: Record) -> None:
    if record.topic == SPANS_TOPIC:
        rows, bad = span_rows(record.value or b"")
        decoded.add(rows)
        if bad:
            decoded.skip(record, "not_a_span", bad)
    elif record.topic == METRICS_TOPIC:
        rows, bad = metric_rows(record.value or b"")
        decoded.add(rows)
        if bad:
            decoded.skip(record, "not_a_metric", bad)
    elif record.topic == AUDIT_TOPIC:
        row = audit_row(record.value or b"")
        if row is None:
            decoded.skip(record, "not_an_audit_record")
        else:
            decoded.add([row])
    else:
        _event(decoded, record)


def _event(decoded: Decoded, record: Record) -> None:
    event = decode_event(record)
    if event is None:
        decoded.skip(record, "not_an_event")
    elif event.message is None:
        decoded.skip(record, "unknown_type_or_bytes")
    else:
        decoded.add(rows_of(event))
        decoded.event_times.append(event.time)
        if contact := contact_of(event):
            decoded.contacts[contact] += 1
