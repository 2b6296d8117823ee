"""`junctor sql`, `contact` and `trace` on a real ClickHouse with analytics' schema."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import pytest
from click.testing import CliRunner
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp
from junctor_analytics.adapters.schema import Retention, prepare
from junctor_cli.__main__ import cli
from junctor_cli.trace import Span, tree
from junctor_local.clickhouse import ClickHouseServer
from rich.console import Console

CONTACT = str(uuid.UUID(int=7))
AT = time.time_ns() // 1_000_000_000 * 1_000
MOMENT = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(AT // 1000))
KEY = {"tenant": "demo", "contact_id": CONTACT}


def rows():
    def event(n, kind, **data):
        return {**KEY, "time": AT + n, "event_id": f"e{n}", "service": "cti", "type": kind, "data": json.dumps(data)}

    yield "event_rows", event(0, "junctor.contact.v1.ContactOpened", channel="voice", contact_id=CONTACT)
    yield "event_rows", event(61_500, "junctor.contact.v1.ContactClosed", cause="agent")
    yield "contact_rows", {**KEY, "arrived_at": AT, "channel": "voice", "direction": "inbound", "entry_point": "95588"}
    yield "contact_rows", {**KEY, "arrived_at": AT, "ended_at": AT + 61_000, "closed_at": AT + 61_500, "cause": "agent"}
    yield (
        "segment_rows",
        {**KEY, "started_at": AT, "segment": 1, "kind": "queue", "queue": "[loans]", "ended_at": AT + 4_250,
         "result": "completed"},
    )  # fmt: skip
    yield (
        "recording_rows",
        {**KEY, "time": AT, "event_id": "r", "recording_id": "r1", "state": "sealed", "path": "demo/r1.sealed",
         "duration_ms": 56_000, "bytes": 900_000, "sha256": "ab" * 32},
    )  # fmt: skip
    for number, (parent, name, duration) in enumerate(
        (
            ("", "contact", 61_000_000_000),
            ("s0", "cti.invite", 40_000_000),
            ("s1", "ivr.flow", 5_000_000),
            ("gone", "x", 1),
        )
    ):
        yield (
            "otel_trace_rows",
            {"TraceId": uuid.UUID(CONTACT).hex, "SpanId": f"s{number}", "ParentSpanId": parent, "SpanName": name,
             "ServiceName": "cti", "Timestamp": AT * 1_000_000 + number, "Duration": duration,
             "StatusCode": "Error" if name == "x" else "Unset", "StatusMessage": "Refused"},
        )  # fmt: skip


async def fill(server):
    http = ClickHouseHttp(ClickHouseAddress(server.http, "junctor", server.passwords.junctor, "junctor"))
    await prepare(http, Retention())
    for number, (table, row) in enumerate(rows()):
        await http.insert(table, [row], str(number))
    await http.close()


@pytest.fixture
async def run(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    async with ClickHouseServer(tmp_path) as server:
        await fill(server)

        async def run(*arguments, password=server.passwords.analyst, **more):
            environment = {"JUNCTOR_CLICKHOUSE_PASSWORD": password}
            named = [*arguments, "--clickhouse", f"127.0.0.1:{server.tcp_port}"]
            return await asyncio.to_thread(lambda: CliRunner().invoke(cli, named, env=environment, **more))

        run.server = server
        yield run


async def test_sql_in_each_format(run):
    shown = await run("sql", "SELECT contact_id, cause, NULL AS nothing FROM contacts")
    assert shown.exit_code == 0, shown.output
    assert CONTACT in shown.output and "agent" in shown.output and "1 rows" in shown.output
    found = await run(
        "sql", "--format", "json", "-", input="SELECT queue, toInt32(segment) AS n, started_at FROM segments"
    )
    assert json.loads(found.output) == [{"queue": "[loans]", "n": 1, "started_at": MOMENT}]
    found = await run("sql", "SELECT 'a,b' AS x, NULL AS y", "--format", "csv")
    assert found.output.splitlines() == ["x,y", '"a,b",']


async def test_sql_refusals_are_told_and_nothing_is_written(run):
    for query in ("SELECT nonsense", "DROP TABLE event_rows", "INSERT INTO event_rows (tenant) VALUES ('x')"):
        refused = await run("sql", query)
        assert (refused.exit_code, "ClickHouse refuses" in refused.output) == (1, True), refused.output
        assert "Stack trace" not in refused.output
    wrong = await run("sql", "SELECT 1", password="wrong")
    assert (wrong.exit_code, "refuses" in wrong.output) == (1, True)
    await run.server.kill()
    away = await run("sql", "SELECT 1")
    assert (away.exit_code, "does not answer" in away.output) == (1, True)


async def test_a_contact_is_told(run):
    shown = await run("contact", CONTACT)
    assert shown.exit_code == 0, shown.output
    for part in ("95588", "[loans]", "4.250 s", "completed", "demo/r1.sealed", "ContactOpened", "ContactClosed"):
        assert part in shown.output, part
    unknown = await run("contact", str(uuid.uuid4()))
    assert (unknown.exit_code, "no contact" in unknown.output) == (1, True)


async def test_a_trace_is_a_tree(run):
    shown = await run("trace", CONTACT)
    assert shown.exit_code == 0, shown.output
    lines = [line for line in shown.output.splitlines() if "cti" in line]
    depth = {
        name: line.index("cti") for line in lines for name in ("contact", "cti.invite", "ivr.flow") if name in line
    }
    assert depth["contact"] < depth["cti.invite"] < depth["ivr.flow"]
    assert "failed: Refused" in shown.output
    assert "40.0 ms" in shown.output
    assert (await run("trace", uuid.uuid4().hex)).exit_code == 1
    assert (await run("trace", "not-a-trace")).exit_code == 2


def test_spans_that_are_each_others_parents_do_not_loop():
    spans = [Span("a", "b", "cti", "one", 0, 1, "", ""), Span("b", "a", "cti", "two", 0, 1, "", "")]
    console = Console(record=True, width=100)
    console.print(tree("f" * 32, spans))
    assert "2 spans" in console.export_text()
