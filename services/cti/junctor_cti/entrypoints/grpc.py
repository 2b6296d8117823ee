"""junctor.cti.v1.CtiService."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor_journal.aggregates import AggregateFold
from junctor_service.commands import Commands
from junctor_service.errors import Code, ServiceError, invalid, not_found
from junctor_service.setting_values import parse_host_port

from junctor_cti.adapters.sip.sdp import first_payload_type
from junctor_cti.application.calls import call_of
from junctor_cti.application.ports.media_errors import MediaCallUnknown, MediaError
from junctor_cti.domain.call import Call
from junctor_cti.domain.decide import Line
from junctor_cti.entrypoints.edge import EdgeComponent

Folds = Callable[[], list[AggregateFold[Line]]]


class CtiServicer(cti_pb2_grpc.CtiServiceServicer):
    """Requests of other services and people. What changes a call goes through its journal."""

    def __init__(self, commands: Commands, folds: Folds, edge: EdgeComponent) -> None:
        self._commands = commands
        self._folds = folds
        self._edge = edge

    async def PromptAndCollect(self, request: Any, context: Any) -> Any:
        return await self._commands.apply(request, stream=request.contact_id, correlation_id=request.contact_id)

    async def ClearCall(self, request: Any, context: Any) -> Any:
        return await self._commands.apply(request, stream=request.contact_id, correlation_id=request.contact_id)

    async def ForkMedia(self, request: Any, context: Any) -> Any:
        """Not journalled: the fork lives at the media server as long as the call does, and may be asked for again."""
        self._call(request.tenant, request.contact_id)
        try:
            customer = await self._edge.media.fork(request.contact_id, "caller", _address(request, "customer_rtp"))
            agent = await self._edge.media.fork(request.contact_id, "agent", _address(request, "agent_rtp"))
        except MediaCallUnknown as error:
            raise not_found("The media server does not know the call.", reason="MEDIA_UNKNOWN") from error
        except MediaError as error:
            code = Code.UNAVAILABLE if error.retryable else Code.FAILED_PRECONDITION
            raise ServiceError(code, f"The audio cannot be forked: {error}.", reason="MEDIA_FAILED") from error
        return cti_pb2.ForkMediaResponse(
            customer_payload_type=first_payload_type(customer.sdp), agent_payload_type=first_payload_type(agent.sdp)
        )

    async def GetCall(self, request: Any, context: Any) -> Any:
        return cti_pb2.GetCallResponse(call=_view(self._call(request.tenant, request.contact_id)))

    async def ListCalls(self, request: Any, context: Any) -> Any:
        calls = [
            line.call
            for fold in self._folds()
            for (tenant, _), line in fold.streams().items()
            if tenant == request.tenant and line.call is not None and line.call.state != "closed"
        ]
        calls.sort(key=lambda call: (call.arrived_at, call.contact_id))
        return cti_pb2.ListCallsResponse(calls=[_view(call) for call in calls])

    def _call(self, tenant: str, contact_id: str) -> Call:
        for fold in self._folds():
            call = call_of(fold, tenant, contact_id)
            if call is not None:
                return call
        raise not_found("There is no such call, or it is over.", reason="CALL_UNKNOWN")


def _view(call: Call) -> Any:
    return cti_pb2.Call(
        contact_id=call.contact_id,
        state=cti_pb2.CallState.Value(f"CALL_STATE_{call.state.upper()}"),
        called_number=call.called_number,
        caller_number=call.caller_number,
        queue=call.queue,
        agent_id=call.offer.agent_id if call.offer is not None else "",
        arrived_at=call.arrived_at,
        since=call.since,
    )


def _address(request: Any, field: str) -> tuple[str, int]:
    try:
        found = parse_host_port(getattr(request, field))
    except ValueError as error:
        raise invalid(f"{field}: {error}") from error
    return found.host, found.port
