"""From an RPC to the log and back: the request is the input, the recorded outcome is the answer."""

from __future__ import annotations

import time
from typing import Any, Protocol, TypeVar, cast

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor_journal.errors import JournalError
from junctor_journal.inputs import new_input

from junctor_service.deadlines import time_left
from junctor_service.errors import Code, ServiceError
from junctor_service.tokens import current_principal
from junctor_service.trace_context import current_traceparent

R = TypeVar("R", bound=Message)
DEFAULT_SECONDS = 10.0


class Recorded(Protocol):
    """What an input came to, as the journal's reader has it."""

    @property
    def response(self) -> Message | None: ...

    @property
    def refusal(self) -> Any: ...


class CommandLog(Protocol):
    """The part of `junctor_journal.ledger.Ledger` that is needed here."""

    async def command(self, input: journal_pb2.Input, deadline: float) -> Any: ...


class Commands:
    """Puts inputs into a service's log and waits for what they come to."""

    def __init__(self, ledger: CommandLog, service: str, site: str) -> None:
        self._ledger = ledger
        self._service = service
        self._site = site

    async def apply(
        self, request: Message, *, stream: str, correlation_id: str = "", answer: type[R] | None = None
    ) -> R:
        """Applies a request with `request_id` and `tenant`; a repeat gets the recorded answer.

        Raises the refusal as `ServiceError`; UNAVAILABLE and DEADLINE_EXCEEDED where the log did not answer (retryable).
        """
        fields = cast(Any, request)
        principal = current_principal()
        input = new_input(
            request,
            id=f"{fields.tenant}/{request.DESCRIPTOR.full_name}/{fields.request_id}",
            tenant=fields.tenant,
            stream=stream,
            site=self._site,
            principal=principal.subject if principal is not None else "",
            traceparent=current_traceparent(),
            correlation_id=correlation_id,
            causation_id="",
        )
        outcome = await self.tell(input)
        return cast(R, accepted(outcome))

    async def tell(self, input: journal_pb2.Input, deadline: float | None = None) -> Recorded:
        """Applies an input of the service's own making; a refusal is in the outcome, not raised."""
        try:
            return cast(Recorded, await self._ledger.command(input, deadline or time_left() or DEFAULT_SECONDS))
        except JournalError as error:
            raise service_error(error) from error

    def fact(
        self,
        message: Message,
        *,
        id: str,
        tenant: str,
        stream: str,
        correlation_id: str = "",
        causation_id: str = "",
        traceparent: str = "",
    ) -> journal_pb2.Input:
        """An input that this service makes itself. `id` names it for ever: derive it from what caused it."""
        return new_input(
            message,
            id=id,
            tenant=tenant,
            stream=stream,
            site=self._site,
            principal=f"service/{self._service}",
            traceparent=traceparent,
            correlation_id=correlation_id,
            causation_id=causation_id,
            made_at=time.time_ns() // 1_000_000,
        )


def accepted(outcome: Recorded) -> Message:
    """The response of an outcome. Raises its refusal as `ServiceError`."""
    if outcome.refusal is not None and outcome.refusal.code:
        raise ServiceError.from_status(outcome.refusal)
    if outcome.response is None:
        raise ServiceError(Code.INTERNAL, "The command has no recorded answer.", reason="NO_ANSWER")
    return outcome.response


def service_error(error: JournalError) -> ServiceError:
    """The log's error as callers see it."""
    return ServiceError(Code[error.code], str(error) or error.code, retryable=error.retryable)
