"""Reports wait for calls: what ClickHouse and analytics do gives way to what answers people."""

import os
from pathlib import Path

from junctor_local.child import Child


async def test_a_child_that_gives_way_is_nicer_than_others(tmp_path: Path):
    usual, nicer = (Child(name, ["sleep", "60"], tmp_path / f"{name}.log") for name in ("usual", "nicer"))
    nicer.niceness = 10
    try:
        await usual.start()
        await nicer.start()
        assert os.getpriority(os.PRIO_PROCESS, nicer.pid) == os.getpriority(os.PRIO_PROCESS, usual.pid) + 10
    finally:
        await usual.kill()
        await nicer.kill()
