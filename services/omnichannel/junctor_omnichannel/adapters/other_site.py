"""Omnichannel of the other site, for an agent here who has a conversation there: the call goes on as that agent's.

People have tokens of one issuer, whom both sites trust: the other site admits the agent, not this service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from junctor_service.client import rpc
from junctor_service.errors import from_rpc_error

FORWARDED = "x-junctor-forwarded-by"
CONNECT_SECONDS = 2.0
_CARRIED = ("authorization", "x-junctor-tenant", "traceparent")


async def connects(channel: Any) -> bool:
    """Whether the channel is connected, or is within CONNECT_SECONDS."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await channel.channel_ready()
    except TimeoutError:
        return False
    return True


class OtherSite:
    """`stub`: its OmnichannelService."""

    def __init__(self, site: str, stub: Any) -> None:
        self._site = site
        self._stub = stub

    def may_have(self, context: Any) -> bool:
        """Whether the call may be passed on: one that came from there is not passed back."""
        return FORWARDED not in dict(context.invocation_metadata() or ())

    async def call(self, method: str, request: Any, context: Any) -> Any:
        """Its answer. Raises `ServiceError`: its refusal, or UNAVAILABLE (retry: the site is not reached, or is lost)."""
        call = getattr(self._stub, method)
        return await rpc(call(request, metadata=self._metadata(context), timeout=context.time_remaining()))

    async def stream(self, method: str, request: Any, context: Any) -> AsyncIterator[Any]:
        """Its answers. Raises `ServiceError` as `call` does, also in between."""
        try:
            async for response in getattr(self._stub, method)(request, metadata=self._metadata(context)):
                yield response
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def _metadata(self, context: Any) -> tuple[tuple[str, str], ...]:
        given = dict(context.invocation_metadata() or ())
        return ((FORWARDED, self._site), *((name, given[name]) for name in _CARRIED if name in given))
