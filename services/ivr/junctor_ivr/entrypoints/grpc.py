"""The RPCs of junctor.ivr.v1.IvrService."""

from __future__ import annotations

from typing import Any

from junctor.ivr.v1 import ivr_pb2, ivr_pb2_grpc

from junctor_ivr.application.flows import Flows


class IvrServicer(ivr_pb2_grpc.IvrServiceServicer):
    """Errors are `ServiceError`; the server turns them into gRPC's."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    async def StartFlow(self, request: ivr_pb2.StartFlowRequest, context: Any) -> ivr_pb2.StartFlowResponse:
        return await self._flows.start(request)

    async def StopFlow(self, request: ivr_pb2.StopFlowRequest, context: Any) -> ivr_pb2.StopFlowResponse:
        return await self._flows.stop(request)

    async def GetFlow(self, request: ivr_pb2.GetFlowRequest, context: Any) -> ivr_pb2.GetFlowResponse:
        return self._flows.get(request)
