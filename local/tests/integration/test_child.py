"""A child ends with its parent, says why it failed, and comes back under supervision."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from junctor_local.child import Child, NotReady
from junctor_local.supervised import Supervised

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]

PARENT = """
import asyncio, sys
from pathlib import Path
from junctor_local.child import Child

async def main():
    child = Child("child", [sys.executable, "-c", "import time; time.sleep(600)"], Path(sys.argv[1]))
    await child.start()
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


async def gone(pid: int, limit: float = 10) -> None:
    async with asyncio.timeout(limit):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    assert psutil.pid_exists(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)


async def test_a_child_that_ends_too_early_is_quoted(tmp_path: Path) -> None:
    child = Child("The sample", [sys.executable, "-c", "import sys; sys.exit('no disk')"], tmp_path / "log")
    await child.start()

    async def never() -> bool:
        return False

    with pytest.raises(NotReady, match="The sample ended with status 1(.|\n)*no disk"):
        await child.ready(never, 20)


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    child = Child("The sample", ["no-such-program"], tmp_path / "log")
    await child.start()
    assert await child.wait() == 127
    assert "no-such-program" in child.tail()


async def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = Child("deaf", [sys.executable, "-c", deaf], tmp_path / "log")
    await child.start()

    async def says_so() -> bool:
        return "deaf" in child.log.read_text()

    await child.ready(says_so, 20)
    await child.stop(limit=0.2)
    assert child.returncode == -signal.SIGKILL


def sleeper(tmp_path: Path) -> tuple[Supervised, list[int | None]]:
    child = Child("sleeper", SLEEP, tmp_path / "log")
    seen: list[int | None] = []

    async def running() -> bool:
        return child.running

    part = Supervised("sleeper", child, child.start, running, "-", lambda: seen.append(child.pid))
    return part, seen


async def test_a_supervised_child_comes_back_each_time_it_is_killed(tmp_path: Path) -> None:
    part, seen = sleeper(tmp_path)
    await part.up()
    try:
        for restarts in (1, 2):
            pid = part.child.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                while part.child.pid in {pid, None}:
                    await asyncio.sleep(0.02)
            assert part.restarts == restarts
        assert part.child.pid in seen
    finally:
        await part.down(kill=True)
    assert not part.child.running


async def test_what_was_stopped_stays_down_until_it_is_started(tmp_path: Path) -> None:
    part, _ = sleeper(tmp_path)
    await part.up()
    await part.down()
    assert (part.child.running, part.wanted) == (False, False)
    await part.up()
    assert part.child.running
    assert part.restarts == 0
    await part.down()


async def test_a_wrong_setting_is_not_tried_again(tmp_path: Path) -> None:
    child = Child("service", [sys.executable, "-c", "import sys; print('started'); sys.exit(2)"], tmp_path / "log")

    async def start() -> None:
        await child.start()
        await child.ready(never, 20)

    async def never() -> bool:
        return False

    part = Supervised("service", child, start, never, "-", lambda: None)
    with pytest.raises(NotReady, match="status 2"):
        await part.up()
    assert child.log.read_text().count("started") == 1
