"""What can be asked: one value from the followed state, lists from the read model, never behind what the caller saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from junctor.directory.v1 import directory_pb2 as pb
from junctor_service.errors import FieldViolation, invalid, not_found

from junctor_directory.application.values import KINDS, masked, parsed
from junctor_directory.domain.configuration import Configuration, Name

DEFAULT_REVISIONS, MOST_REVISIONS = 50, 1_000


class Lists(Protocol):
    """The read model."""

    def values(self, tenant: str, kind: str) -> list[pb.DirectoryValue]: ...

    def revisions(self, tenant: str, limit: int) -> list[pb.Revision]: ...


class UpToDate(Protocol):
    """Waits until the lists hold what the followed journal holds now."""

    async def __call__(self, tenant: str) -> None: ...


class Queries:
    def __init__(self, state_of: Callable[[str], Configuration], lists: Lists, up_to_date: UpToDate) -> None:
        self._state_of = state_of
        self._lists = lists
        self._up_to_date = up_to_date

    def value(self, request: pb.GetValueRequest) -> pb.GetValueResponse:
        """Raises NOT_FOUND."""
        _check_kind(request.kind)
        stored = self._state_of(request.tenant).values.get(Name(request.kind, request.id))
        if stored is None:
            raise not_found(f"There is no {request.kind} '{request.id}'.")
        value = masked(parsed(stored.value))
        return pb.GetValueResponse(value=pb.DirectoryValue(tenant=request.tenant, version=stored.version, value=value))

    async def values(self, request: pb.ListValuesRequest) -> pb.ListValuesResponse:
        if request.kind:
            _check_kind(request.kind)
        await self._up_to_date(request.tenant)
        values = await asyncio.to_thread(self._lists.values, request.tenant, request.kind)
        return pb.ListValuesResponse(values=values)

    async def revisions(self, request: pb.ListRevisionsRequest) -> pb.ListRevisionsResponse:
        await self._up_to_date(request.tenant)
        limit = min(request.limit or DEFAULT_REVISIONS, MOST_REVISIONS)
        revisions = await asyncio.to_thread(self._lists.revisions, request.tenant, limit)
        return pb.ListRevisionsResponse(revisions=revisions)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        text = f"'{kind}' is no kind; kinds: {', '.join(KINDS)}."
        raise invalid(text, FieldViolation("kind", text))
