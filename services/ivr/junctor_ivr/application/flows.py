"""Starting, stopping and looking at flows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from google.protobuf.message import Message
from junctor.ivr.v1 import ivr_pb2
from junctor_service.errors import Code, ServiceError, invalid, not_found
from junctor_service.personal_data import is_sealed

from junctor_ivr.application.mapping import MAPPING
from junctor_ivr.domain.definition import FlowDefinition
from junctor_ivr.domain.session import Session

CALLER_PREFIX = "caller_prefix"
PREFIX_LENGTH = 6
"""A country code and an area or network, as in `+86138`."""
HIDDEN_DIGITS = 4
"""Never in a prefix, so that a short number is not kept whole."""


class FlowCatalog(Protocol):
    """The tenants' flows."""

    def definition(self, tenant: str, flow: str) -> FlowDefinition:
        """Raises `ServiceError`: NOT_FOUND without such a flow, FAILED_PRECONDITION where it cannot be run."""


class Flows:
    """Use cases of the RPCs. `apply` takes a request to the journal, `look` finds a live session in it."""

    def __init__(
        self,
        catalog: FlowCatalog,
        apply: Callable[..., Awaitable[Message]],
        look: Callable[[str, str], Session | None],
    ) -> None:
        self._catalog = catalog
        self._apply = apply
        self._look = look

    async def start(self, request: ivr_pb2.StartFlowRequest) -> ivr_pb2.StartFlowResponse:
        """The input holds the flow as it is now and the caller's area in place of the number."""
        _require_contact(request.contact_id)
        if not request.flow:
            raise invalid("A flow must be named.", reason="FLOW_MISSING")
        command = ivr_pb2.StartFlowRequest()
        command.CopyFrom(request)
        command.ClearField("definition")
        command.ClearField("caller_number")
        prefix = caller_prefix(request.caller_number)
        if prefix and not command.data.get(CALLER_PREFIX):
            command.data[CALLER_PREFIX] = prefix
        try:
            definition = MAPPING.to_message(self._catalog.definition(request.tenant, request.flow))
            command.definition.CopyFrom(cast(ivr_pb2.FlowDefinition, definition))
        except ServiceError as error:
            if error.code is not Code.NOT_FOUND or self._look(request.tenant, request.contact_id) is None:
                raise
        return cast(ivr_pb2.StartFlowResponse, await self._recorded(command, request.contact_id))

    async def stop(self, request: ivr_pb2.StopFlowRequest) -> ivr_pb2.StopFlowResponse:
        """Stopping what does not run changes nothing."""
        _require_contact(request.contact_id)
        return cast(ivr_pb2.StopFlowResponse, await self._recorded(request, request.contact_id))

    def get(self, request: ivr_pb2.GetFlowRequest) -> ivr_pb2.GetFlowResponse:
        """NOT_FOUND for a contact without a flow and for one whose flow ended more than a minute ago."""
        _require_contact(request.contact_id)
        session = self._look(request.tenant, request.contact_id)
        if session is None or session.definition is None:
            message = "The contact has no flow that runs or has just ended."
            raise not_found(message, reason="FLOW_NOT_LIVE")
        return ivr_pb2.GetFlowResponse(
            flow=session.definition.flow,
            version=session.definition.version,
            node=session.node,
            data=session.data,
            result=ivr_pb2.FlowResult.Value(f"FLOW_RESULT_{(session.result or 'unspecified').upper()}"),
            verb_id=session.awaiting.verb_id if session.awaiting else "",
            reason=session.reason,
        )

    async def _recorded(self, command: Any, contact_id: str) -> Message:
        return await self._apply(command, stream=contact_id, correlation_id=contact_id)


def caller_prefix(number: str) -> str:
    """The first characters of a number, which say where a call comes from but not who calls."""
    if is_sealed(number):
        return ""
    return number[: max(0, min(PREFIX_LENGTH, len(number) - HIDDEN_DIGITS))]


def _require_contact(contact_id: str) -> None:
    if not contact_id:
        raise invalid("A contact must be named.", reason="CONTACT_MISSING")
