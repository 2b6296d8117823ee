"""Errors as problem details (RFC 9457), made from what the services tell (google.rpc.Status)."""

from __future__ import annotations

import math
from typing import Any

from junctor_service.errors import Code, FieldViolation, ServiceError

MEDIA_TYPE = "application/problem+json"

# The mapping that google/rpc/code.proto gives.
_STATUS = {
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class HttpError(ServiceError):
    """What only HTTP knows: a body too large, a wrong content type. `status` is the HTTP status."""

    def __init__(self, status: int, code: Code, message: str, *, reason: str, retryable: bool = False) -> None:
        super().__init__(code, message, reason=reason, retryable=retryable)
        self.status = status


def status_of(error: ServiceError) -> int:
    """The HTTP status of an error."""
    return error.status if isinstance(error, HttpError) else _STATUS[error.code]


def problem_of(error: ServiceError) -> dict[str, Any]:
    """The members of the problem. `retryable`: whether the same request (same Idempotency-Key) may succeed later."""
    problem: dict[str, Any] = {
        "type": f"urn:junctor:problem:{error.reason.lower().replace('_', '-')}",
        "title": error.reason.replace("_", " ").capitalize(),
        "status": status_of(error),
        "detail": error.message,
        "code": error.code.name,
        "reason": error.reason,
        "retryable": error.retryable,
    }
    if error.retryable:
        problem["retryAfterMs"] = round(error.retry_after * 1000)
    if error.fields:
        problem["errors"] = [{"field": v.field, "detail": v.description} for v in error.fields]
    if error.metadata:
        problem["metadata"] = error.metadata
    return problem


def headers_of(error: ServiceError) -> dict[str, str]:
    """Retry-After (whole seconds, RFC 9110 section 10.2.3) and WWW-Authenticate (RFC 6750 section 3)."""
    headers = {"cache-control": "no-store"}
    if error.retryable:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if error.code is Code.UNAUTHENTICATED:
        missing = error.reason == "TOKEN_MISSING"
        headers["www-authenticate"] = (
            "Bearer" if missing else f'Bearer error="invalid_token", error_description="{error.message}"'
        )
    return headers


def refused_fields(violations: list[FieldViolation]) -> ServiceError:
    """The refusal of a request whose fields are at fault: the first is told in the message, all in the details."""
    first = violations[0]
    more = f" ({len(violations) - 1} more)" if len(violations) > 1 else ""
    where = f"{first.field}: " if first.field else ""
    return ServiceError(
        Code.INVALID_ARGUMENT, f"{where}{first.description}{more}", reason="REQUEST_MALFORMED", fields=violations
    )
