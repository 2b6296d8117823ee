"""An edge's answer to a roll call, as one input for each pool of the partition that it is about."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_service.errors import invalid


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    @property
    def partitions(self) -> int: ...

    def state(self, partition: int) -> Any: ...

    async def tell(self, input: journal_pb2.Input) -> None: ...


class Facts(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    def fact(self, message: Any, *, id: str, tenant: str, stream: str) -> journal_pb2.Input: ...


class RollCalls:
    def __init__(self, journal: Journal, facts: Facts) -> None:
        self._journal = journal
        self._facts = facts

    async def answer(self, request: pb.AnswerRollCallRequest) -> pb.AnswerRollCallResponse:
        """The facts are in this site's log when it returns, whoever decides of them and when. Raises UNAVAILABLE (retry)."""
        if not 0 <= request.partition < max(self._journal.partitions, 1):
            raise invalid(f"There is no partition {request.partition}.", reason="PARTITION_UNKNOWN")
        pools = self._journal.state(request.partition).everywhere()
        facts = [
            self._fact(request, pool.state.tenant, pool.state.name, frozenset(pool.state.agents)) for pool in pools
        ]
        await asyncio.gather(*(self._journal.tell(fact) for fact in facts))
        return pb.AnswerRollCallResponse()

    def _fact(
        self, request: pb.AnswerRollCallRequest, tenant: str, pool: str, agents: frozenset[str]
    ) -> journal_pb2.Input:
        slots = [slot for slot in request.slots if slot.tenant == tenant and slot.agent_id in agents]
        message = pb.RollCallAnswered(edge=request.edge, site_epoch=request.site_epoch, slots=slots)
        return self._facts.fact(
            message, id=f"{tenant}/roll-call/{pool}/{request.request_id}", tenant=tenant, stream=pool
        )
