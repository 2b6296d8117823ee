"""The report that ends the demonstration, read by SQL from ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isnan
from typing import Any

from clickhouse_driver import Client
from rich.console import Console
from rich.table import Table

from junctor_cli.demonstration.cast import TENANT

QUEUES = """
SELECT queue, offered, answered, abandoned, overflowed, service_level, asa_ms, aht_ms
FROM junctor.queue_report(tenant = %(tenant)s, from = %(since)s, to = %(until)s) ORDER BY queue
"""
TIMELINE = """
SELECT time, service, type, data FROM junctor.contact_timeline(tenant = %(tenant)s, contact = %(contact)s)
"""
EVENT_IDS = "SELECT event_id FROM junctor.contact_timeline(tenant = %(tenant)s, contact = %(contact)s)"
CONTACTS = """
SELECT contact_id, cause, closed_at FROM junctor.contacts
WHERE tenant = %(tenant)s AND contact_id IN %(contacts)s
"""
SEGMENTS = """
SELECT contact_id, kind, queue, agent_id, result FROM junctor.segments
WHERE tenant = %(tenant)s AND contact_id IN %(contacts)s ORDER BY contact_id, segment
"""
RECORDINGS = """
SELECT contact_id, path, duration_ms FROM junctor.recordings
WHERE tenant = %(tenant)s AND contact_id IN %(contacts)s AND state = 'sealed'
"""


class Reports:
    """Questions to ClickHouse as the analyst's account."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._client = Client(**connection)

    def queues(self, since_ms: int, until_ms: int) -> list[tuple[Any, ...]]:
        return self._rows(QUEUES, since=_moment(since_ms), until=_moment(until_ms))

    def timeline(self, contact: str) -> list[tuple[Any, ...]]:
        return self._rows(TIMELINE, contact=contact)

    def event_ids(self, contact: str) -> list[str]:
        """Every event of the contact, as the reports count it."""
        return [row[0] for row in self._rows(EVENT_IDS, contact=contact)]

    def contacts(self, contacts: list[str]) -> list[tuple[Any, ...]]:
        """contact_id, cause, closed_at."""
        return self._rows(CONTACTS, contacts=contacts)

    def segments(self, contacts: list[str]) -> list[tuple[Any, ...]]:
        """contact_id, kind, queue, agent_id, result."""
        return self._rows(SEGMENTS, contacts=contacts)

    def recordings(self, contacts: list[str]) -> list[tuple[Any, ...]]:
        """contact_id, path, duration_ms."""
        return self._rows(RECORDINGS, contacts=contacts)

    def _rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._client.execute(sql, {"tenant": TENANT, **parameters})
        return rows


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def show_queues(console: Console, rows: list[tuple[Any, ...]]) -> None:
    table = Table(
        "queue",
        "offered",
        "answered",
        "abandoned",
        "overflowed",
        "SL 80/20",
        "ASA",
        "AHT",
        title="Queues, from ClickHouse",
    )
    for queue, offered, answered, abandoned, overflowed, level, asa, aht in rows:
        share = "" if level is None else f"{level:.0%}"
        table.add_row(
            queue, str(offered), str(answered), str(abandoned), str(overflowed), share, _seconds(asa), _seconds(aht)
        )
    console.print(table)


def _seconds(milliseconds: float | None) -> str:
    return "" if milliseconds is None or isnan(milliseconds) else f"{milliseconds / 1000:.1f} s"
