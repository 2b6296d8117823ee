"""`junctor scores` on a real ClickHouse and a real directory: from the router's events to a table that it goes by."""

import asyncio
import sys

import pytest
from google.protobuf.any_pb2 import Any as PackedAny
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2 as pb
from junctor.directory.v1 import directory_pb2_grpc
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp
from junctor_analytics.adapters.schema import Retention, prepare
from junctor_analytics.application.projection import rows_of
from junctor_cli.analyst import Analyst
from junctor_cli.scores import _OUTCOMES, read_outcomes
from junctor_journal.events import Event
from junctor_local import tokens
from junctor_local.clickhouse import ClickHouseServer
from junctor_local.site import Site
from junctor_router.application.directory_values import value_of
from junctor_router.application.messages import event_message
from junctor_router.domain import events as e
from junctor_router.domain.values import AgentOrder
from junctor_service.client import Channels, rpc
from junctor_service.token_source import StaticToken

from cli.tests.selling_world import AGENTS, BEGIN, World

SPAN = {"from": "2026-01-01 00:00:00.000", "to": "2027-01-01 00:00:00.000", "tenant": "demo", "minute_costs": 1.0}
DAY_MS = 86_400_000


def tenant_file():
    yield "attributes:\n  loan: {type: proficiency}\n  region: {type: text}\nagents:"
    for id, attributes in AGENTS.items():
        yield f"  {id}: {{attributes: {{loan: {attributes['loan']}, region: {attributes['region']}}}}}"
    yield "plans:\n  worth: {steps: [{order: highest_value}]}"
    yield "queues:\n  sales: {plan: worth, objective: sales, explore_percent: 10}"


class Warehouse:
    """What analytics would have written of events."""

    def __init__(self, http):
        self._http = http
        self._rows = {}
        self._count = 0

    def see(self, message, now, service="router"):
        self._count += 1
        type = message.DESCRIPTOR.full_name
        contact = message.contact_id
        event = Event(
            f"e{self._count}", type, f"/junctor/{service}", now, "demo", "a", "s", contact, "c", "", 0, self._count,
            message, "t", 0, self._count,
        )  # fmt: skip
        for row in rows_of(event):
            self._rows.setdefault(row.table, []).append(row.values)

    def talk(self, contact, agent, begins, ends, result="completed", number=2, customer="", queue="sales"):
        """The contact's edge: opened, served by the agent, closed."""
        key = {"tenant": "demo", "contact_id": contact}
        part = {**key, "segment": number, "kind": 3, "queue": queue, "agent_id": agent, "started_at": begins}
        arrived = begins if number == 2 else begins - 60_000
        if number == 2:
            self.see(contact_pb2.ContactOpened(**key, arrived_at=arrived, customer_hash=customer), begins, "cti")
        self.see(contact_pb2.SegmentStarted(**part), begins, "cti")
        kind = contact_pb2.SegmentResult.Value(f"SEGMENT_RESULT_{result.upper()}")
        self.see(contact_pb2.SegmentEnded(**part, ended_at=ends, result=kind), ends, "cti")
        if result == "completed":
            self.see(contact_pb2.ContactClosed(**key, arrived_at=arrived, ended_at=ends, closed_at=ends), ends, "cti")

    def completed(self, contact, agent, begins, ends, segment="", value=0, wrap_up=0):
        done = e.TaskCompleted(
            contact, agent, "sold", "sales", 1, begins, ends, ends + wrap_up, False, "cti", 0, value, segment
        )
        self.see(event_message(done), ends + wrap_up)

    async def write(self):
        for table, rows in self._rows.items():
            for first in range(0, len(rows), 5_000):
                await self._http.insert(table, rows[first : first + 5_000], f"{self._count}/{first}")
        self._rows.clear()


@pytest.fixture
async def clickhouse(tmp_path):
    async with ClickHouseServer(tmp_path / "clickhouse") as server:
        http = ClickHouseHttp(ClickHouseAddress(server.http, "junctor", server.passwords.junctor, "junctor"))
        await prepare(http, Retention(days=0, trace_days=0))
        server.warehouse = Warehouse(http)
        server.asked = Analyst("127.0.0.1", server.tcp_port, "analyst", server.passwords.analyst)
        yield server
        await http.close()


