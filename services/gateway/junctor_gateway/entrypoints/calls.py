"""One RPC on behalf of an HTTP request: admitted, traced, timed, made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.message import Message
from junctor_service.errors import ServiceError
from junctor_service.telemetry import Telemetry
from opentelemetry.trace import SpanKind, Status, StatusCode

from junctor_gateway.application.admission import Admission, Caller
from junctor_gateway.application.catalogue import Method
from junctor_gateway.application.upstream import Upstream
from junctor_gateway.entrypoints.open_stream import OpenStream, draining_error


class Calls:
    """Unary calls and streams. `drain` ends the streams, which have no end of their own."""

    def __init__(self, admission: Admission, upstream: Upstream, telemetry: Telemetry, heartbeat: float) -> None:
        self.admission = admission
        self._upstream = upstream
        self._telemetry = telemetry
        self._heartbeat = heartbeat
        self._durations = telemetry.histogram("junctor.rpc.server_duration")
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Streams end with UNAVAILABLE, retryable; new ones are refused."""
        self._draining.set()

    async def unary(self, method: Method, request: Message, caller: Caller, timeout: float) -> Message:
        """The response. Raises `ServiceError`."""
        with self._observed(method, caller):
            self.admission.check(method, caller, request)
            return await self._upstream.unary(method, request, caller, timeout)

    async def stream(self, method: Method, request: Message, caller: Caller, timeout: float | None) -> OpenStream:
        """The stream, once it has a first response or has been quiet for a moment. Raises `ServiceError`.

        The span and the duration are those of the opening.
        """
        with self._observed(method, caller):
            self.admission.check(method, caller, request)
            if self._draining.is_set():
                raise draining_error()
            responses = self._upstream.stream(method, request, caller, timeout)
            stream = OpenStream(responses, self._draining, self._heartbeat)
            try:
                await stream.open()
            except BaseException:
                await stream.close()
                raise
            return stream

    @contextmanager
    def _observed(self, method: Method, caller: Caller) -> Iterator[None]:
        began, code = time.monotonic(), "OK"
        with self._telemetry.rpc_span(method.rpc_path, SpanKind.SERVER, caller.traceparent) as span:
            try:
                yield
            except ServiceError as error:
                code = error.code.name
                span.set_status(Status(StatusCode.ERROR, code))
                raise
            finally:
                took = (time.monotonic() - began) * 1000
                self._durations.record(took, {"rpc.method": method.rpc_path, "rpc.grpc.status_code": code})
