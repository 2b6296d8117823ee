"""Calls to other services: one channel per address, and what every call carries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind

from junctor_service.errors import ServiceError, from_rpc_error
from junctor_service.settings import CommonSettings, ConnectionSettings
from junctor_service.telemetry import Telemetry
from junctor_service.tenant import TENANT_METADATA, is_tenant
from junctor_service.tls import channel_credentials
from junctor_service.token_source import TokenSource
from junctor_service.tokens import current_principal
from junctor_service.trace_context import TRACEPARENT, current_traceparent

T = TypeVar("T")

DEFAULT_DEADLINE = 10.0
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
)


async def rpc(call: Awaitable[T]) -> T:
    """What the call gives. Raises `ServiceError` in place of gRPC's error."""
    try:
        return await call
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


class Channels:
    """A component that owns the channels of one caller.

    Each call carries: the caller's token; the tenant (given in the metadata, else of the request's field, else of the
    call that is being handled); a deadline (10 s without one; streams none); the trace. A unary call that ends with
    UNAVAILABLE is made again with the same request until its deadline: mutating requests have a request id, so they are
    applied once.
    """

    name = "channels"

    def __init__(
        self, tokens: TokenSource, *, telemetry: Telemetry | None = None, settings: ConnectionSettings | None = None
    ) -> None:
        deadline = settings.rpc_deadline if isinstance(settings, CommonSettings) else DEFAULT_DEADLINE
        carried = _Carried(tokens, telemetry, deadline)
        self._interceptors: Any = [
            _UnaryUnary(carried),
            _StreamUnary(carried),
            _UnaryStream(carried),
            _StreamStream(carried),
        ]
        self._credentials = channel_credentials(settings) if settings else None
        self._channels: dict[str, grpc.aio.Channel] = {}

    @property
    def ready(self) -> bool:
        """Always: a channel connects when it is used."""
        return True

    async def start(self) -> None:
        """Nothing to wait for."""

    async def stop(self, deadline: float) -> None:
        """Closes all channels."""
        await self.close()

    def channel(self, address: str) -> Any:
        """The channel to host:port, always the same one. Must be called in the event loop that uses it."""
        if address not in self._channels:
            self._channels[address] = (
                grpc.aio.insecure_channel(address, OPTIONS, interceptors=self._interceptors)
                if self._credentials is None
                else grpc.aio.secure_channel(address, self._credentials, OPTIONS, interceptors=self._interceptors)
            )
        return self._channels[address]

    async def close(self) -> None:
        """Closes all channels; calls under way are cancelled."""
        channels, self._channels = self._channels, {}
        await asyncio.gather(*(channel.close(None) for channel in channels.values()))


class _Carried:
    """What is attached to a call."""

    def __init__(self, tokens: TokenSource, telemetry: Telemetry | None, deadline: float) -> None:
        self.telemetry = telemetry
        self.deadline = deadline
        self._tokens = tokens

    async def details(self, details: Any, request: Any, timeout: float | None) -> Any:
        metadata = grpc.aio.Metadata(*(tuple(pair) for pair in details.metadata or ()))
        if "authorization" not in metadata:
            metadata.add("authorization", f"Bearer {await self._tokens.token()}")
        if TENANT_METADATA not in metadata and (tenant := _tenant_of(request)):
            metadata.add(TENANT_METADATA, tenant)
        if TRACEPARENT not in metadata and (traceparent := current_traceparent()):
            metadata.add(TRACEPARENT, traceparent)
        return grpc.aio.ClientCallDetails(
            details.method, timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, carried: _Carried) -> None:
        self._carried = carried

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        telemetry, method = self._carried.telemetry, _text(details.method)
        if telemetry is None:
            return await self._call(continuation, details, request)
        began = time.monotonic()
        with telemetry.rpc_span(method, SpanKind.CLIENT) as span:
            call = await self._call(continuation, details, request)
            code = (await call.code()).name
            span.set_attribute("rpc.grpc.status_code", code)
        attributes = {"rpc.method": method, "rpc.grpc.status_code": code}
        telemetry.histogram("junctor.rpc.client_duration").record((time.monotonic() - began) * 1000, attributes)
        return call

    async def _call(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        deadline = time.monotonic() + (self._carried.deadline if details.timeout is None else details.timeout)
        pause = FIRST_PAUSE
        while True:
            left = max(0.001, deadline - time.monotonic())
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 spreads retries, guards nothing
            try:
                carried = await self._carried.details(details, request, left)
            except ServiceError as error:
                if not error.retryable or time.monotonic() + wait >= deadline:
                    raise
            else:
                call = await continuation(carried, request)
                try:
                    code = await call.code()
                except asyncio.CancelledError:
                    call.cancel()
                    raise
                if code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() + wait >= deadline:
                    return call
            await asyncio.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, carried: _Carried) -> None:
        self._carried = carried

    async def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        timeout = self._carried.deadline if details.timeout is None else details.timeout
        return await continuation(await self._carried.details(details, None, timeout), requests)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, carried: _Carried) -> None:
        self._carried = carried

    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(await self._carried.details(details, request, details.timeout), request)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, carried: _Carried) -> None:
        self._carried = carried

    async def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return await continuation(await self._carried.details(details, None, details.timeout), requests)


def _tenant_of(request: Any) -> str:
    tenant = getattr(request, "tenant", "") if isinstance(request, Message) else ""
    if isinstance(tenant, str) and is_tenant(tenant):
        return tenant
    principal = current_principal()
    return principal.tenant if principal is not None and is_tenant(principal.tenant) else ""


def _text(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method