async def test_an_outcome_is_solved_where_the_customer_stays_away(clickhouse):
    warehouse, at = clickhouse.warehouse, BEGIN
    for contact, agent, begins, customer in (
        ("stays", "ann", at, "h1"),
        ("back", "ann", at, "h2"),
        ("later", "bob", at + 2 * DAY_MS, "h2"),
        ("much-later", "bob", at + 6 * DAY_MS, "h2"),
        ("unknown-1", "ann", at, ""),
        ("unknown-2", "ann", at + DAY_MS, ""),
    ):
        warehouse.talk(contact, agent, begins, begins + 60_000, customer=customer)
        warehouse.completed(contact, agent, begins, begins + 60_000, "gold", 7, wrap_up=30_000)
    warehouse.talk("moved", "ann", at, at + 60_000, "transferred", customer="h4")
    warehouse.talk("moved", "bob", at + 60_000, at + 120_000, number=4, customer="h4")
    warehouse.completed("moved", "bob", at + 60_000, at + 120_000, "tin", 9)
    await warehouse.write()
    sql = "SELECT contact_id, agent_id, segment, solved, value, handle_ms FROM outcomes(tenant='demo', from=%(from)s, to=%(to)s)"
    answer = await asyncio.to_thread(clickhouse.asked.ask, sql, SPAN)
    assert sorted(answer.rows) == [
        ("back", "ann", "gold", 0, 7, 90_000),
        ("later", "bob", "gold", 1, 7, 90_000),
        ("moved", "ann", "tin", 0, 0, 60_000),
        ("moved", "bob", "tin", 1, 9, 60_000),
        ("much-later", "bob", "gold", 1, 7, 90_000),
        ("stays", "ann", "gold", 1, 7, 90_000),
        ("unknown-1", "ann", "gold", 1, 7, 90_000),
        ("unknown-2", "ann", "gold", 1, 7, 90_000),
    ]
    found = await asyncio.to_thread(read_outcomes, clickhouse.asked, _OUTCOMES, {**SPAN, "queue": "sales"})
    gold = next(one for one in found if (one.segment, one.agent_id) == ("gold", "ann"))
    assert (gold.contacts, gold.service, gold.sales) == (4, pytest.approx(3 * 98.5), 28.0)


@pytest.fixture
async def junctor(tmp_path, clickhouse):
    async with Site(tmp_path / "site", free_ports=True, services=("directory",)) as site:
        token = tokens.mint(site.key, "ann", "demo", ["administrator"])
        named = ["--address", site.address("directory"), "--token", token]

        async def run(*arguments):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "junctor_cli", *map(str, arguments), *named,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={"JUNCTOR_CLICKHOUSE": f"127.0.0.1:{clickhouse.tcp_port}", "COLUMNS": "160",
                     "JUNCTOR_CLICKHOUSE_PASSWORD": clickhouse.passwords.analyst, "PATH": ""},
            )  # fmt: skip
            output, _ = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode, output.decode()

        run.site, run.token = site, token
        yield run


async def test_from_outcomes_to_a_table_that_the_router_goes_by(junctor, clickhouse, tmp_path):
    before = World(AgentOrder.LONGEST_IDLE).play()
    for event, now in before.events:
        if isinstance(event, e.TaskCompleted):
            clickhouse.warehouse.talk(event.contact_id, event.agent_id, event.assigned_at, event.ended_at)
            clickhouse.warehouse.see(event_message(event), now)
    await clickhouse.warehouse.write()
    file = tmp_path / "tenant.yaml"
    file.write_text("\n".join(tenant_file()))
    code, shown = await junctor("apply", "-f", file, "--yes")
    assert code == 0 and "orders by highest_value, but no scores are there for this queue" in shown, shown

    asked = ["scores", "--queue", "sales", "--from", SPAN["from"], "--to", SPAN["to"]]
    code, shown = await junctor(*asked, "--dry-run")
    assert code == 0 and "1 change would be made; this was a dry run" in shown, shown
    code, shown = await junctor(*asked, "--yes")
    assert code == 0 and "demo is at revision 2" in shown, shown
    assert "2000 contacts with 24 agents" in shown
    assert any("gold" in line and "north" in line and "+" in line for line in shown.splitlines())
    code, shown = await junctor(*asked, "--yes")
    assert code == 0 and "Nothing to change" in shown
    code, shown = await junctor("apply", "-f", file, "--yes")
    assert code == 0 and "Nothing to change" in shown, "the tenant file does not undo the table"

    table = await scores_of(junctor)
    assert len(table.scores.rows) > 20 and all(row.contacts for row in table.scores.rows)
    packed = PackedAny()
    packed.Pack(table)
    idle = World(AgentOrder.LONGEST_IDLE, seed=2).play()
    valued = World(AgentOrder.HIGHEST_VALUE, 10, value_of(packed), seed=2).play()
    assert valued.mean > 1.25 * idle.mean

    code, shown = await junctor("scores", "--queue", "nowhere", "--from", SPAN["from"])
    assert code == 1 and "There are no outcomes of the queue nowhere" in shown
    own = tmp_path / "own.sql"
    own.write_text("SELECT 'x' AS segment, 'agent00' AS agent_id, 9 AS contacts, 90 AS service FROM contacts LIMIT 1")
    code, shown = await junctor(*asked, "--sql", own, "--yes")
    assert code == 1 and "The answer has no column sales" in shown


async def scores_of(junctor):
    channels = Channels(StaticToken(junctor.token))
    stub = directory_pb2_grpc.DirectoryServiceStub(channels.channel(junctor.site.address("directory")))
    try:
        found = await rpc(stub.GetValue(pb.GetValueRequest(tenant="demo", kind="scores", id="sales"), timeout=10))
    finally:
        await channels.close()
    return found.value.value
