"""grpc.health.v1 for one service: liveness is the loop answering, readiness that all components are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

LIVENESS = "liveness"
READINESS = "readiness"
WATCH_INTERVAL = 0.25


class Health:
    """A service's health. `Service` tells it how to ask for readiness; until then the service is not ready."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._ready: Callable[[], bool] = lambda: False
        self.draining = False
        self._names = {"", READINESS, service}

    @property
    def ready(self) -> bool:
        """Whether the service can do its work now."""
        return not self.draining and self._ready()

    def drain(self) -> None:
        """From now on the service is not ready, and those who watch are told so and let go."""
        self.draining = True

    def feed(self, ready: Callable[[], bool]) -> None:
        """From now on readiness is what this function says; it is asked for every answer."""
        self._ready = ready

    def add_name(self, name: str) -> None:
        """A full gRPC service name whose health is this service's readiness."""
        self._names.add(name)

    def status(self, name: str) -> int | None:
        """The status of a name, None for an unknown one."""
        statuses = health_pb2.HealthCheckResponse
        if name == LIVENESS:
            return int(statuses.SERVING)
        if name not in self._names:
            return None
        return int(statuses.SERVING if self.ready else statuses.NOT_SERVING)


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """The RPCs over `Health`."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def Check(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """The status now; NOT_FOUND for an unknown name."""
        status = self._health.status(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "No service of this name runs here.")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        """The status now and after each change; SERVICE_UNKNOWN for an unknown name, as the protocol says."""
        last: int | None = None
        while True:
            status = self._health.status(request.service)
            if status is None:
                status = int(health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            if self._health.draining:
                return
            await asyncio.sleep(WATCH_INTERVAL)
