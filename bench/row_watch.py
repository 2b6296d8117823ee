"""Looks for new event rows in ClickHouse again and again, and notes how old each event was when its row was first seen."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from clickhouse_driver import Client

NEW_ROWS = """
SELECT event_id, toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(inserted_at) FROM junctor.events
WHERE inserted_at > now64(3) - INTERVAL %(back)s SECOND
"""
_LOOK_BACK = 4
_QUIET = 4.0


class RowWatch:
    """`seen_ms` and `inserted_ms` have one value for each event that happened after `begin`, in milliseconds."""

    def __init__(self, connection: dict[str, Any], every: float = 0.1) -> None:
        self.every = every
        self.seen_ms: list[float] = []
        self.inserted_ms: list[float] = []
        self._client = Client(**connection)
        self._known: set[str] = set()
        self._since_ms = float("inf")
        self._newest = time.monotonic()

    def begin(self) -> None:
        self._since_ms = time.time() * 1000

    async def run(self) -> None:
        while True:
            rows = await asyncio.to_thread(self._client.execute, NEW_ROWS, {"back": _LOOK_BACK})
            now = time.time() * 1000
            for event_id, happened, inserted in rows:
                if event_id in self._known:
                    continue
                self._known.add(event_id)
                self._newest = time.monotonic()
                if happened >= self._since_ms:
                    self.seen_ms.append(now - happened)
                    self.inserted_ms.append(float(inserted - happened))
            await asyncio.sleep(self.every)

    async def settle(self) -> None:
        """Returns when no new row has come for some seconds."""
        while time.monotonic() - self._newest < _QUIET:  # noqa: ASYNC110
            await asyncio.sleep(self.every)
