"""Whole topics of one site's Kafka, as they lie there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition


class Found(NamedTuple):
    """A record. `at`: Unix milliseconds of the record itself."""

    topic: str
    partition: int
    offset: int
    at: int
    value: bytes
    headers: Mapping[str, str]


async def records(bootstrap: str, places: Iterable[tuple[str, int]], last: int | None = None) -> list[Found]:
    """All records of (topic, partition) that are there now, or the `last` so many of each; each partition's in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(*place) for place in places]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, 0 if last is None else max(0, ends[partition] - last))
        found: list[Found] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for batch in (await consumer.getmany(timeout_ms=300)).values():
                for record in batch:
                    headers = {key: value.decode() for key, value in record.headers}
                    place = (record.topic, record.partition, record.offset, record.timestamp)
                    found.append(Found(*place, record.value or b"", headers))
        return found
    finally:
        await consumer.stop()
