"""Answers from ClickHouse for those who do not write SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from junctor_service.clock import SystemClock
from junctor_service.errors import FieldViolation, invalid, unavailable

from junctor_analytics.application.values import LATEST_MS

_QUEUES = """
SELECT queue, offered, answered, abandoned, overflowed, service_level, asa_ms, aht_ms
FROM queue_report(tenant = %(tenant)s, from = %(since)s, to = %(until)s) ORDER BY queue
"""
_TIMELINE = """
SELECT toUnixTimestamp64Milli(time), service, type, data, event_id, toBool(void)
FROM contact_timeline(tenant = %(tenant)s, contact = %(contact)s)
LIMIT 10000
"""


class ReaderAway(Exception):
    """ClickHouse did not answer; asking again helps."""


class Reader(Protocol):
    """Asks ClickHouse."""

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Raises `ReaderAway`."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A row of `queue_report`; None where there was nothing to measure."""

    queue: str
    offered: int
    answered: int
    abandoned: int
    overflowed: int
    service_level: float | None
    asa_ms: float | None
    aht_ms: float | None


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event of a contact; `at` is Unix milliseconds. `void`: a decision that does not count."""

    at: int
    service: str
    type: str
    data: str
    event_id: str
    void: bool


class Reports:
    """Raises `ServiceError`: UNAVAILABLE (retry) while ClickHouse is away, INVALID_ARGUMENT for a span of no time."""

    def __init__(self, reader: Reader, clock: SystemClock) -> None:
        self._reader = reader
        self._clock = clock

    async def queues(self, tenant: str, begin: int, end: int) -> list[QueueRow]:
        """From `begin` (included) to `end` (not included; 0: now), Unix milliseconds; by queue."""
        until = end or self._clock.now_ms()
        if not 0 <= begin <= until <= LATEST_MS:
            raise invalid("The span of time is not valid.", FieldViolation("to", "Must lie at or after `from`."))
        rows = await self._rows(_QUEUES, tenant=tenant, since=_moment(begin), until=_moment(until))
        return [QueueRow(*row) for row in rows]

    async def timeline(self, tenant: str, contact_id: str) -> list[TimelineRow]:
        """The contact's events by time, at most 10,000; empty for a contact that ClickHouse does not know."""
        return [TimelineRow(*row) for row in await self._rows(_TIMELINE, tenant=tenant, contact=contact_id)]

    async def _rows(self, sql: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
        try:
            return await self._reader.rows(sql, parameters)
        except ReaderAway as error:
            raise unavailable("ClickHouse does not answer now.", reason="CLICKHOUSE_AWAY") from error


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
