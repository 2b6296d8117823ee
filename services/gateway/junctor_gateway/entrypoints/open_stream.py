"""A stream of responses that tells its reader when it is quiet, and ends when the gateway is drained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message
from junctor_service.errors import ServiceError, unavailable

FIRST_PATIENCE = 1.0


class OpenStream:
    """Reads `responses`. `heartbeat` is in seconds. Whoever has it closes it."""

    def __init__(self, responses: AsyncIterator[Message], draining: asyncio.Event, heartbeat: float) -> None:
        self._responses = responses
        self._heartbeat = heartbeat
        self._drained = asyncio.ensure_future(draining.wait())
        self._coming: asyncio.Future[Message | None] | None = None

    async def open(self) -> None:
        """Waits for the first response, a second at most. Raises `ServiceError` where the call was refused."""
        self._coming = asyncio.ensure_future(_next(self._responses))
        await self._wait(FIRST_PATIENCE)
        if self._coming.done():
            self._coming.result()

    async def read(self) -> AsyncIterator[Message | None]:
        """The responses; None for each heartbeat of quiet. Raises `ServiceError`, UNAVAILABLE when drained."""
        while True:
            if self._coming is None:
                self._coming = asyncio.ensure_future(_next(self._responses))
            await self._wait(self._heartbeat)
            if self._drained.done():
                raise draining_error()
            if not self._coming.done():
                yield None
                continue
            response, self._coming = self._coming.result(), None
            if response is None:
                return
            yield response

    async def _wait(self, timeout: float) -> None:
        waiting: list[asyncio.Future[Any]] = [self._drained]
        if self._coming is not None:
            waiting.append(self._coming)
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Ends the call."""
        self._drained.cancel()
        if self._coming is not None and not self._coming.done():
            self._coming.cancel()
            await asyncio.wait({self._coming})
        if hasattr(self._responses, "aclose"):
            await self._responses.aclose()


def draining_error() -> ServiceError:
    """What streams are told when the gateway stops."""
    return unavailable(
        "The gateway is being stopped; another instance will answer.", reason="DRAINING", retry_after=0.5
    )


async def _next(responses: AsyncIterator[Message]) -> Message | None:
    try:
        return await anext(responses)
    except StopAsyncIteration:
        return None
