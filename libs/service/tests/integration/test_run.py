"""Whole processes: settings, start, SIGTERM, the hard deadline, several services in one."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "program.py"


class Process:
    def __init__(self, *arguments: str, **environ: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments],
            env={**clean, "JUNCTOR_JWKS": "none.json", **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()

    def wait_for(self, message: str, count: int = 1) -> None:
        with self._changed:
            found = self._changed.wait_for(lambda: sum(message in line for line in self.lines) >= count, 20)
        assert found, self.lines

    def ends(self) -> int:
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def logged(self, message: str) -> list[dict]:
        found = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in found if line["message"] == message]


@pytest.fixture
def run():
    started = []

    def start(*arguments: str, **environ: str) -> Process:
        started.append(Process(*arguments, **environ))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(10)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_in_reverse_order(run, stop):
    process = run("good")
    process.wait_for("service started")
    process.process.send_signal(stop)
    assert process.ends() == 0
    steps = [line["step"] for line in process.logged("step")]
    assert steps == ["start first", "start second", "stop second", "stop first"]
    assert {line["service"] for line in process.logged("step")} == {"router"}


def test_a_component_that_does_not_stop_is_given_up_within_the_deadline(run):
    process = run("endless stop", JUNCTOR_DRAIN_DEADLINE="400ms")
    process.wait_for("service started")
    began = time.monotonic()
    process.process.terminate()
    assert process.ends() == 0
    assert time.monotonic() - began < 5
    assert process.logged("component did not stop in time")


def test_a_blocked_loop_is_ended_by_the_hard_deadline(run):
    process = run("blocking stop", JUNCTOR_DRAIN_DEADLINE="400ms")
    process.wait_for("service started")
    began = time.monotonic()
    process.process.terminate()
    assert process.ends() == 3
    assert time.monotonic() - began < 5
    assert any("The drain took longer than 0.4 s" in line for line in process.lines)


def test_a_component_that_does_not_start_ends_the_process_with_a_sentence(run):
    process = run("bad start")
    assert process.ends() == 1
    assert "router: second did not start: Kafka cannot be reached at 127.0.0.1:1." in process.lines
    assert [line["step"] for line in process.logged("step")] == ["start first", "stop first"]


def test_a_signal_during_the_start_stops_what_had_started(run):
    process = run("endless start")
    process.wait_for("start first")
    process.process.terminate()
    assert process.ends() == 0
    assert [line["step"] for line in process.logged("step")] == ["start first", "stop first"]


def test_a_wiring_that_fails_ends_the_process_with_a_sentence(run):
    process = run("bad bind")
    assert process.ends() == 1
    assert "router: the plan cannot be read." in process.lines


def test_bad_settings_end_the_process_with_one_sentence_each(run):
    process = run("good", JUNCTOR_SITE="A", JUNCTOR_TRACING="perhaps")
    assert process.ends() == 2
    assert len(process.lines) == 2
    assert process.lines[0].startswith("JUNCTOR_SITE='A' from the environment has the wrong form; expected")


def test_settings_that_the_wiring_misses_end_the_process_as_bad_settings(run):
    process = run("missing setting")
    assert process.ends() == 2
    assert process.lines[-1].startswith("JUNCTOR_TOKEN_URL and JUNCTOR_TOKEN_SECRET are not both set")


def test_an_unknown_setting_is_warned_about(run):
    process = run("good", JUNCTOR_STIE="b")
    process.wait_for("service started")
    (line,) = process.logged("unknown setting")
    assert line["setting"].startswith("JUNCTOR_STIE in the environment")
    assert line["level"] == "warning"


def test_several_services_share_a_process_and_keep_their_names(run):
    process = run("good", "cti:good")
    process.wait_for("service started", count=2)
    process.process.terminate()
    assert process.ends() == 0
    assert {line["service"] for line in process.logged("step")} == {"router", "cti"}
    assert len(process.logged("service stopped")) == 2
