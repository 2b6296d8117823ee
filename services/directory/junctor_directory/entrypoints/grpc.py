"""The directory's RPCs."""

from __future__ import annotations

from typing import Any

from junctor.directory.v1 import directory_pb2 as pb
from junctor.directory.v1 import directory_pb2_grpc

from junctor_directory.application.changes import Changes
from junctor_directory.application.queries import Queries


class DirectoryServicer(directory_pb2_grpc.DirectoryServiceServicer):
    def __init__(self, changes: Changes, queries: Queries) -> None:
        self._changes = changes
        self._queries = queries

    async def ApplyConfiguration(
        self, request: pb.ApplyConfigurationRequest, context: Any
    ) -> pb.ApplyConfigurationResponse:
        return await self._changes.apply(request)

    async def RevertConfiguration(
        self, request: pb.RevertConfigurationRequest, context: Any
    ) -> pb.RevertConfigurationResponse:
        return await self._changes.revert(request)

    async def GetValue(self, request: pb.GetValueRequest, context: Any) -> pb.GetValueResponse:
        return self._queries.value(request)

    async def ListValues(self, request: pb.ListValuesRequest, context: Any) -> pb.ListValuesResponse:
        return await self._queries.values(request)

    async def ListRevisions(self, request: pb.ListRevisionsRequest, context: Any) -> pb.ListRevisionsResponse:
        return await self._queries.revisions(request)
