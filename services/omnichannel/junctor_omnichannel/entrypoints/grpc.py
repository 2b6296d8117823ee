"""The agent's side, and channel adapters'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.omnichannel.v1 import omnichannel_pb2_grpc
from junctor_service.tokens import current_principal

from junctor_omnichannel.adapters.other_site import OtherSite
from junctor_omnichannel.application.conversations import Conversations


class OmnichannelServicer(omnichannel_pb2_grpc.OmnichannelServiceServicer):
    """`other`: where conversations are that are not here; None where there is one site."""

    def __init__(self, conversations: Conversations, other: OtherSite | None = None) -> None:
        self._conversations = conversations
        self._other = other

    async def SendMessage(self, request: pb.SendMessageRequest, context: Any) -> pb.SendMessageResponse:
        if (there := self._there(request, context)) is not None:
            return cast(pb.SendMessageResponse, await there.call("SendMessage", request, context))
        return await self._conversations.send(request)

    async def CloseConversation(
        self, request: pb.CloseConversationRequest, context: Any
    ) -> pb.CloseConversationResponse:
        if (there := self._there(request, context)) is not None:
            return cast(pb.CloseConversationResponse, await there.call("CloseConversation", request, context))
        return await self._conversations.close(request)

    async def OpenConversation(self, request: pb.OpenConversationRequest, context: Any) -> pb.OpenConversationResponse:
        return await self._conversations.open(request)

    async def ReceiveMessage(self, request: pb.ReceiveMessageRequest, context: Any) -> pb.ReceiveMessageResponse:
        return await self._conversations.receive(request)

    async def GetConversation(self, request: pb.GetConversationRequest, context: Any) -> pb.GetConversationResponse:
        if (there := self._there(request, context)) is not None:
            return cast(pb.GetConversationResponse, await there.call("GetConversation", request, context))
        return self._conversations.get(request, current_principal())

    async def WatchConversation(
        self, request: pb.WatchConversationRequest, context: Any
    ) -> AsyncIterator[pb.WatchConversationResponse]:
        there = self._there(request, context)
        if there is not None:
            found = there.stream("WatchConversation", request, context)
        else:
            found = self._conversations.watch(request, current_principal())
        async for response in found:
            yield response

    def _there(self, request: Any, context: Any) -> OtherSite | None:
        """The other site, where the contact may be its and is not ours."""
        if self._other is None or self._conversations.here(request.tenant, request.contact_id):
            return None
        return self._other if self._other.may_have(context) else None
