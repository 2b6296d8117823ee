"""The router over gRPC. What is gone there already is what was wanted."""

from __future__ import annotations

from junctor.contact.v1 import contact_pb2
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import step_request_id

from junctor_omnichannel.application.effects import Kept
from junctor_omnichannel.domain.conversation import Conversation

SECONDS = 5.0
_NOT_ASSIGNED = frozenset({router_pb2.TASK_STATE_QUEUED, router_pb2.TASK_STATE_RESERVED})
_GONE = frozenset({Code.NOT_FOUND, Code.FAILED_PRECONDITION})


class RouterRouting:
    """`edge`: the name under which this site's conversations are routed (`edge_id`)."""

    def __init__(self, stub: router_pb2_grpc.RouterServiceAsyncStub, edge: str) -> None:
        self._stub = stub
        self._edge = edge

    async def request(self, conversation: Conversation) -> Kept | None:
        step = step_request_id(conversation.contact_id, _step(conversation, "route"), conversation.routed)
        response = await self._request(conversation, step)
        return Kept(response.agent_id, response.reservation_id) if response.agent_id else None

    async def waits(self, conversation: Conversation, asked: str) -> bool:
        """Whether the router has the contact in line, or only offered. One that it does not know enters the line with its
        arrival. False where it is over, or has a later leg."""
        step = step_request_id(conversation.contact_id, _step(conversation, asked))
        try:
            return (await self._request(conversation, step)).state in _NOT_ASSIGNED
        except ServiceError as error:
            if error.code not in _GONE:
                raise
            return False

    async def _request(self, conversation: Conversation, request_id: str) -> router_pb2.RequestTaskResponse:
        request = router_pb2.RequestTaskRequest(
            request_id=request_id,
            tenant=conversation.tenant,
            contact_id=conversation.contact_id,
            channel=contact_pb2.CHANNEL_CHAT,
            queue=conversation.queue,
            requirements=conversation.requirements,
            data=conversation.data,
            arrived_at=conversation.arrived_at,
            edge=self._edge,
            leg=conversation.leg,
        )
        return await rpc(self._stub.RequestTask(request, timeout=SECONDS))

    async def cancel(self, conversation: Conversation) -> None:
        request = router_pb2.CancelTaskRequest(
            request_id=step_request_id(conversation.contact_id, _step(conversation, "cancel_task")),
            tenant=conversation.tenant,
            contact_id=conversation.contact_id,
            cause="abandoned" if conversation.cause == "customer" else conversation.cause,
            leg=conversation.leg,
        )
        try:
            await rpc(self._stub.CancelTask(request, timeout=SECONDS))
        except ServiceError as error:
            if error.code not in _GONE:
                raise

    async def end(self, conversation: Conversation) -> None:
        request = router_pb2.EndContactRequest(
            request_id=step_request_id(conversation.contact_id, _step(conversation, "end_contact")),
            tenant=conversation.tenant,
            contact_id=conversation.contact_id,
            cause=conversation.cause,
            leg=conversation.leg,
        )
        try:
            await rpc(self._stub.EndContact(request, timeout=SECONDS))
        except ServiceError as error:
            if error.code not in _GONE:
                raise


def _step(conversation: Conversation, name: str) -> str:
    """Each leg asks for itself: what an earlier one was refused is not this one's answer."""
    return name if conversation.leg == 1 else f"{name}/leg{conversation.leg}"
