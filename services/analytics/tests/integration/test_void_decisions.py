"""What the router decided beyond a cut, or under a site epoch that the chain passes over, is shown as void and never counted."""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial

import pytest
import pytest_asyncio
from clickhouse_driver import Client
from junctor.contact.v1 import contact_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp, ClickHouseWarehouse
from junctor_analytics.adapters.schema import Retention, migrations, prepare
from junctor_analytics.application.projection import rows_of
from junctor_journal.events import decode_event
from junctor_local.clickhouse import ClickHouseServer

BEGIN = time.time_ns() // 1_000_000 - 3_600_000
SPAN = {"from": BEGIN - 1_000, "to": BEGIN + 1_000_000}


class History:
    """One tenant's, as the events of one partition of the router; each test has a partition of its own."""

    def __init__(self, server, warehouse, as_read, fact, tenant, partition):
        self._server, self._warehouse = server, warehouse
        self._as_read, self._fact = as_read, fact
        self.tenant, self.partition = tenant, partition

    async def happens(self, message, epoch, sequence, *, at=0, contact="c1", service="router"):
        """The rows of an event that was decided there."""
        fact = self._fact(service, BEGIN + at, contact, message)
        event = decode_event(self._as_read(fact, self.tenant))
        event = event._replace(journal_partition=self.partition, site_epoch=epoch, sequence=sequence)
        for number, row in enumerate(rows_of(event)):
            await self._warehouse.insert(row.table, [row.values], f"{event.id}/{number}")

    async def begins(self, epoch, previous, cut, service="router"):
        """A site epoch becomes known."""
        started = journal_pb2.EpochStarted(
            epoch=journal_pb2.Epoch(site_epoch=epoch), previous_site_epoch=previous, cut_seq=cut, now=BEGIN, site="b"
        )
        await self.happens(started, epoch, cut, contact="", service=service)

    async def completed(self, contact, epoch, sequence, **more):
        message = router_pb2.TaskCompleted(
            contact_id=contact, agent_id="li", queue="loans", channel=contact_pb2.CHANNEL_CHAT, outcome_value=7,
            segment="gold", assigned_at=BEGIN, ended_at=BEGIN + 1_000, completed_at=BEGIN + 3_000,
        )  # fmt: skip
        await self.happens(message, epoch, sequence, contact=contact, **more)

    async def changed(self, epoch, sequence, state, previous, since, at):
        message = router_pb2.AgentStateChanged(
            agent_id="li", state=state, previous=previous, session=1, previous_since=since
        )
        await self.happens(message, epoch, sequence, at=at, contact="pool")

    async def select(self, sql):
        return await asyncio.to_thread(self._select, sql)

    def _select(self, sql):
        client = Client(**self._server.analyst)
        try:
            return client.execute(sql, {"tenant": self.tenant, **{k: f"{v / 1000:.3f}" for k, v in SPAN.items()}})
        finally:
            client.disconnect()

    async def tasks(self):
        found = await self.select("SELECT contact_id FROM tasks WHERE tenant = %(tenant)s ORDER BY contact_id")
        return [contact for (contact,) in found]

    async def void(self):
        sql = (
            "SELECT contact_id FROM events WHERE tenant = %(tenant)s AND void AND contact_id != '' ORDER BY contact_id"
        )
        return [contact for (contact,) in await self.select(sql)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clickhouse(tmp_path_factory):
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    await server.start()
    address = ClickHouseAddress(server.http, "junctor", server.passwords.junctor, "junctor")
    http = ClickHouseHttp(address)
    warehouse = ClickHouseWarehouse(http, partial(prepare, retention=Retention()))
    await warehouse.start()
    async with asyncio.timeout(40):
        while not warehouse.available:
            await asyncio.sleep(0.02)
    for migration in migrations():
        for statement in migration.statements:
            await http.run(statement)
    yield server, warehouse
    await warehouse.stop(time.monotonic() + 2)
    await server.kill()


pytestmark = pytest.mark.asyncio(loop_scope="module")
_partitions = iter(range(1_000))


@pytest.fixture
def history(clickhouse, as_read, fact):
    return History(*clickhouse, as_read, fact, f"t{uuid.uuid4().hex[:10]}", next(_partitions))


async def test_a_tail_beyond_the_cut_is_counted_until_the_site_epoch_that_cut_it_is_known(history):
    await history.completed("before", 1, 10)
    await history.completed("tail", 1, 11)
    assert (await history.tasks(), await history.void()) == (["before", "tail"], [])
    await history.begins(2, previous=1, cut=10)
    await history.completed("after", 2, 11)
    assert (await history.tasks(), await history.void()) == (["after", "before"], ["tail"])


async def test_a_site_that_takes_the_lead_back_makes_the_others_epoch_void_and_its_own_tail_counts_again(history):
    await history.begins(2, previous=1, cut=10)
    await history.completed("first", 1, 9)
    await history.completed("tail", 1, 12)
    await history.completed("other", 2, 11)
    assert await history.tasks() == ["first", "other"]
    await history.begins(3, previous=1, cut=12)
    await history.completed("beyond", 1, 13)
    await history.completed("now", 3, 13)
    assert (await history.tasks(), await history.void()) == (["first", "now", "tail"], ["beyond", "other"])


async def test_each_epoch_of_a_long_chain_counts_up_to_its_own_cut(history):
    for epoch, cut in ((2, 10), (3, 20), (5, 30)):
        await history.begins(epoch, previous={2: 1, 3: 2, 5: 3}[epoch], cut=cut)
    for epoch, last in ((1, 10), (2, 20), (3, 30)):
        await history.completed(f"in {epoch}", epoch, last)
        await history.completed(f"out {epoch}", epoch, last + 1)
    await history.completed("passed over", 4, 25)
    await history.completed("newest", 5, 10_000)
    await history.completed("not yet told", 6, 10_001)
    assert await history.tasks() == ["in 1", "in 2", "in 3", "newest", "not yet told"]
    assert await history.void() == ["out 1", "out 2", "out 3", "passed over"]


async def test_other_partitions_other_services_and_a_single_site_are_untouched(history):
    other = next(_partitions)
    await history.begins(2, previous=1, cut=0)
    await history.begins(2, previous=1, cut=0, service="directory")
    await history.completed("void", 1, 5)
    opened = contact_pb2.ContactOpened(contact_id="caller", channel=contact_pb2.CHANNEL_VOICE, arrived_at=BEGIN)
    await history.happens(opened, 0, 5, contact="caller", service="cti")
    history.partition = other
    await history.completed("elsewhere", 1, 5)
    await history.completed("one site", 0, 6)
    assert (await history.tasks(), await history.void()) == (["elsewhere", "one site"], ["void"])
    (facts,) = await history.select(
        "SELECT count(), countIf(void) FROM events WHERE tenant = %(tenant)s AND service = 'cti'"
    )
    assert facts == (1, 0)


async def test_an_agents_states_and_the_reports_have_only_what_counts(history):
    await history.changed(1, 1, state=3, previous=1, since=0, at=0)
    await history.changed(1, 11, state=2, previous=3, since=BEGIN, at=5_000)
    await history.begins(2, previous=1, cut=10)
    sql = """SELECT state, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at) FROM agent_states
        WHERE tenant = %(tenant)s AND started_at >= toDateTime64(%(from)s, 3, 'UTC') ORDER BY started_at"""
    assert await history.select(sql) == [("ready", BEGIN, None)], "the end of it is void"
    await history.changed(2, 12, state=2, previous=3, since=BEGIN, at=9_000)
    assert await history.select(sql) == [("ready", BEGIN, BEGIN + 9_000), ("not_ready", BEGIN + 9_000, None)]

    talk = contact_pb2.SegmentStarted(
        tenant=history.tenant, contact_id="c1", segment=1, kind=contact_pb2.SEGMENT_KIND_AGENT, queue="loans",
        agent_id="li", started_at=BEGIN, channel=contact_pb2.CHANNEL_CHAT,
    )  # fmt: skip
    await history.happens(talk, 0, 1, service="omnichannel")
    await history.completed("c1", 1, 12)
    report = (
        "SELECT wrap_up_ms FROM agent_report(tenant = %(tenant)s, from = %(from)s, to = %(to)s) WHERE agent_id = 'li'"
    )
    assert await history.select(report) == [(0,)]
    await history.completed("c1", 2, 13)
    assert await history.select(report) == [(2_000,)]


async def test_a_contacts_history_shows_what_is_void_and_tasks_say_what_came_of_them(history):
    await history.completed("c1", 1, 11)
    await history.begins(2, previous=1, cut=10)
    await history.completed("c1", 2, 11)
    shown = await history.select("SELECT void FROM contact_timeline(tenant = %(tenant)s, contact = 'c1')")
    assert sorted(shown) == [(0,), (1,)]
    told = "SELECT outcome_value, customer_segment FROM tasks WHERE tenant = %(tenant)s"
    assert await history.select(told) == [(7, "gold")]


@pytest.mark.parametrize(
    ("view", "table"),
    [
        ("contact_timeline(tenant = %(tenant)s, contact = 'c1')", "event_rows"),
        ("tasks WHERE tenant = %(tenant)s AND time > now() - 60", "task_rows"),
        ("agent_states WHERE tenant = %(tenant)s AND started_at > now() - 60", "agent_state_rows"),
    ],
)
async def test_rows_are_found_by_their_tables_order_though_the_view_looks_at_the_chains(history, view, table):
    await history.completed("c1", 1, 1)
    await history.changed(1, 1, state=3, previous=1, since=0, at=0)
    plan = [line for (line,) in await history.select(f"EXPLAIN indexes = 1 SELECT * FROM {view}")]
    read = plan[next(number for number, line in enumerate(plan) if f"(junctor.{table})" in line and "Read" in line) :]
    keys = read[next(number for number, line in enumerate(read) if "PrimaryKey" in line) :][:6]
    assert any("tenant" in line for line in keys), "\n".join(plan)
