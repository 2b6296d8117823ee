"""Metrics as rows: what a service tells of itself."""

import json

from junctor_analytics.application.metric_rows import metric_rows

LINE = {
    "TimeUnix": 1_700_000_000_000_000_000,
    "ServiceName": "cti",
    "Site": "a",
    "MetricName": "junctor.rpc.server_duration",
    "MetricUnit": "ms",
    "Attributes": {"method": "GetCall"},
    "Value": 40.5,
    "Count": 8,
}


def test_each_line_is_a_row_and_what_is_no_metric_is_counted():
    value = b"\n".join([json.dumps(LINE).encode(), b"{}", b"\xff", b"", json.dumps({**LINE, "TimeUnix": -5}).encode()])
    rows, bad = metric_rows(value)
    assert bad == 2
    assert [row.table for row in rows] == ["metric_rows", "metric_rows"]
    assert rows[0].values == LINE
    assert rows[1].values["TimeUnix"] == 0
