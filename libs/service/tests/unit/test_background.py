"""Background work is run again when it fails."""

import asyncio
import time

from junctor_service.background import Background


async def test_failing_work_is_restarted_and_readiness_tells(caplog):
    runs, states = [], []
    again = asyncio.Event()

    async def work():
        runs.append(1)
        states.append(part.ready)
        if len(runs) < 3:
            raise ConnectionError("away")
        again.set()
        await asyncio.sleep(3600)

    part = Background("reader", work, restart_after=0.01)
    await part.start()
    await asyncio.wait_for(again.wait(), 5)
    assert (len(runs), part.failures, part.ready) == (3, 2, True)
    await part.stop(time.monotonic() + 1)
    assert not part.ready
