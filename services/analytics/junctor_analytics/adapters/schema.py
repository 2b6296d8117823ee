"""Brings ClickHouse's schema up to date: numbered SQL files in order, then how long rows are kept.

Every statement can be run again, so that a crash half way does no harm. Tables change by a new file; a view may be edited
where it stands: a file whose content is not the one that was applied is applied again.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import files

from junctor_analytics.adapters.clickhouse_http import UNKNOWN_DATABASE, ClickHouseHttp, StatementFailed
from junctor_analytics.application import tables

log = logging.getLogger(__name__)

_APPLIED = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(applied_at) ORDER BY name
"""
_TIMES = {
    tables.EVENTS: "time",
    tables.CONTACTS: "arrived_at",
    tables.SEGMENTS: "started_at",
    tables.TASKS: "time",
    tables.AGENT_STATES: "started_at",
    tables.RECORDINGS: "time",
    tables.AUDIT: "time",
    tables.TRACES: "Timestamp",
    tables.METRICS: "TimeUnix",
}
_SHORT_LIVED = (tables.TRACES, tables.METRICS)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    name: str
    statements: tuple[str, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that rows are kept; 0: for ever."""

    days: int = 400
    trace_days: int = 14


def migrations() -> list[Migration]:
    """Those that come with the package, in order."""
    found = []
    for file in sorted((files(__package__) / "migrations").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            content = file.read_text(encoding="utf-8")
            found.append(Migration(file.name, _statements(content), hashlib.sha256(content.encode()).hexdigest()))
    return found


async def prepare(http: ClickHouseHttp, retention: Retention) -> None:
    """Raises `WarehouseAway` (try again), `StatementFailed` (a right or a table's shape is not as it must be)."""
    await _make_database(http)
    await http.run(_APPLIED)
    listed = await http.run("SELECT name, checksum FROM schema_migrations FINAL FORMAT TSV")
    applied = dict(line.split("\t") for line in listed.splitlines())
    for migration in migrations():
        if applied.get(migration.name) == migration.checksum:
            continue
        for statement in migration.statements:
            await http.run(statement)
        values = f"('{migration.name}', '{migration.checksum}')"
        await http.run(f"INSERT INTO schema_migrations (name, checksum) VALUES {values}")  # noqa: S608 names of our own files
        log.info("a migration was applied", extra={"migration": migration.name})
    await _keep(http, retention)


async def _make_database(http: ClickHouseHttp) -> None:
    try:
        await http.run("SELECT 1")
    except StatementFailed as error:
        if error.code != UNKNOWN_DATABASE:
            raise
        await http.run(f"CREATE DATABASE IF NOT EXISTS {http.database}", database=False)


async def _keep(http: ClickHouseHttp, retention: Retention) -> None:
    query = "SELECT name, replaceAll(create_table_query, '\\n', ' ') FROM system.tables"
    listed = await http.run(f"{query} WHERE database = currentDatabase() FORMAT TSVRaw")
    made = dict(line.split("\t", 1) for line in listed.splitlines())
    for table, column in _TIMES.items():
        days = retention.trace_days if table in _SHORT_LIVED else retention.days
        ttl = f"toDateTime({column}) + toIntervalDay({days})"
        if days and f"TTL {ttl}" not in made[table]:
            await http.run(f"ALTER TABLE {table} MODIFY TTL {ttl}", materialize_ttl_after_modify="0")
        elif not days and " TTL " in made[table]:
            await http.run(f"ALTER TABLE {table} REMOVE TTL")


def _statements(content: str) -> tuple[str, ...]:
    """Separated by a semicolon at a line's end; comments are dropped."""
    lines = [line for line in content.splitlines() if not line.lstrip().startswith("--")]
    return tuple(part.strip() for part in "\n".join([*lines, ""]).split(";\n") if part.strip())
