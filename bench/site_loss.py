"""What a lost site took with it: records of its Kafka that the other site's Kafka did not have, in count and time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from junctor_journal import topics
from junctor_local.mirror import copy_name

from e2e.judge.reading import records
from e2e.sites.desk import PARTITION

TOPICS = {"inputs": topics.inputs("router"), "decisions": topics.journal("router")}
LAST = 4_000
"""Records of a topic that are looked at: more than were written since the mirror was last known to be level."""


@dataclass
class Loss:
    """`milliseconds`: from the oldest of the missing records to the loss; 0 where none is missing."""

    missing: dict[str, int] = field(default_factory=dict)
    milliseconds: float = 0.0


async def copied(survivor: str, lost: str) -> set[bytes]:
    """What the survivor's Kafka (its bootstrap address) has of the lost site's topics; ask before that site returns."""
    found = await records(survivor, [(copy_name(lost, topic), PARTITION) for topic in TOPICS.values()], 2 * LAST)
    return {_print(one.value) for one in found}


async def loss(original: str, there: set[bytes], at: float) -> Loss:
    """`original`: the lost site's Kafka, once it is back; `at`: Unix milliseconds of the loss."""
    result = Loss()
    for name, topic in TOPICS.items():
        found = [one for one in await records(original, [(topic, PARTITION)], LAST) if one.at <= at]
        missing = [one for one in found if _print(one.value) not in there]
        result.missing[name] = len(missing)
        result.milliseconds = max([result.milliseconds, *(at - one.at for one in missing)])
    return result


@contextlib.asynccontextmanager
async def lags(bootstraps: dict[str, str], into: list[float]) -> AsyncIterator[None]:
    """While it is open: milliseconds from each record's writing at one site to its being read at the other."""
    async with contextlib.AsyncExitStack() as stack:
        for name, bootstrap in bootstraps.items():
            consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
            await consumer.start()
            stack.push_async_callback(consumer.stop)
            (source,) = set(bootstraps) - {name}
            places = [TopicPartition(copy_name(source, topic), PARTITION) for topic in TOPICS.values()]
            consumer.assign(places)
            await consumer.seek_to_end(*places)
            task = asyncio.create_task(_watch(consumer, into))
            stack.push_async_callback(_end, task)
        yield


async def _watch(consumer: AIOKafkaConsumer, into: list[float]) -> None:
    async for record in consumer:
        into.append(time.time() * 1_000 - record.timestamp)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _print(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()
