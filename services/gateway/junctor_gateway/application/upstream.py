"""The port to the services, and what every call through the gateway carries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from google.protobuf.message import Message

from junctor_gateway.application.admission import Caller
from junctor_gateway.application.catalogue import Method


class Upstream(Protocol):
    """Makes calls with the caller's token. Both raise `ServiceError`, UNAVAILABLE where the service is away."""

    async def unary(self, method: Method, request: Message, caller: Caller, timeout: float) -> Message:
        """The response, within `timeout` seconds."""

    def stream(self, method: Method, request: Message, caller: Caller, timeout: float | None) -> AsyncIterator[Message]:
        """The responses as they come. Closing the iterator ends the call."""
