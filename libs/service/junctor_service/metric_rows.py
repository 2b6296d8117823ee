"""Metrics as rows, appended to a Kafka topic every few seconds: what a service counts and measures, since its start.

A record's value is rows of JSON, one a line (JSONEachRow). `TimeUnix` is Unix nanoseconds; a histogram's `Value` is the
sum of its `Count` values, as in the OpenTelemetry data model; `Count` is 0 for counters and gauges.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from junctor_service.append import Append
from junctor_service.tenant import SITE_HEADER

log = logging.getLogger(__name__)

TOPIC = "junctor.metrics.v1"


class Point(Protocol):
    """One value of one metric, as `Telemetry.points` gives it."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def attributes(self) -> Any: ...

    @property
    def value(self) -> float: ...

    @property
    def count(self) -> int: ...


class MetricRows:
    """Appends all points every `every` seconds. A reading whose append fails is left out: the next one has the sums."""

    def __init__(
        self, service: str, site: str, append: Append, points: Callable[[], Sequence[Point]], every: float
    ) -> None:
        self._service = service
        self._site = site
        self._append = append
        self._points = points
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="metrics")

    async def stop(self) -> None:
        """Appends a last reading, in a second at the most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._read(), 1.0)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self._read()

    async def _read(self) -> None:
        now = time.time_ns()
        rows = [
            {
                "TimeUnix": now,
                "ServiceName": self._service,
                "Site": self._site,
                "MetricName": point.name,
                "MetricUnit": point.unit,
                "Attributes": {name: str(value) for name, value in dict(point.attributes).items()},
                "Value": float(point.value),
                "Count": point.count,
            }
            for point in self._points()
        ]
        value = "\n".join(json.dumps(row) for row in rows).encode()
        try:
            await self._append(TOPIC, f"{self._site}/{self._service}", value, {SITE_HEADER: self._site})
        except Exception as error:
            log.info("metrics cannot be appended now", extra={"error": repr(error)})
