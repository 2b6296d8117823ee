"""Keeps the table of queues as the directory has them: names and service-level targets."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from junctor.directory.v1 import directory_pb2
from junctor_journal.replica import Replica, StateItem
from junctor_service.clock import SystemClock

from junctor_analytics.application import tables
from junctor_analytics.application.ports import RowsRefused, Warehouse, WarehouseAway
from junctor_analytics.application.values import text

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_GATHER_SECONDS = 0.2


class QueueDimension:
    """Writes each changed queue. A queue that is deleted keeps its row: reports of the past need it.

    Writing a queue twice does no harm, the newer row counts: so all are written again after a start.
    """

    def __init__(
        self, replica: Replica[directory_pb2.DirectoryValue], warehouse: Warehouse, clock: SystemClock
    ) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._changed: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._wake = asyncio.Event()
        replica.listen(self._see)

    async def run(self) -> None:
        """Runs as long as the service."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._wake.clear()
            rows, self._changed = self._changed, {}
            version = self._clock.now_ms()
            while rows:
                try:
                    values = [{**row, "version": version} for row in rows.values()]
                    await self._warehouse.insert(tables.QUEUES, values, uuid.uuid4().hex)
                    break
                except WarehouseAway:
                    await asyncio.sleep(_RETRY_SECONDS)
                except RowsRefused as error:
                    log.error("queues were refused", extra={"queues": len(rows), "error": str(error)})
                    break

    def _see(self, item: StateItem[directory_pb2.DirectoryValue], deleted: bool) -> None:
        if item.kind != "queue" or deleted:
            return
        queue = item.value.value.queue
        self._changed[item.tenant, item.id] = {
            "tenant": item.tenant,
            "queue": item.id,
            "name": text(queue.name),
            "service_level_ms": queue.service_level_ms,
            "service_level_percent": queue.service_level_percent,
        }
        self._wake.set()
