"""Traces and metrics of one service, with the OpenTelemetry SDK. Nothing is global: services share a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from junctor_service.append import Append
from junctor_service.metric_rows import MetricRows
from junctor_service.settings import CommonSettings
from junctor_service.span_rows import SpanRows
from junctor_service.telemetry_names import check_metric, check_span, unit_of
from junctor_service.trace_context import contact_ids, parent_span, span_context

Attributes = Mapping[str, str | int | float | bool]

_root: ContextVar[tuple[int, int] | None] = ContextVar("junctor_root_span", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, except for the root span of a contact."""

    def generate_trace_id(self) -> int:
        root = _root.get()
        return super().generate_trace_id() if root is None else root[0]

    def generate_span_id(self) -> int:
        root = _root.get()
        return super().generate_span_id() if root is None else root[1]


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One value of one metric. For a histogram `value` is the sum of `count` values; `count` is 0 for the others."""

    name: str
    unit: str
    attributes: Attributes
    value: float
    count: int = 0


class Telemetry:
    """A component: by `append`, spans go to `junctor.spans.v1` and metrics to `junctor.metrics.v1`; `points` reads them."""

    name = "telemetry"

    def __init__(self, service: str, settings: CommonSettings, append: Append | None = None) -> None:
        resource = Resource({"service.name": service, "junctor.site": settings.site})
        recording = settings.tracing and append is not None
        self._provider = TracerProvider(
            sampler=ALWAYS_ON if recording else ALWAYS_OFF,
            resource=resource,
            shutdown_on_exit=False,
            id_generator=_Ids(),
        )
        self.spans: SpanRows | None = None
        if recording and append is not None:
            self.spans = SpanRows(service, settings.site, append)
            self._provider.add_span_processor(self.spans)
        self._tracer = self._provider.get_tracer("junctor")
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._meter = self._meters.get_meter("junctor")
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._started = False
        every = settings.metrics_interval
        self._metrics = MetricRows(service, settings.site, append, self.points, every) if append and every else None
        self.gauge("junctor.telemetry.spans_dropped", lambda: self.spans.dropped if self.spans else 0)

    @property
    def ready(self) -> bool:
        """Always once started: lost telemetry does not keep a service from its work."""
        return self._started

    async def start(self) -> None:
        """Begins to append spans."""
        if self.spans is not None:
            await self.spans.start()
        if self._metrics is not None:
            await self._metrics.start()
        self._started = True

    async def stop(self, deadline: float) -> None:
        """Appends the spans that wait, until the deadline."""
        self._started = False
        if self._metrics is not None:
            await self._metrics.stop()
        if self.spans is not None:
            await self.spans.stop(deadline)
        self._meters.shutdown()

    @contextmanager
    def span(
        self,
        name: str,
        *,
        traceparent: str = "",
        attributes: Attributes | None = None,
        links: Iterable[str] = (),
    ) -> Iterator[Span]:
        """A span around the block, below `traceparent` (below the current span without a valid one).

        `links` are traceparents. What the block raises marks the span as failed and goes on. Raises `UnlistedName`.
        No personal data in attributes.
        """
        with self._span(check_span(name), SpanKind.INTERNAL, traceparent, attributes, links) as span:
            yield span

    @contextmanager
    def contact_span(
        self, contact_id: str, name: str = "contact", attributes: Attributes | None = None
    ) -> Iterator[Span]:
        """The root span of a contact's trace, with the ids that everyone derives from the contact id."""
        token = _root.set(contact_ids(contact_id))
        try:
            span = self._tracer.start_span(
                check_span(name),
                trace.set_span_in_context(trace.INVALID_SPAN),
                attributes=_named(contact_id, attributes),
            )
        finally:
            _root.reset(token)
        with self._used(span):
            yield span

    def start_contact_span(self, contact_id: str, name: str = "contact", attributes: Attributes | None = None) -> Span:
        """The same for a contact that outlives a block: the caller ends it with `span.end()`."""
        token = _root.set(contact_ids(contact_id))
        try:
            return self._tracer.start_span(
                check_span(name),
                trace.set_span_in_context(trace.INVALID_SPAN),
                attributes=_named(contact_id, attributes),
            )
        finally:
            _root.reset(token)

    @contextmanager
    def rpc_span(self, method: str, kind: SpanKind, traceparent: str = "") -> Iterator[Span]:
        """The span of one RPC; `method` is /package.Service/Method."""
        service, _, call = method.lstrip("/").partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": call}
        with self._span(method.lstrip("/"), kind, traceparent, attributes, ()) as span:
            yield span

    def past_span(
        self, name: str, began_ms: int, ended_ms: int, *, traceparent: str, attributes: Attributes | None = None
    ) -> None:
        """A span of what is over (Unix milliseconds), below `traceparent`; none where that is not valid or not sampled.

        Raises `UnlistedName`.
        """
        parent = parent_span(traceparent)
        if parent is None or not parent.get_span_context().trace_flags.sampled:
            return
        span = self._tracer.start_span(
            check_span(name),
            trace.set_span_in_context(parent),
            attributes=dict(attributes or {}),
            start_time=began_ms * 1_000_000,
        )
        span.end(max(ended_ms, began_ms) * 1_000_000)

    def counter(self, name: str) -> Counter:
        """A sum that only grows: `.add(1, {"queue": …})`. Raises `UnlistedName`."""
        if name not in self._counters:
            self._counters[name] = self._meter.create_counter(check_metric(name), unit_of(name))
        return self._counters[name]

    def histogram(self, name: str) -> Histogram:
        """A distribution: `.record(12.5, {…})`. Raises `UnlistedName`."""
        if name not in self._histograms:
            self._histograms[name] = self._meter.create_histogram(check_metric(name), unit_of(name))
        return self._histograms[name]

    def gauge(self, name: str, value: Callable[[], float]) -> None:
        """A value that is asked for when metrics are read. Raises `UnlistedName`."""

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(value())]

        self._meter.create_observable_gauge(check_metric(name), [observe], unit_of(name))

    def gauges(self, name: str, values: Callable[[], Iterable[tuple[float, Attributes]]]) -> None:
        """The same with several values, told apart by their attributes. Raises `UnlistedName`."""

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(value, attributes) for value, attributes in values()]

        self._meter.create_observable_gauge(check_metric(name), [observe], unit_of(name))

    def points(self) -> list[MetricPoint]:
        """All metrics now; sums are since the start."""
        data = self._reader.get_metrics_data()
        found = []
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        attributes: Any = dict(point.attributes or {})
                        if isinstance(point, HistogramDataPoint):
                            value, count = point.sum, point.count
                        else:
                            value, count = getattr(point, "value", 0), 0
                        found.append(MetricPoint(metric.name, metric.unit or "", attributes, value, count))
        return found

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, traceparent: str, attributes: Attributes | None, links: Iterable[str]
    ) -> Iterator[Span]:
        parent = parent_span(traceparent) if traceparent else None
        context = trace.set_span_in_context(parent) if parent is not None else None
        contexts = [found for link in links if (found := span_context(link)) is not None]
        span = self._tracer.start_span(name, context, kind, dict(attributes or {}), [Link(found) for found in contexts])
        with self._used(span):
            yield span

    @contextmanager
    def _used(self, span: Span) -> Iterator[None]:
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise


def _named(contact_id: str, attributes: Attributes | None) -> dict[str, Any]:
    return {"junctor.contact_id": contact_id, **(attributes or {})}
