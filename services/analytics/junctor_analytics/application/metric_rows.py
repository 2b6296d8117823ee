"""Metrics become rows."""

from __future__ import annotations

from typing import Any

import msgspec

from junctor_analytics.application import tables
from junctor_analytics.application.tables import Row
from junctor_analytics.application.values import LATEST_MS

_LATEST_NS = LATEST_MS * 1_000_000


class _Metric(msgspec.Struct):
    """A line of `junctor.metrics.v1`. The time is Unix nanoseconds."""

    TimeUnix: int
    ServiceName: str
    MetricName: str
    Value: float
    Site: str = ""
    MetricUnit: str = ""
    Attributes: dict[str, str] = {}
    Count: int = 0


_decoder = msgspec.json.Decoder(_Metric)


def metric_rows(value: bytes) -> tuple[list[Row], int]:
    """Rows of a record of newline-separated JSON, and how many lines were no metrics."""
    rows: list[Row] = []
    bad = 0
    for line in value.split(b"\n"):
        if not line.strip():
            continue
        try:
            metric = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            bad += 1
            continue
        values: dict[str, Any] = {field: getattr(metric, field) for field in metric.__struct_fields__}
        values["TimeUnix"] = min(max(0, metric.TimeUnix), _LATEST_NS)
        values["Count"] = max(0, metric.Count)
        rows.append(Row(tables.METRICS, values))
    return rows, bad
