"""The one place where `gateway` is put together."""

from __future__ import annotations

from junctor_service.foundation import Foundation
from junctor_service.run import Component, Service
from junctor_service.server import GrpcServer

from junctor_gateway.adapters.grpc_upstream import GrpcUpstream
from junctor_gateway.adapters.record_log import RecordLog
from junctor_gateway.application.admission import Admission
from junctor_gateway.application.catalogue import methods
from junctor_gateway.entrypoints.app import application
from junctor_gateway.entrypoints.calls import Calls
from junctor_gateway.entrypoints.http_server import HttpServer
from junctor_gateway.settings import GatewaySettings


def bind(settings: GatewaySettings) -> Service:
    f = Foundation("gateway", settings)
    addresses = {method.service: getattr(settings, f"{method.service}_address", None) for method in methods()}
    upstream = GrpcUpstream(f.channels, addresses)
    calls = Calls(Admission(f.verifier, f.audit), upstream, f.telemetry, settings.heartbeat)
    app = application(calls, settings, f.health)
    http = HttpServer(app, settings.http_listen, calls.drain, settings.concurrency_limit)
    grpc = GrpcServer(
        "gateway", settings, [], verifier=f.verifier, audit=f.audit, health=f.health, telemetry=f.telemetry
    )
    parts: list[Component] = [*f.probes, RecordLog(f.log), f.telemetry, f.audit, f.verifier, f.channels, http, grpc]
    return Service("gateway", parts, settings, health=f.health)
