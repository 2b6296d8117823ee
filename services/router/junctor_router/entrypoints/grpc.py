"""The router's RPCs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from typing import Any

from google.protobuf.any_pb2 import Any as PackedAny
from junctor.router.v1 import router_pb2 as pb
from junctor.router.v1 import router_pb2_grpc
from junctor_service.errors import invalid, not_found
from junctor_service.tokens import current_principal

from junctor_router.application.agent_streams import AgentStreams
from junctor_router.application.changes import AgentChange, Changes
from junctor_router.application.pool_view import PoolView
from junctor_router.application.queries import Queries
from junctor_router.application.requests import Requests
from junctor_router.application.roll_call import RollCalls

DEFAULT_INTERVAL_MS = 500
SHORTEST_INTERVAL_MS = 50


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    def __init__(
        self, requests: Requests, queries: Queries, changes: Changes, streams: AgentStreams, roll_calls: RollCalls
    ) -> None:
        self._requests = requests
        self._queries = queries
        self._changes = changes
        self._streams = streams
        self._roll_calls = roll_calls

    async def RequestTask(self, request: pb.RequestTaskRequest, context: Any) -> pb.RequestTaskResponse:
        return await self._requests.for_queue(request, pb.RequestTaskResponse)

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.CancelTaskResponse:
        return await self._requests.for_contact(request, pb.CancelTaskResponse)

    async def RequeueTask(self, request: pb.RequeueTaskRequest, context: Any) -> pb.RequeueTaskResponse:
        return await self._requests.for_contact(request, pb.RequeueTaskResponse)

    async def EndContact(self, request: pb.EndContactRequest, context: Any) -> pb.EndContactResponse:
        return await self._requests.for_contact(request, pb.EndContactResponse)

    async def AcceptReservation(
        self, request: pb.AcceptReservationRequest, context: Any
    ) -> pb.AcceptReservationResponse:
        return await self._requests.for_contact(request, pb.AcceptReservationResponse)

    async def RejectReservation(
        self, request: pb.RejectReservationRequest, context: Any
    ) -> pb.RejectReservationResponse:
        return await self._requests.for_contact(request, pb.RejectReservationResponse)

    async def CompleteTask(self, request: pb.CompleteTaskRequest, context: Any) -> pb.CompleteTaskResponse:
        return await self._requests.for_contact(request, pb.CompleteTaskResponse)

    async def ExtendWrapUp(self, request: pb.ExtendWrapUpRequest, context: Any) -> pb.ExtendWrapUpResponse:
        return await self._requests.for_contact(request, pb.ExtendWrapUpResponse)

    async def LogIn(self, request: pb.LogInRequest, context: Any) -> pb.LogInResponse:
        return await self._requests.for_agent(request, pb.LogInResponse)

    async def LogOut(self, request: pb.LogOutRequest, context: Any) -> pb.LogOutResponse:
        return await self._requests.for_agent(request, pb.LogOutResponse)

    async def SetAgentState(self, request: pb.SetAgentStateRequest, context: Any) -> pb.SetAgentStateResponse:
        return await self._requests.for_agent(request, pb.SetAgentStateResponse)

    async def ReportDevice(self, request: pb.ReportDeviceRequest, context: Any) -> pb.ReportDeviceResponse:
        return await self._requests.for_agent(request, pb.ReportDeviceResponse)

    async def AnswerRollCall(self, request: pb.AnswerRollCallRequest, context: Any) -> pb.AnswerRollCallResponse:
        return await self._roll_calls.answer(request)

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.GetTaskResponse:
        task = self._queries.task(request.tenant, request.contact_id)
        await self._queries.confirmed(request.tenant)
        return pb.GetTaskResponse(task=task)

    async def GetAgent(self, request: pb.GetAgentRequest, context: Any) -> pb.GetAgentResponse:
        agent = self._queries.agent(request.tenant, request.agent_id)
        await self._queries.confirmed(request.tenant)
        return pb.GetAgentResponse(agent=agent)

    async def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        if bool(request.contact_id) == bool(request.agent_id):
            raise invalid("Explain one contact or one agent.", reason="ONE_OF_TWO")
        if request.contact_id:
            why = self._queries.explain_contact(request.tenant, request.contact_id)
        else:
            why = self._queries.explain_agent(request.tenant, request.agent_id)
        await self._queries.confirmed(request.tenant)
        return why

    async def WatchAgent(self, request: pb.WatchAgentRequest, context: Any) -> AsyncIterator[pb.WatchAgentResponse]:
        """A snapshot, or the changes after `after_seq` as far as they are still kept; then changes as they come."""
        principal = current_principal()
        own = request.presence or (principal is not None and principal.only_agent)
        with self._streams.open(request.tenant, request.agent_id) if own else nullcontext():
            async with aclosing(self._watch_agent(request)) as responses:
                async for response in responses:
                    yield response

    async def _watch_agent(self, request: pb.WatchAgentRequest) -> AsyncGenerator[pb.WatchAgentResponse]:
        tenant, agent_id = request.tenant, request.agent_id
        watch = self._changes.watch(tenant, agent_id)
        try:
            partition, sent = self._queries.place_of_agent(tenant, agent_id)
            missed = None
            if request.after_seq:
                missed = self._changes.since(tenant, agent_id, partition, request.after_seq)
            if missed is None:
                snapshot = await self._snapshot(tenant, agent_id, partition)
                sent = snapshot.seq
                yield snapshot
            for change in missed or ():
                yield await self._changed(change)
            while True:
                await watch.woken.wait()
                watch.woken.clear()
                if watch.lost:
                    watch.lost = False
                    watch.changes.clear()
                    partition, _ = self._queries.place_of_agent(tenant, agent_id)
                    snapshot = await self._snapshot(tenant, agent_id, partition)
                    sent = snapshot.seq
                    yield snapshot
                while watch.changes:
                    change = watch.changes.popleft()
                    if change.seq > sent or change.partition != partition:
                        yield await self._changed(change)
        finally:
            self._changes.unwatch(tenant, agent_id, watch)

    async def WatchPool(self, request: pb.WatchPoolRequest, context: Any) -> AsyncIterator[pb.WatchPoolResponse]:
        """A view, then another one, or what has changed, after changes: at most one for each interval."""
        if request.queue and self._queries.pool_of_queue(request.tenant, request.queue) is None:
            raise not_found(f"The queue {request.queue!r} is not in the directory.", reason="QUEUE_UNKNOWN")
        pool_view = PoolView(self._queries, self._changes, request)
        interval = max(request.interval_ms or DEFAULT_INTERVAL_MS, SHORTEST_INTERVAL_MS) / 1000
        while True:
            moved = asyncio.ensure_future(self._changes.moved(request.tenant))
            try:
                view = pool_view.next()
                await self._queries.confirmed(request.tenant)
                if view is not None:
                    yield view
                await asyncio.sleep(interval)
                await moved
            finally:
                moved.cancel()

    async def _snapshot(self, tenant: str, agent_id: str, partition: int) -> pb.WatchAgentResponse:
        agent, seq = self._queries.agent(tenant, agent_id), self._queries.decided(partition)
        await self._queries.confirmed(tenant)
        return pb.WatchAgentResponse(agent=agent, partition=partition, seq=seq)

    async def _changed(self, change: AgentChange) -> pb.WatchAgentResponse:
        packed = PackedAny()
        packed.Pack(change.event)
        agent = self._queries.agent(change.tenant, change.agent_id)
        await self._queries.confirmed(change.tenant)
        return pb.WatchAgentResponse(agent=agent, event=packed, partition=change.partition, seq=change.seq)
