"""The services by gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message
from junctor_service.client import Channels, rpc
from junctor_service.errors import Code, ServiceError, from_rpc_error
from junctor_service.settings import HostPort
from junctor_service.tenant import TENANT_METADATA

from junctor_gateway.application.admission import Caller
from junctor_gateway.application.catalogue import Method


class GrpcUpstream:
    """`addresses` by the service's short name. A unary call is made again while UNAVAILABLE, until its deadline."""

    def __init__(self, channels: Channels, addresses: Mapping[str, HostPort | None]) -> None:
        self._channels = channels
        self._addresses = addresses
        self._calls: dict[Method, Any] = {}

    async def unary(self, method: Method, request: Message, caller: Caller, timeout: float) -> Message:
        """See `Upstream.unary`."""
        call = self._call(method)
        response: Message = await rpc(call(request, timeout=timeout, metadata=_metadata(caller)))
        return response

    async def stream(
        self, method: Method, request: Message, caller: Caller, timeout: float | None
    ) -> AsyncIterator[Message]:
        """See `Upstream.stream`."""
        call = self._call(method)(request, timeout=timeout, metadata=_metadata(caller))
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    def _call(self, method: Method) -> Any:
        if method not in self._calls:
            address = self._addresses.get(method.service)
            if address is None:
                raise ServiceError(
                    Code.UNIMPLEMENTED,
                    f"This gateway knows no address of the service {method.service}.",
                    reason="SERVICE_NOT_CONFIGURED",
                )
            channel = self._channels.channel(str(address))
            make = channel.unary_stream if method.streams else channel.unary_unary
            self._calls[method] = make(
                method.rpc_path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return self._calls[method]


def _metadata(caller: Caller) -> list[tuple[str, str]]:
    found = [("authorization", f"Bearer {caller.token}")]
    if caller.tenant is not None:
        found.append((TENANT_METADATA, caller.tenant))
    return found
