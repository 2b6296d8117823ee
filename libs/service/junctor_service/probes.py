"""Health alone, on an address of its own and without TLS or tokens: what Kubernetes' gRPC probes can ask.

It listens first, so a service tells that it lives while it still waits for Kafka.
"""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2_grpc

from junctor_service.health import Health, HealthServicer
from junctor_service.server import PortTaken
from junctor_service.setting_values import HostPort


class ProbeServer:
    """A component that serves grpc.health.v1 on `listen`: names "liveness" and "readiness"."""

    name = "probes"

    def __init__(self, health: Health, listen: HostPort) -> None:
        self._health = health
        self._listen = listen
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def ready(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listens. Raises `PortTaken`."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(self._health), server)
        try:
            self.port = server.add_insecure_port(str(self._listen))
        except RuntimeError as error:
            raise PortTaken(self._listen) from error
        await server.start()
        self._server = server

    async def stop(self, deadline: float) -> None:
        """Ends at once: it stops last, when nothing of the service is left."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)
