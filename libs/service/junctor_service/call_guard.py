"""The server's interceptor: every call is admitted, traced, timed, bounded and, if refused, audited."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status
from junctor_journal.errors import JournalError
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span

from junctor_service import logs
from junctor_service.audit import Audit, Outcome
from junctor_service.call_policy import check_request, check_role, for_tenant, rule_of, seconds_for
from junctor_service.commands import service_error
from junctor_service.deadlines import deadline_in
from junctor_service.errors import RETRYABLE, Code, ServiceError, from_rpc_error, unavailable
from junctor_service.settings import CommonSettings
from junctor_service.telemetry import Telemetry
from junctor_service.tenant import tenant_of_metadata
from junctor_service.tokens import KeysUnavailable, Principal, Refusal, TokenRefused, acting_as
from junctor_service.trace_context import TRACEPARENT
from junctor_service.verifier import SKEW_SECONDS, TokenVerifier

log = logging.getLogger(__name__)

OPEN_SERVICES = ("/grpc.health.v1.Health/",)
LONGEST_STREAM = 10 * 365 * 86_400.0
"""Seconds; a token that lives longer ends no stream."""
AUDITED = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED})


class CallGuard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler but those of health."""

    def __init__(
        self,
        service: str,
        settings: CommonSettings,
        *,
        verifier: TokenVerifier,
        audit: Audit,
        telemetry: Telemetry,
    ) -> None:
        self._service = service
        self._settings = settings
        self._verifier = verifier
        self._audit = audit
        self._telemetry = telemetry
        self._durations = telemetry.histogram("junctor.rpc.server_duration")
        self._streams: set[asyncio.Task[Any]] = set()
        self._draining = False

    def drain(self) -> None:
        """Ends the streams, which have no end of their own, with UNAVAILABLE; unary calls go on."""
        self._draining = True
        for task in self._streams:
            task.cancel()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler with the guard around it; None for an unknown method, which becomes UNIMPLEMENTED."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN_SERVICES):
            return handler
        if handler.response_streaming:
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            inner = handler.stream_stream or handler.unary_stream
            guarded = self._streaming(method, inner)
        else:
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            inner = handler.stream_unary or handler.unary_unary
            guarded = self._unary(method, inner)
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _unary(self, method: str, inner: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def guarded(request: Any, context: Any) -> Any:
            async with _Call(self, method, context) as call:
                request = await call.admit(request)
                seconds = seconds_for(
                    context.time_remaining(), self._settings.rpc_deadline, self._settings.rpc_deadline_limit
                )
                with deadline_in(seconds):
                    return await call.within(seconds, inner(request, context))

        return guarded

    def _streaming(self, method: str, inner: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Awaitable[None]]:
        async def guarded(request: Any, context: Any) -> None:
            async with _Call(self, method, context) as call:
                request = await call.admit(request)
                if self._draining:
                    raise _draining()
                task = asyncio.current_task()
                assert task is not None
                self._streams.add(task)
                try:
                    with deadline_in(context.time_remaining()):
                        await call.while_allowed(_write_all(inner(request, context), context))
                except asyncio.CancelledError:
                    if not self._draining or context.cancelled():
                        raise
                    task.uncancel()
                    raise _draining() from None
                finally:
                    self._streams.discard(task)

        return guarded


class _Call:
    """One call: its span, its principal, and the way in which its failure is told."""

    def __init__(self, guard: CallGuard, method: str, context: Any) -> None:
        self._guard = guard
        self._method = method
        self._context = context
        self._metadata = tuple(context.invocation_metadata() or ())
        self._stack = AsyncExitStack()
        self._began = time.monotonic()
        self._principal: Principal | None = None
        self._tenant = ""
        self._code = "OK"

    async def __aenter__(self) -> _Call:
        logs.set_service(self._guard._service, self._guard._settings.site)
        traceparent = self._text(TRACEPARENT)
        self._stack.enter_context(self._guard._telemetry.rpc_span(self._method, SpanKind.SERVER, traceparent))
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            if isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
                await self._refuse(self._told(error))
        except grpc.aio.AbortError:
            raise
        finally:
            if error is not None and self._code == "OK":
                code = self._context.code()
                self._code = getattr(code, "name", None) or "CANCELLED"
            took = (time.monotonic() - self._began) * 1000
            span = get_current_span()
            span.set_attribute("rpc.grpc.status_code", self._code)
            if error is not None:
                span.set_status(Status(StatusCode.ERROR, self._code))
            self._guard._durations.record(took, {"rpc.method": self._method, "rpc.grpc.status_code": self._code})
            await self._stack.aclose()

    async def admit(self, request: Any) -> Any:
        """The request, checked; a stream of requests is checked as it is read. Raises what the caller is told."""
        self._tenant = tenant_of_metadata(self._metadata) or ""
        principal = await self._guard._verifier.verify(self._token())
        self._principal = principal
        self._tenant = self._tenant or principal.tenant
        check_role(principal, rule_of(self._method))
        self._principal = principal = for_tenant(principal, tenant_of_metadata(self._metadata))
        self._stack.enter_context(acting_as(principal))
        get_current_span().set_attribute("junctor.tenant", principal.tenant)
        if not isinstance(request, Message):
            self._stack.enter_context(logs.fields(tenant=principal.tenant))
            return self._checked(principal, request)
        check_request(principal, request)
        fields = {"tenant": principal.tenant}
        contact_id = getattr(request, "contact_id", "")
        if isinstance(contact_id, str) and contact_id:
            fields["contact_id"] = contact_id
            get_current_span().set_attribute("junctor.contact_id", contact_id)
        self._stack.enter_context(logs.fields(**fields))
        return request

    async def within(self, seconds: float, work: Awaitable[Any]) -> Any:
        """What the work gives. Raises `ServiceError` (DEADLINE_EXCEEDED, retryable) when the time has passed."""
        try:
            async with asyncio.timeout(seconds) as limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise ServiceError(
                    Code.DEADLINE_EXCEEDED, f"The call took longer than its {seconds:.3g} s.", reason="DEADLINE"
                ) from None
            raise

    async def while_allowed(self, work: Awaitable[None]) -> None:
        """Does the work of a stream. Raises `TokenRefused` when the token that opened it has expired."""
        assert self._principal is not None
        left = self._principal.expires + SKEW_SECONDS - time.time()
        try:
            async with asyncio.timeout(left if left < LONGEST_STREAM else None) as limit:
                await work
        except TimeoutError:
            if limit.expired():
                raise TokenRefused(
                    Refusal.EXPIRED, "The token has expired; open the stream again with a new one."
                ) from None
            raise

    async def _checked(self, principal: Principal, requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            check_request(principal, request)
            yield request

    def _token(self) -> str | None:
        kind, _, token = self._text("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else None

    def _text(self, name: str) -> str:
        value = next((value for key, value in self._metadata if key == name), "")
        return value if isinstance(value, str) else value.decode("ascii", "replace")

    def _told(self, error: Exception) -> ServiceError:
        """What the caller is told about an exception. Those that no one foresaw say nothing of the inside."""
        match error:
            case ServiceError():
                return error
            case TokenRefused():
                return ServiceError(Code.UNAUTHENTICATED, error.message, reason=error.refusal.value)
            case JournalError():
                return service_error(error)
            case KeysUnavailable():
                return unavailable(str(error), reason="TOKEN_KEYS_UNAVAILABLE")
            case grpc.RpcError() if from_rpc_error(error).code in RETRYABLE:
                log.warning("a service that this one needs is away", exc_info=error)
                return unavailable("A service that this one needs is away.", reason="DEPENDENCY_UNAVAILABLE")
            case _:
                log.error("call failed", extra={"method": self._method}, exc_info=error)
                return ServiceError(Code.INTERNAL, "The call failed inside the service.", reason="INTERNAL")

    async def _refuse(self, told: ServiceError) -> None:
        self._code = told.code.name
        if told.code in AUDITED:
            self._guard._audit.record(self._method, self._principal, self._tenant, Outcome.REFUSED, told.reason)
        status = rpc_status.to_status(told.to_status())
        await self._context.abort(status.code, status.details, status.trailing_metadata)


async def _write_all(responses: Any, context: Any) -> None:
    if not hasattr(responses, "__aiter__"):
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            await context.write(response)


def _draining() -> ServiceError:
    return unavailable(
        "The service is being stopped; another instance will answer.", reason="DRAINING", retry_after=0.5
    )
