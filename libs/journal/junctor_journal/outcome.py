"""What the one who sent an input is told, and those who wait for it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.message_types import unpack_or_none


class Outcome(NamedTuple):
    """A recorded answer: a response, or a refusal. `partition` and `seq` are where it stands in the journal."""

    response: Message | None
    refusal: Status | None
    partition: int
    seq: int


def outcome_of(recorded: pb.Outcome, partition: int, seq: int) -> Outcome:
    if recorded.HasField("refusal") and recorded.refusal.code:
        return Outcome(None, recorded.refusal, partition, seq)
    response = unpack_or_none(recorded.response) if recorded.HasField("response") else None
    return Outcome(response, None, partition, seq)


class OutcomeWaiters:
    """Futures by input id, resolved as the journal is followed."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Outcome]]] = {}

    def wait(self, input_id: str) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(input_id, []).append(future)
        return future

    def forget(self, input_id: str, future: asyncio.Future[Outcome]) -> None:
        futures = self._waiting.get(input_id)
        if futures and future in futures:
            futures.remove(future)
            if not futures:
                del self._waiting[input_id]

    def resolve(self, input_id: str, recorded: pb.Outcome, partition: int, seq: int) -> None:
        futures = self._waiting.pop(input_id, None)
        if futures:
            outcome = outcome_of(recorded, partition, seq)
            for future in futures:
                if not future.done():
                    future.set_result(outcome)

    def fail_all(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        for futures in waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(error)

    def __contains__(self, input_id: str) -> bool:
        return input_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)
