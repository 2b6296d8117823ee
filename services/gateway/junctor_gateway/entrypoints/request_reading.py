"""What a request holds: its caller, deadline and body, the latter bounded in size and time."""

from __future__ import annotations

import asyncio
import re

from fastapi import Request
from junctor_service.call_policy import seconds_for
from junctor_service.errors import Code, FieldViolation
from junctor_service.tenant import TENANT_METADATA
from junctor_service.trace_context import TRACEPARENT

from junctor_gateway.application.admission import Caller
from junctor_gateway.application.problems import HttpError, refused_fields
from junctor_gateway.settings import GatewaySettings

# gRPC over HTTP2, Timeout: up to eight digits and a unit.
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def caller_of(request: Request) -> Caller:
    """Token, tenant and trace of the headers."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return Caller(
        token=token.strip() if kind.lower() == "bearer" else None,
        tenant=request.headers.get(TENANT_METADATA),
        traceparent=request.headers.get(TRACEPARENT, ""),
    )


def asked_timeout(request: Request) -> float | None:
    """Seconds of the header `grpc-timeout`, if any. Raises `ServiceError` (INVALID_ARGUMENT)."""
    text = request.headers.get("grpc-timeout")
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise refused_fields([FieldViolation("grpc-timeout", "It is not up to 8 digits and one of H, M, S, m, u, n.")])
    return int(match[1]) * _SECONDS[match[2]]


def unary_timeout(request: Request, settings: GatewaySettings) -> float:
    """How long a unary call may take, in seconds."""
    return seconds_for(asked_timeout(request), settings.rpc_deadline, settings.rpc_deadline_limit)


async def body_of(request: Request, settings: GatewaySettings) -> bytes:
    """The body. Raises `HttpError`: 413 beyond the limit, 408 if it takes too long."""
    limit = settings.body_limit
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)
    parts = bytearray()
    try:
        async with asyncio.timeout(settings.body_timeout):
            async for part in request.stream():
                parts += part
                if len(parts) > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        raise HttpError(
            408, Code.DEADLINE_EXCEEDED, "The body did not arrive in time.", reason="BODY_TIMEOUT", retryable=True
        ) from error
    return bytes(parts)


def _too_large(limit: int) -> HttpError:
    return HttpError(413, Code.RESOURCE_EXHAUSTED, f"The body is larger than {limit} bytes.", reason="BODY_TOO_LARGE")
