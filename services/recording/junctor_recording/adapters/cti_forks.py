"""Copies of a call's audio by cti."""

from __future__ import annotations

from junctor.cti.v1 import cti_pb2, cti_pb2_grpc
from junctor_service.client import rpc

DEADLINE = 5.0


class CtiForks:
    """Implements `junctor_recording.application.recorder.Forker`."""

    def __init__(self, stub: cti_pb2_grpc.CtiServiceAsyncStub) -> None:
        self._stub = stub

    async def fork(
        self, tenant: str, contact_id: str, customer: tuple[str, int], agent: tuple[str, int], request_id: str
    ) -> None:
        """Raises `ServiceError`."""
        request = cti_pb2.ForkMediaRequest(
            request_id=request_id,
            tenant=tenant,
            contact_id=contact_id,
            customer_rtp=_address(customer),
            agent_rtp=_address(agent),
        )
        await rpc(self._stub.ForkMedia(request, timeout=DEADLINE))


def _address(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
