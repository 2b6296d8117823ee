"""The container of the mirror tells its liveness probe where a task has failed. A shell that says its lines is Java here."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START = Path(__file__).parents[2] / "kafka" / "start.sh"
BEGINS = "INFO MirrorSourceTask - task-thread-MirrorSourceConnector-0 replicating 98 topic-partitions a->b"
ENDS = (
    "INFO org.apache.kafka.connect.mirror.MirrorSourceTask - Stopping task-thread-MirrorSourceConnector-0 took 603 ms."
)


class Container:
    def __init__(self, folder: Path) -> None:
        self.stuck = folder / "mirror.stuck"
        java = folder / "java"
        java.write_text("#!/bin/sh\nexec cat\n")
        java.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [START, "mirror", "mirror.properties", "--clusters", "b"],
            env={"PATH": path, "TMPDIR": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def says(self, line: str) -> None:
        """Returns when the container's log has the line."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{line}\n"

    def is_stuck(self, expected: bool) -> bool:
        limit = time.monotonic() + 10
        while self.stuck.exists() != expected and time.monotonic() < limit:
            time.sleep(0.01)
        return self.stuck.exists()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    (tmp_path / "mirror.stuck").touch()
    made = Container(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def test_a_failed_task_is_told_until_one_begins_again(container: Container) -> None:
    container.says("WARN it waits for a broker")
    assert not container.is_stuck(False), "left by an earlier life"
    container.says(BEGINS)
    container.says(ENDS)
    assert container.is_stuck(True)
    container.says("WARN something else")
    container.says(BEGINS)
    assert not container.is_stuck(False)


def test_java_is_the_containers_process_and_gets_its_signals(container: Container) -> None:
    container.says(BEGINS)
    container.process.terminate()
    assert container.process.wait(10) == -15
