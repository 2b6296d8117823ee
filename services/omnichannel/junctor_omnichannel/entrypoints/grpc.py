"""The agent's side, and channel adapters'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.omnichannel.v1 import omnichannel_pb2_grpc
from junctor_service.tokens import current_principal

from junctor_omnichannel.application.conversations import Conversations


class OmnichannelServicer(omnichannel_pb2_grpc.OmnichannelServiceServicer):
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def SendMessage(self, request: pb.SendMessageRequest, context: Any) -> pb.SendMessageResponse:
        return await self._conversations.send(request)

    async def CloseConversation(
        self, request: pb.CloseConversationRequest, context: Any
    ) -> pb.CloseConversationResponse:
        return await self._conversations.close(request)

    async def OpenConversation(self, request: pb.OpenConversationRequest, context: Any) -> pb.OpenConversationResponse:
        return await self._conversations.open(request)

    async def ReceiveMessage(self, request: pb.ReceiveMessageRequest, context: Any) -> pb.ReceiveMessageResponse:
        return await self._conversations.receive(request)

    async def GetConversation(self, request: pb.GetConversationRequest, context: Any) -> pb.GetConversationResponse:
        return self._conversations.get(request, current_principal())

    async def WatchConversation(
        self, request: pb.WatchConversationRequest, context: Any
    ) -> AsyncIterator[pb.WatchConversationResponse]:
        async for response in self._conversations.watch(request, current_principal()):
            yield response
