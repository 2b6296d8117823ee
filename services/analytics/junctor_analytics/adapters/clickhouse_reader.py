"""Reads from ClickHouse over the native protocol."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException

from junctor_analytics.application.reports import ReaderAway

log = logging.getLogger(__name__)

_THREADS = 4
_CONNECT_SECONDS, _ANSWER_SECONDS = 2, 30
# Of ClickHouse's ErrorCodes.cpp: passes with time (too many queries, a time or memory limit, schema not there yet, ...).
_PASSES = frozenset({3, 60, 81, 159, 160, 202, 209, 210, 236, 241, 394, 439})


class ClickHouseReader:
    """A component and the port `Reader`: a few threads with a connection each."""

    name = "clickhouse reader"
    ready = True

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        database: str,
        *,
        tls: bool = False,
        authority: Path | None = None,
    ) -> None:
        """With `tls` the server's certificate is checked, against the PEM file `authority` where there is one."""
        self._connection: dict[str, Any] = {
            "host": host,
            "port": port,
            "user": user,
            "password": password,
            "database": database,
            "connect_timeout": _CONNECT_SECONDS,
            "send_receive_timeout": _ANSWER_SECONDS,
            "settings": {"max_execution_time": _ANSWER_SECONDS},
        }
        if tls:
            self._connection |= {"secure": True, "verify": True}
            if authority is not None:
                self._connection["ca_certs"] = str(authority)
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="clickhouse")

    async def start(self) -> None:
        """Connects when asked."""

    async def stop(self, deadline: float) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def rows(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._rows, sql, parameters)

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client(**self._connection)
        try:
            found: Sequence[tuple[Any, ...]] = client.execute(sql, dict(parameters))
            return found
        except (Error, OSError, EOFError) as error:
            client.disconnect()
            self._local.client = None
            if isinstance(error, ServerException) and error.code not in _PASSES:
                raise
            raise ReaderAway(f"ClickHouse does not answer: {type(error).__name__}") from error
