"""A share of those who arrive at a site is sent to the other one, in steps before a planned shift (docs/two-sites.md, section 7).

The share is in the journal of the service whose arrivals they are, so it outlives every process.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.site.v1 import arrivals_pb2 as pb
from junctor.site.v1 import arrivals_pb2_grpc

from junctor_service.audit import Audit, Outcome
from junctor_service.errors import Code, FieldViolation, ServiceError, invalid
from junctor_service.tokens import EVERY_TENANT, current_principal

STREAM = "arrivals"
"""The stream of the share in the service's journal; its tenant is EVERY_TENANT."""
ALL = 100


class Commands(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def fact(self, message: Message, *, id: str, tenant: str, stream: str) -> journal_pb2.Input: ...

    def tell(self, input: journal_pb2.Input) -> Awaitable[Any]: ...


class Arrivals:
    """Who is sent to the other site. `share` gives the journalled percentage, `lives(site)` whether its edge is heard."""

    def __init__(self, other: str | None, share: Callable[[], int], lives: Callable[[str], bool]) -> None:
        self.other = other
        self.share = share
        self._lives = lives

    def sent_to(self, key: str) -> str | None:
        """The other site, for who is sent there: the same answer for the same arrival, however often it comes. None for who
        is served here, as all are while the other site is not heard."""
        if self.other is None or not self.share() > 0 or zlib.crc32(key.encode()) % ALL >= self.share():
            return None
        return self.other if self._lives(self.other) else None


class ArrivalServicer(arrivals_pb2_grpc.ArrivalServiceServicer):
    """`junctor.site.v1.ArrivalService` of a service with its own journal."""

    def __init__(self, arrivals: Arrivals, commands: Commands, audit: Audit) -> None:
        self._arrivals = arrivals
        self._commands = commands
        self._audit = audit

    async def SetArrivalShare(self, request: pb.SetArrivalShareRequest, context: Any) -> pb.SetArrivalShareResponse:
        """Raises INVALID_ARGUMENT for what is no percentage, FAILED_PRECONDITION where there is no other site."""
        if request.percent > ALL:
            raise invalid(
                f"percent is {request.percent}; 0 to {ALL} is allowed.", FieldViolation("percent", "above 100")
            )
        if self._arrivals.other is None:
            raise ServiceError(Code.FAILED_PRECONDITION, "This site is alone: nobody can be sent away.", reason="ALONE")
        outcome = await self._commands.tell(
            self._commands.fact(
                request,
                id=f"{EVERY_TENANT}/{request.DESCRIPTOR.full_name}/{request.request_id}",
                tenant=EVERY_TENANT,
                stream=STREAM,
            )
        )
        told = f"{request.percent} % to {self._arrivals.other}"
        self._audit.record("SetArrivalShare", current_principal(), "", Outcome.ALLOWED, target=told)
        response: pb.SetArrivalShareResponse = outcome.response
        return response

    async def GetArrivalShare(self, request: pb.GetArrivalShareRequest, context: Any) -> pb.GetArrivalShareResponse:
        return pb.GetArrivalShareResponse(percent=self._arrivals.share())
