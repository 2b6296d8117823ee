"""Every warehouse: a token inserts once, a bad row refuses all, absence is told and passes."""

import asyncio
import time

import pytest
from junctor_analytics.application.ports import RowsRefused, WarehouseAway


def rows(count, begin=0, month=0):
    at = time.time_ns() // 1_000_000 - month * 32 * 86_400_000
    return [{"tenant": "t", "time": at + n, "event_id": f"e{begin + n}"} for n in range(count)]


async def available(store, wanted=True):
    async with asyncio.timeout(20):
        while store.warehouse.available is not wanted:
            await asyncio.sleep(0.02)


async def test_a_token_inserts_once(store):
    await available(store)
    for _ in range(3):
        await store.warehouse.insert("event_rows", rows(5), "one")
    assert store.physical("event_rows") == 5
    await store.warehouse.insert("event_rows", rows(5, begin=5), "two")
    assert store.physical("event_rows") == 10


async def test_a_token_inserts_once_over_several_months(store):
    await available(store)
    months = rows(2) + rows(2, begin=2, month=1) + rows(2, begin=4, month=2)
    for _ in range(2):
        await store.warehouse.insert("event_rows", months, "one")
    assert store.physical("event_rows") == 6


async def test_a_row_that_cannot_be_taken_refuses_all(store):
    await available(store)
    for bad in ({"event_id": "x", "time": "not a time"}, {"event_id": "x", "no_such_column": 1}):
        with pytest.raises(RowsRefused):
            await store.warehouse.insert("event_rows", [*rows(3), bad], "one")
        assert store.physical("event_rows") == 0
    assert store.warehouse.available
    await store.warehouse.insert("event_rows", rows(3), "one")
    assert store.physical("event_rows") == 3


async def test_absence_is_told_and_the_token_still_holds(store):
    await available(store)
    await store.warehouse.insert("event_rows", rows(3), "one")
    await store.leave()
    with pytest.raises(WarehouseAway):
        await store.warehouse.insert("event_rows", rows(3, begin=3), "two")
    await available(store, False)
    await store.come_back()
    await available(store)
    await store.warehouse.insert("event_rows", rows(3), "one")
    await store.warehouse.insert("event_rows", rows(3, begin=3), "two")
    assert store.physical("event_rows") == 6
