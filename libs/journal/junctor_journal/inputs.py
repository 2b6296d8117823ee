"""Makes inputs and appends them to a service's inputs topic."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.log import Log, NewRecord
from junctor_journal.record import pack


def new_input(
    body: Message,
    *,
    id: str,
    tenant: str,
    stream: str,
    site: str = "",
    principal: str = "",
    traceparent: str = "",
    correlation_id: str = "",
    causation_id: str = "",
    made_at: int | None = None,
) -> pb.Input:
    """An input. `id` names it for ever: derive it from what a repeat has in common (`request_id`, an event's id and a step)."""
    return pb.Input(
        id=id,
        tenant=tenant,
        stream=stream,
        site=site,
        body=pack(body),
        made_at=time.time_ns() // 1_000_000 if made_at is None else made_at,
        principal=principal,
        traceparent=traceparent,
        correlation_id=correlation_id,
        causation_id=causation_id,
    )


class Inputs:
    """`route` gives the partition of an input; by default the stream's hash does."""

    def __init__(self, log: Log, service: str, partitions: int, route: Callable[[pb.Input], int] | None = None) -> None:
        self._log = log
        self._topic = topics.inputs(service)
        self._partitions = partitions
        self._route = route

    def partition_of(self, input: pb.Input) -> int:
        if self._route is not None:
            return self._route(input)
        return topics.partition_for(input.tenant, input.stream, self._partitions)

    async def append(self, input: pb.Input) -> int:
        """Writes the input and returns its offset. Raises `LogUnavailable` (a retry with the same id helps), `RecordTooLarge`."""
        return await self._log.producer().send(
            self._topic,
            topics.key_of(input.tenant, input.stream),
            input.SerializeToString(),
            partition=self.partition_of(input),
        )

    async def append_many(self, inputs: Sequence[pb.Input]) -> None:
        """Writes the inputs, those of a partition in their order. Raises as `append`: retry all, their ids make it harmless."""
        by_partition: dict[int, list[NewRecord]] = defaultdict(list)
        for input in inputs:
            record = NewRecord(topics.key_of(input.tenant, input.stream), input.SerializeToString())
            by_partition[self.partition_of(input)].append(record)
        producer = self._log.producer()
        await asyncio.gather(*(producer.send_many(self._topic, p, records) for p, records in by_partition.items()))
