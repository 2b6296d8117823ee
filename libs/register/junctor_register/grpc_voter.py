"""A voter in another process, by gRPC, and the servicer that makes one of a folder."""

from __future__ import annotations

from typing import Any

import grpc
from junctor.register.v1 import register_pb2 as pb
from junctor.register.v1 import register_pb2_grpc

from junctor_register.file_voter import VoterFolder
from junctor_register.holdings import Register, Versioned
from junctor_register.voter import VoterUnavailable, Written
from junctor_register.wire import Unreadable, from_proto, to_proto

LARGEST_VALUE = 256 * 1024
"""Bytes; an object with 12 partitions has about 600."""


class GrpcVoter:
    """The voter behind a channel that carries a token with the role `register`.

    `timeout` is a round's, in seconds: an answer that comes later counts for nothing.
    """

    def __init__(self, channel: Any, register: str, *, timeout: float = 0.8) -> None:
        self._stub = register_pb2_grpc.VoterServiceStub(channel)
        self._register = register
        self._timeout = timeout

    async def read(self) -> Versioned:
        """See `Voter.read`."""
        request = pb.ReadRegisterRequest(register=self._register)
        try:
            answer = await self._stub.ReadRegister(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise _unavailable(error) from error
        return Versioned(answer.version, from_proto(answer.value))

    async def write(self, value: Register, version: str) -> Written:
        """See `Voter.write`."""
        request = pb.WriteRegisterRequest(register=self._register, version=version, value=to_proto(value))
        try:
            answer = await self._stub.WriteRegister(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise _unavailable(error) from error
        return Written(answer.written, Versioned(answer.version, from_proto(answer.value)))


class VoterServicer(register_pb2_grpc.VoterServiceServicer):
    """The RPCs over a folder. INVALID_ARGUMENT for what is no register, UNAVAILABLE while the disk refuses."""

    def __init__(self, folder: VoterFolder) -> None:
        self._folder = folder

    async def ReadRegister(self, request: pb.ReadRegisterRequest, context: Any) -> pb.ReadRegisterResponse:
        """What stands now."""
        voter = await self._voter(request.register, context)
        found = await voter.read()
        return pb.ReadRegisterResponse(version=found.version, value=to_proto(found.value))

    async def WriteRegister(self, request: pb.WriteRegisterRequest, context: Any) -> pb.WriteRegisterResponse:
        """Compare and swap."""
        voter = await self._voter(request.register, context)
        try:
            if request.value.ByteSize() > LARGEST_VALUE:
                raise Unreadable(f"it has more than {LARGEST_VALUE} bytes")
            value = from_proto(request.value)
        except Unreadable as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"The value is no register: {error}.")
            raise
        try:
            answer = await voter.write(value, request.version)
        except VoterUnavailable as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise
        return pb.WriteRegisterResponse(
            written=answer.written, version=answer.now.version, value=to_proto(answer.now.value)
        )

    async def _voter(self, register: str, context: Any) -> Any:
        try:
            return self._folder.voter(register)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{error}.")
            raise


def _unavailable(error: Any) -> VoterUnavailable:
    return VoterUnavailable(f"{error.code().name}: {error.details()}")
