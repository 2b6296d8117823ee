"""Every store of positions: what was begun is found, what was finished is not begun any more."""

from junctor_analytics.application.batch import Batch, Range
from junctor_journal.log import TopicPartition

FIRST = Batch((Range("t", 0, 5, 9, 1_000), Range("t", 1, 0, 0, 2_000)))
SECOND = Batch((Range("t", 0, 10, 12, 3_000),))


async def test_nothing_is_there_at_first(positions):
    assert await positions().load() == ({}, None)


async def test_a_begun_batch_is_found_and_moves_nothing(positions):
    await positions().begin(FIRST)
    await positions().begin(FIRST)
    assert await positions().load() == ({}, FIRST)


async def test_a_finished_batch_moves_its_partitions_only(positions):
    store = positions()
    for batch in (FIRST, SECOND):
        await store.begin(batch)
        await store.finish(batch)
    assert await positions().load() == ({TopicPartition("t", 0): 13, TopicPartition("t", 1): 1}, None)


async def test_a_forgotten_batch_moves_nothing(positions):
    await positions().begin(SECOND)
    await positions().forget(SECOND)
    assert await positions().load() == ({}, None)
