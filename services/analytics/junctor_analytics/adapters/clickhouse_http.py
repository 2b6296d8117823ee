"""Inserts into ClickHouse over HTTP, JSONEachRow."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from junctor_service.drain import remaining

from junctor_analytics.application.ports import RowsRefused, WarehouseAway

log = logging.getLogger(__name__)

_WATCH_EVERY = 1.0
_CONNECT_SECONDS, _ANSWER_SECONDS = 2.0, 30.0
UNKNOWN_DATABASE = 81
_SCHEMA_GONE = frozenset({16, 60, 81})
# Codes of ClickHouse's ErrorCodes.cpp that say: this row will never be taken. All others may pass with time.
_ROW_AT_FAULT = frozenset({6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 321, 349, 407, 432, 467, 1001})
# A batch is one block of one thread, so that its token names one part per month; nothing waits in ClickHouse's memory.
_INSERT = {
    "async_insert": "0",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "input_format_parallel_parsing": "0",
    "input_format_skip_unknown_fields": "0",
    "max_insert_threads": "1",
    "max_insert_block_size": "10000000",
    "max_partitions_per_insert_block": "0",
    "wait_end_of_query": "1",
}


@dataclass(frozen=True, slots=True)
class ClickHouseAddress:
    """`url` is the HTTP interface, `authority` a PEM file of who signed its certificate (the system's if None)."""

    url: str
    user: str
    password: str
    database: str
    authority: Path | None = None


class StatementFailed(Exception):
    """ClickHouse refused a statement. `code` is of its ErrorCodes.cpp, 0 where the answer has none."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ClickHouseHttp:
    """One connection pool. Raises `WarehouseAway` where there is no answer, `StatementFailed` where it is a refusal."""

    def __init__(self, address: ClickHouseAddress) -> None:
        self.database = address.database
        self._client = httpx.AsyncClient(
            base_url=address.url,
            headers={"X-ClickHouse-User": address.user, "X-ClickHouse-Key": address.password},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            verify=ssl.create_default_context(cafile=address.authority),
            trust_env=False,
        )

    async def run(self, statement: str, *, database: bool = True, **settings: str) -> str:
        """Runs one statement and gives its output."""
        return await self._post({"wait_end_of_query": "1", **settings}, statement.encode(), database=database)

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]], token: str) -> None:
        body = b"\n".join([msgspec.json.encode(row) for row in rows])
        query = f"INSERT INTO {table} FORMAT JSONEachRow"
        await self._post({**_INSERT, "query": query, "insert_deduplication_token": token}, body)

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, parameters: Mapping[str, str], body: bytes, *, database: bool = True) -> str:
        named = {"database": self.database} if database else {}
        try:
            answer = await self._client.post("/", params={**named, **parameters}, content=body)
        except httpx.HTTPError as error:
            raise WarehouseAway(f"ClickHouse does not answer: {type(error).__name__}") from error
        if answer.status_code != 200 or "X-ClickHouse-Exception-Code" in answer.headers:
            code = answer.headers.get("X-ClickHouse-Exception-Code", "")
            raise StatementFailed(int(code) if code.isdigit() else 0, answer.text[:500])
        return answer.text


class ClickHouseWarehouse:
    """A component: applies the schema when ClickHouse is there, and watches whether it is.

    `prepare` is run with a connection when it comes and whenever its tables are found missing.
    """

    name = "clickhouse"

    def __init__(self, http: ClickHouseHttp, prepare: Callable[[ClickHouseHttp], Awaitable[None]]) -> None:
        self._http = http
        self._prepare = prepare
        self._prepared = False
        self._answers = False
        self._task: asyncio.Task[None] | None = None

    @property
    def available(self) -> bool:
        return self._prepared and self._answers

    @property
    def ready(self) -> bool:
        return self.available

    async def start(self) -> None:
        """Returns at once, ClickHouse there or not."""
        self._task = asyncio.create_task(self._watch(), name="clickhouse watch")

    async def stop(self, deadline: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        async with asyncio.timeout(max(0.05, remaining(deadline))):
            await self._http.close()

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]], token: str) -> None:
        """As the port says."""
        if not self._prepared:
            raise WarehouseAway("the schema is not there yet")
        try:
            await self._http.insert(table, rows, token)
        except WarehouseAway:
            self._answers = False
            raise
        except StatementFailed as error:
            if error.code in _ROW_AT_FAULT:
                raise RowsRefused(f"ClickHouse refuses a row: {_kind(error)}") from error
            self._answers = False
            self._prepared = self._prepared and error.code not in _SCHEMA_GONE
            raise WarehouseAway(f"ClickHouse cannot insert: {_kind(error)}") from error
        self._answers = True

    async def _watch(self) -> None:
        failing = False
        while True:
            try:
                if not self._prepared:
                    await self._prepare(self._http)
                    self._prepared = True
                    log.info("ClickHouse's schema is up to date")
                else:
                    await self._http.run("SELECT 1 FROM event_rows LIMIT 0")
                self._answers = True
                failing = False
            except (WarehouseAway, StatementFailed) as error:
                self._answers = False
                if isinstance(error, StatementFailed) and error.code in _SCHEMA_GONE:
                    self._prepared = False
                if not failing:
                    log.warning("ClickHouse cannot be used now", extra={"error": str(error)[:300]})
                failing = True
            except Exception:
                self._answers = False
                log.exception("watching ClickHouse failed")
            await asyncio.sleep(_WATCH_EVERY)


def _kind(error: StatementFailed) -> str:
    """Code and name, without the text in between, which quotes the row."""
    name = str(error).rpartition("(version")[0].rstrip().rpartition("(")[2].rstrip(")")
    return f"code {error.code} {name if name.isupper() else ''}".rstrip()
