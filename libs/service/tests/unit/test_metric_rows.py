"""Metrics leave as rows: every point, with its sums, and a last reading at the stop."""

import json

from junctor_service.append import MemoryAppend
from junctor_service.metric_rows import TOPIC, MetricRows
from junctor_service.telemetry import MetricPoint

POINTS = [MetricPoint("junctor.cti.calls", "calls", {}, 3), MetricPoint("junctor.x", "ms", {"code": 5}, 40.5, 8)]


async def test_a_stop_appends_a_last_reading_of_every_point():
    append = MemoryAppend()
    rows = MetricRows("cti", "a", append, lambda: POINTS, every=3_600)
    await rows.start()
    await rows.stop()
    record = append.records[-1]
    assert (record.topic, record.key) == (TOPIC, "a/cti")
    first, second = [json.loads(line) for line in record.value.decode().splitlines()]
    assert (first["MetricName"], first["Value"], first["Count"]) == ("junctor.cti.calls", 3.0, 0)
    assert (second["Attributes"], second["Value"], second["Count"]) == ({"code": "5"}, 40.5, 8)


async def test_a_failing_append_ends_nothing():
    append = MemoryAppend(failure=OSError("away"))
    rows = MetricRows("cti", "a", append, lambda: POINTS, every=3_600)
    await rows.start()
    await rows.stop()
    assert append.records == []
