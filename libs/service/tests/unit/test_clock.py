"""Clocks: never backwards; virtual waits end in order."""

import asyncio

from junctor_service.clock import SystemClock
from junctor_testkit.virtual_time import VirtualClock


def test_a_backward_jump_keeps_the_last_value_and_counts_once():
    times = iter([5_000, 9_000, 4_000, 4_500, 9_001, 1_000])
    clock = SystemClock(lambda: next(times) * 1_000_000)
    assert [clock.now_ms() for _ in range(6)] == [5_000, 9_000, 9_000, 9_000, 9_001, 9_001]
    assert clock.backward_jumps == 2


async def test_virtual_sleepers_wake_at_their_moments_in_order():
    clock = VirtualClock(now_ms=1_000)
    woken = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now_ms()))
        if name == "a":
            await clock.sleep(1)
            woken.append(("a again", clock.now_ms()))

    tasks = [asyncio.create_task(sleeper(*given)) for given in (("b", 3), ("a", 1), ("c", 9))]
    await clock.advance(5)
    assert woken == [("a", 2_000), ("a again", 3_000), ("b", 4_000)]
    assert (clock.now_ms(), clock.monotonic(), clock.sleepers) == (6_000, 5.0, 1)
    tasks[2].cancel()
