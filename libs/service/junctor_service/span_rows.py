"""Spans as rows of the OpenTelemetry collector's ClickHouse table `otel_traces`, appended to a Kafka topic.

The columns are those of the collector's clickhouseexporter. `Timestamp` and those of events are Unix nanoseconds,
`Duration` is nanoseconds; attributes are texts. A record's value is rows of JSON, one a line (JSONEachRow).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from junctor_service.append import Append
from junctor_service.drain import remaining
from junctor_service.tenant import SITE_HEADER

log = logging.getLogger(__name__)

TOPIC = "junctor.spans.v1"
QUEUE_LIMIT = 20_000
BATCH_ROWS = 250
BATCH_BYTES = 400_000
FLUSH_EVERY = 0.5


def row_of(span: ReadableSpan) -> dict[str, Any]:
    """An ended span as a row."""
    context = span.get_span_context()
    started, ended = span.start_time or 0, span.end_time or 0
    return {
        "Timestamp": started,
        "TraceId": f"{context.trace_id:032x}" if context else "",
        "SpanId": f"{context.span_id:016x}" if context else "",
        "ParentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "TraceState": context.trace_state.to_header() if context else "",
        "SpanName": span.name,
        "SpanKind": span.kind.name.capitalize(),
        "ServiceName": str(span.resource.attributes.get("service.name", "")),
        "ResourceAttributes": _texts(span.resource.attributes),
        "SpanAttributes": _texts(span.attributes),
        "Duration": max(0, ended - started),
        "StatusCode": span.status.status_code.name.capitalize(),
        "StatusMessage": span.status.description or "",
        "Events": [{"Timestamp": e.timestamp, "Name": e.name, "Attributes": _texts(e.attributes)} for e in span.events],
        "Links": [
            {
                "TraceId": f"{link.context.trace_id:032x}",
                "SpanId": f"{link.context.span_id:016x}",
                "TraceState": link.context.trace_state.to_header(),
                "Attributes": _texts(link.attributes),
            }
            for link in span.links
        ],
    }


def _texts(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in (attributes or {}).items()}


class SpanRows(SpanProcessor):
    """Collects ended spans and appends them in batches. Never waits: beyond 20,000 waiting spans the newest is dropped.

    A batch whose append fails is tried again; an append whose acknowledgement was lost may give rows twice.
    """

    def __init__(self, service: str, site: str, append: Append) -> None:
        self.dropped = 0
        self._key = f"{site}/{service}"
        self._headers = {SITE_HEADER: site}
        self._append = append
        self._queue: deque[ReadableSpan] = deque()
        self._pending: bytes | None = None
        self._task: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span; called by the SDK from any thread."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self.dropped += 1
            return
        self._queue.append(span)

    @property
    def waiting(self) -> int:
        """Spans that are not yet appended, those of the batch under way not counted."""
        return len(self._queue)

    async def start(self) -> None:
        """Begins to append every half second."""
        self._task = asyncio.create_task(self._keep_flushing(), name="spans")

    async def stop(self, deadline: float) -> None:
        """Appends what waits, until the deadline."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        try:
            await asyncio.wait_for(self.flush(), max(0.01, remaining(deadline)))
        except Exception as error:
            log.warning("spans were not appended", extra={"count": len(self._queue)}, exc_info=error)

    async def flush(self) -> None:
        """Appends all that waits. Raises what the append raises; nothing is lost then."""
        async with self._flushing:
            while self._pending is not None or self._queue:
                if self._pending is None:
                    self._pending = self._next_batch()
                await self._append(TOPIC, self._key, self._pending, self._headers)
                self._pending = None
                await asyncio.sleep(0)  # a batch takes some 3 ms of the loop

    def _next_batch(self) -> bytes:
        rows: list[bytes] = []
        size = 0
        while self._queue and len(rows) < BATCH_ROWS and size < BATCH_BYTES:
            row = msgspec.json.encode(row_of(self._queue.popleft()))
            rows.append(row)
            size += len(row)
        return b"\n".join(rows)

    async def _keep_flushing(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            try:
                await self.flush()
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("spans cannot be appended now", extra={"waiting": len(self._queue)}, exc_info=error)
                failing = True
