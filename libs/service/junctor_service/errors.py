"""Errors between services: one exception, carried as `google.rpc.Status` with its details.

The details are those of google/rpc/error_details.proto: `ErrorInfo` (domain "junctor", reason), `RetryInfo` exactly
when a retry helps, `BadRequest` where fields are at fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "junctor"
DETAILS_KEY = "grpc-status-details-bin"
DEFAULT_RETRY_AFTER = 1.0


class Code(IntEnum):
    """The numbers of google.rpc.Code."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


RETRYABLE = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.RESOURCE_EXHAUSTED})


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of a request, in a sentence."""

    field: str
    description: str


class ServiceError(Exception):
    """What a caller is told. `message` is one sentence without personal data; `reason` an UPPER_SNAKE_CASE name.

    `retryable`: whether the same request (same request_id) may succeed later; unless given it follows from the code.
    `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        reason: str = "",
        retryable: bool | None = None,
        retry_after: float = DEFAULT_RETRY_AFTER,
        fields: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = Code(code)
        self.message = message
        self.reason = reason or self.code.name
        self.retryable = self.code in RETRYABLE if retryable is None else retryable
        self.retry_after = retry_after
        self.fields = tuple(fields)
        self.metadata = dict(metadata or {})

    def to_status(self) -> Any:
        """The error as `google.rpc.Status`."""
        status = status_pb2.Status(code=int(self.code), message=self.message)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        status.details.add().Pack(info)
        if self.retryable:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(round(self.retry_after * 1000))
            status.details.add().Pack(retry)
        if self.fields:
            violations = [
                error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                for v in self.fields
            ]
            status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
        return status

    @classmethod
    def from_status(cls, status: Any) -> ServiceError:
        """The error that `to_status` gave; details of others are read as far as they are of the three kinds."""
        info = error_details_pb2.ErrorInfo()
        retry = error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        has_info = retryable = False
        for detail in status.details:
            if detail.Is(info.DESCRIPTOR):
                has_info = detail.Unpack(info)
            elif detail.Is(retry.DESCRIPTOR):
                retryable = detail.Unpack(retry)
            elif detail.Is(bad.DESCRIPTOR):
                detail.Unpack(bad)
        known = status.code in Code._value2member_map_
        return cls(
            Code(status.code) if known else Code.UNKNOWN,
            status.message,
            reason=info.reason,
            retryable=retryable if has_info or retryable else None,
            retry_after=retry.retry_delay.ToMilliseconds() / 1000 if retryable else DEFAULT_RETRY_AFTER,
            fields=[FieldViolation(v.field, v.description) for v in bad.field_violations],
            metadata=dict(info.metadata),
        )

    def __repr__(self) -> str:
        return f"ServiceError({self.code.name}, {self.reason}, {self.message!r}, retryable={self.retryable})"


def from_rpc_error(error: grpc.RpcError) -> ServiceError:
    """The error that a call ended with; one without details (from the transport) is read from its code and text."""
    for key, value in _trailers(error):
        if key == DETAILS_KEY:
            return ServiceError.from_status(status_pb2.Status.FromString(value))
    number = error.code().value[0]
    code = Code(number) if number in Code._value2member_map_ else Code.UNKNOWN
    return ServiceError(code, error.details() or code.name)


def _trailers(error: Any) -> list[tuple[str, Any]]:
    trailers = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
    return list(trailers or ())


def invalid(message: str, *fields: FieldViolation, reason: str = "") -> ServiceError:
    """The request cannot be right whatever the state is; no retry helps."""
    return ServiceError(Code.INVALID_ARGUMENT, message, reason=reason, fields=fields)


def not_found(message: str, *, reason: str = "") -> ServiceError:
    """What the request names does not exist; no retry helps."""
    return ServiceError(Code.NOT_FOUND, message, reason=reason)


def precondition(message: str, *, reason: str = "") -> ServiceError:
    """The state does not allow it; the caller must look again before it tries anything."""
    return ServiceError(Code.FAILED_PRECONDITION, message, reason=reason)


def unavailable(message: str, *, reason: str = "", retry_after: float = DEFAULT_RETRY_AFTER) -> ServiceError:
    """Something that is needed is away; the same request may be sent again."""
    return ServiceError(Code.UNAVAILABLE, message, reason=reason, retry_after=retry_after)
