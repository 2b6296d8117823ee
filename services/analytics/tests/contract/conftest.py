"""The ports' adapters and their fakes, for one suite each."""

from __future__ import annotations

import time
from functools import partial

import pytest
from clickhouse_driver import Client
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp, ClickHouseWarehouse
from junctor_analytics.adapters.schema import Retention, prepare
from junctor_analytics.adapters.sqlite_positions import SqlitePositions
from junctor_local.clickhouse import ClickHouseServer


class OnClickHouse:
    """The warehouse over HTTP, and a look into its tables."""

    def __init__(self, server):
        self.server = server
        address = ClickHouseAddress(server.http, "junctor", server.passwords.junctor, "junctor")
        self.warehouse = ClickHouseWarehouse(ClickHouseHttp(address), partial(prepare, retention=Retention()))

    async def leave(self):
        await self.server.kill()

    async def come_back(self):
        await self.server.start()

    def physical(self, table):
        """Rows in the table itself, repeats included."""
        client = Client(**self.server.native)
        try:
            return client.execute(f"SELECT count() FROM {table}")[0][0]
        finally:
            client.disconnect()


class InMemory:
    """The fake that unit tests use."""

    def __init__(self, warehouse):
        self.warehouse = warehouse

    async def leave(self):
        self.warehouse.away = True

    async def come_back(self):
        self.warehouse.away = False

    def physical(self, table):
        return len(self.warehouse.rows(table))


@pytest.fixture(params=["memory", "clickhouse"])
async def store(request, tmp_path, memory_warehouse):
    if request.param == "memory":
        yield InMemory(memory_warehouse())
        return
    server = ClickHouseServer(tmp_path)
    await server.start()
    made = OnClickHouse(server)
    await made.warehouse.start()
    yield made
    await made.warehouse.stop(time.monotonic() + 2)
    await server.kill()


@pytest.fixture(params=["memory", "sqlite"])
def positions(request, tmp_path, memory_positions):
    """`positions()`: the same store, opened anew."""
    if request.param == "memory":
        kept = memory_positions()
        return lambda: kept
    return lambda: SqlitePositions(tmp_path / "state" / "analytics.sqlite")
