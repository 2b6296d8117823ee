"""The SQL of the dashboards, asked of a real ClickHouse with the product's schema."""

import json
import re
import time
from functools import reduce

import pytest
from clickhouse_driver import Client
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp
from junctor_analytics.adapters.schema import Retention, prepare
from junctor_local.clickhouse import DATABASE, WRITER, ClickHouseServer

from helm.rendered import CHART

DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
NOW = int(time.time() * 1000)
# What Grafana puts in.
FILLED_IN = {
    "${__from:date:YYYY-MM-DD HH:mm:ss}": "2026-05-01 00:00:00",
    "${__to:date:YYYY-MM-DD HH:mm:ss}": "2026-05-02 00:00:00",
    "$__from": str(NOW - 3_600_000),
    "$__to": str(NOW),
    "$tenant": "demo",
}


def queries():
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield f"{path.stem}: {panel['title']}", target["rawSql"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query" and variable["query"].startswith("SELECT"):
                yield f"{path.stem}: {variable['name']}", variable["query"]


@pytest.fixture
async def analyst(tmp_path):
    """A connection of the user `analyst`, whom dashboards are for."""
    async with ClickHouseServer(tmp_path) as server:
        http = ClickHouseHttp(ClickHouseAddress(server.http, WRITER, server.passwords.junctor, DATABASE))
        await prepare(http, Retention())
        await http.close()
        client = Client(**server.analyst)
        yield client
        client.disconnect()


async def test_every_query_is_answered(analyst):
    found = list(queries())
    assert len(found) >= 6
    for name, written in found:
        sql = reduce(lambda text, filled: text.replace(*filled), FILLED_IN.items(), written)
        assert "$" not in sql, name
        _, columns = analyst.execute(sql, with_column_types=True)
        assert columns, name


def test_dashboards_are_whole():
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        assert re.fullmatch(r"junctor-[a-z]+", board["uid"])
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        assert len(set(places)) == len(places)
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])
