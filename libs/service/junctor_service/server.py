"""The gRPC server of a service: a component with reflection, health and the guard around every call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from junctor_service.audit import Audit
from junctor_service.call_guard import CallGuard
from junctor_service.drain import remaining
from junctor_service.health import Health, HealthServicer
from junctor_service.setting_values import HostPort
from junctor_service.settings import CommonSettings
from junctor_service.telemetry import Telemetry
from junctor_service.tls import server_credentials
from junctor_service.verifier import TokenVerifier

log = logging.getLogger(__name__)

GRACE_SHARE = 0.8
LARGEST_MESSAGE = 8 * 1024 * 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.keepalive_time_ms", 30_000),
    # Clients ping every 30 s, on streams that are silent too, and for a moment without one: by default they are sent away
    # (GOAWAY, too_many_pings) who do so more often than every five minutes.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

Servicing = tuple[Callable[[Any, Any], None], Any]
"""A generated `add_…Servicer_to_server` and the servicer to add."""


class PortTaken(OSError):
    """The address cannot be listened on. Trying again helps only when whoever has it lets go."""

    retryable = False

    def __init__(self, listen: HostPort, why: str = "it is in use or not an address of this machine") -> None:
        super().__init__(f"{listen} cannot be listened on: {why}")


class GrpcServer:
    """Serves `servicers` on the settings' address. Stopping ends streams at once and lets unary calls finish."""

    name = "grpc"

    def __init__(
        self,
        service: str,
        settings: CommonSettings,
        servicers: Sequence[Servicing],
        *,
        verifier: TokenVerifier,
        audit: Audit,
        health: Health,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._settings = settings
        self._servicers = servicers
        self._health = health
        telemetry = telemetry or Telemetry(service, settings)
        self._guard = CallGuard(service, settings, verifier=verifier, audit=audit, telemetry=telemetry)
        self._server: Any = None
        self._port = 0

    @property
    def ready(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before the start."""
        return self._port

    @property
    def address(self) -> str:
        """host:port at which others reach it."""
        advertised = self._settings.grpc_advertise
        return str(advertised) if advertised else f"{self._settings.grpc_listen.host}:{self._port}"

    async def start(self) -> None:
        """Listens. Raises `PortTaken`."""
        server = grpc.aio.server(interceptors=[self._guard], options=OPTIONS)
        names = _Names(server)
        for add, servicer in self._servicers:
            add(servicer, names)
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(self._health), server)
        for name in names.found:
            self._health.add_name(name)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection([*names.found, health_name, reflection.SERVICE_NAME], server)
        listen = self._settings.grpc_listen
        try:
            credentials = server_credentials(self._settings)
            if credentials is None:
                self._port = server.add_insecure_port(str(listen))
            else:
                self._port = server.add_secure_port(str(listen), credentials)
        except RuntimeError as error:
            raise PortTaken(listen) from error
        await server.start()
        self._server = server
        log.info("gRPC server listens", extra={"address": self.address})

    async def stop(self, deadline: float) -> None:
        """New calls are refused, streams end, unary calls have 80 % of what is left until the deadline."""
        server, self._server = self._server, None
        self._health.drain()
        self._guard.drain()
        await server.stop(remaining(deadline) * GRACE_SHARE)


class _Names:
    """Passes handlers on to the server and notes the names of their services."""

    def __init__(self, server: Any) -> None:
        self.found: list[str] = []
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        self.found += [handler.service_name() for handler in handlers]
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        self._server.add_registered_method_handlers(service, handlers)
