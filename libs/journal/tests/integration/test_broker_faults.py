"""The broker killed twice: callers are told quickly, nothing is lost, everything recovers by itself."""

import asyncio
import time

from junctor_journal.errors import JournalError
from junctor_journal.static_pump import StaticPump
from scene import applied, assert_exact, new_log, prepare
from tally_service import add, new_ledger

PARTITIONS = 2


async def test_the_broker_is_killed_twice(own_kafka):
    log = new_log(own_kafka)
    await log.start()
    await prepare(log, "tally", PARTITIONS)
    ledger = new_ledger(log, pump=StaticPump(range(PARTITIONS)))
    await ledger.start()
    await ledger.wait_ready()
    answered, refused = {}, []
    stopping = asyncio.Event()

    async def caller(name):
        n = 0
        while not stopping.is_set():
            began = time.monotonic()
            try:
                outcome = await ledger.command(add(f"{name}-{n}", 1, stream=name), deadline=5)
                answered[f"{name}-{n}"] = outcome.response.total
                n += 1
                await asyncio.sleep(0.02)
            except JournalError as error:
                assert error.retryable
                refused.append(time.monotonic() - began)
                await asyncio.sleep(0.1)

    callers = [asyncio.ensure_future(caller(f"c{n}")) for n in range(4)]
    for _ in range(2):
        before = len(answered)
        await _until(lambda before=before: len(answered) > before + 20)
        await own_kafka.kill_now()
        told = len(refused)
        await _until(lambda told=told: len(refused) > told + 8)
        await own_kafka.start_again()
    before = len(answered)
    await _until(lambda: len(answered) > before + 20)
    stopping.set()
    await asyncio.wait_for(asyncio.gather(*callers), 20)
    results = await applied(log, "tally", PARTITIONS)
    await ledger.stop(2)
    await log.stop()
    assert_exact(results)
    for name, total in answered.items():
        assert total == int(name.partition("-")[2]) + 1
    assert sorted(refused)[len(refused) // 2] < 1.0, "most callers are told at once"


async def _until(condition, limit=40.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.05)
