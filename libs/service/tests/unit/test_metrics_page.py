"""Metrics as Prometheus reads them."""

import asyncio
import re

import pytest
from junctor_service.metrics_page import MetricsPage, exposition
from junctor_service.server import PortTaken
from junctor_service.settings import HostPort
from junctor_service.telemetry import MetricPoint

LABELS = {"service": "router", "site": "a"}
# The text format's own grammar (prometheus.io/docs/instrumenting/exposition_formats): a comment, or a sample.
LINE = re.compile(
    r'# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .+|[a-zA-Z_:][a-zA-Z0-9_:]*\{([a-zA-Z_]\w*="([^"\\\n]|\\["\\n])*",?)*\} \S+'
)


def test_a_gauge_and_a_histogram():
    points = [
        MetricPoint("junctor.rpc.server_duration", "ms", {"rpc.method": "Check"}, 12.5, 4),
        MetricPoint("junctor.router.waiting", "contacts", {"queue": "loans"}, 3),
    ]
    text = exposition(points, LABELS)
    assert 'junctor_router_waiting{queue="loans",service="router",site="a"} 3.0' in text
    assert 'junctor_rpc_server_duration_ms_sum{rpc_method="Check",service="router",site="a"} 12.5' in text
    assert 'junctor_rpc_server_duration_ms_count{rpc_method="Check",service="router",site="a"} 4' in text
    assert "# TYPE junctor_rpc_server_duration_ms summary" in text
    assert text.endswith("\n")


def test_whatever_an_attribute_holds_the_lines_stay_lines():
    nasty = 'a "quote", a \\ and\na new line'
    text = exposition([MetricPoint("junctor.router.waiting", "contacts", {"queue": nasty, "a-b": "x"}, 1)], LABELS)
    assert all(LINE.fullmatch(line) for line in text.splitlines()), text
    assert len(text.splitlines()) == 3


async def request(port, text):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.decode()


async def test_the_page_is_served_and_nothing_else_is():
    page = MetricsPage(HostPort("127.0.0.1", 0), lambda: [MetricPoint("junctor.cti.calls", "calls", {}, 7)], LABELS)
    await page.start()
    try:
        answer = await request(page.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith("HTTP/1.1 200 OK\r\n")
        assert 'junctor_cti_calls{service="router",site="a"} 7.0' in answer
        assert (await request(page.port, b"GET / HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 404")
        assert (await request(page.port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 405")
        assert await request(page.port, b"x" * 20_000) == ""
        assert (await request(page.port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith("HTTP/1.1 200")
    finally:
        await page.stop(0)
    assert not page.ready


async def test_a_port_in_use_is_told():
    first = MetricsPage(HostPort("127.0.0.1", 0), list, LABELS)
    await first.start()
    try:
        with pytest.raises(PortTaken):
            await MetricsPage(HostPort("127.0.0.1", first.port), list, LABELS).start()
    finally:
        await first.stop(0)
