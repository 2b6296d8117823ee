"""A site that cannot start says what is wrong, where, and what to do; nothing is left running."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from junctor_local import places, site_state
from junctor_local.ports import free_ports

LIMIT = 240


class CommandLine:
    """`junctor` with a folder and an environment of its own."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        for download in ("kafka", "node"):
            (cache / download).symlink_to(places.cache() / download)

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "junctor_cli", *arguments],
            env={**os.environ, "JUNCTOR_CACHE": str(self.cache), "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def left_running(self) -> list[psutil.Process]:
        """Processes that work in the folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
            if any(str(self.cache) in word for word in words):
                found.append(process)
        return found


@pytest.fixture
def junctor(tmp_path: Path) -> Iterator[CommandLine]:
    run = CommandLine(tmp_path)
    yield run
    run("down")
    assert run.left_running() == []


def test_a_port_in_use_is_named_with_its_holder_and_the_way_out(junctor: CommandLine) -> None:
    first = free_ports(40)[0]
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", first))
        holder.listen()
        up = junctor("up", "--ports-from", str(first))
    assert up.returncode == 1
    assert f"Port {first} (" in up.stderr
    assert f"process {os.getpid()}" in up.stderr or str(os.getpid()) in up.stderr
    assert "--ports-from" in up.stderr
    assert junctor.left_running() == []


def test_a_missing_java_is_named_with_the_way_to_get_it(junctor: CommandLine, tmp_path: Path) -> None:
    without = tmp_path / "bin"
    without.mkdir()
    up = junctor("up", "--free-ports", PATH=str(without))
    assert up.returncode == 1
    assert "Java 17 is missing" in up.stderr
    assert "apt-get install openjdk-17-jre-headless" in up.stderr
    assert junctor.left_running() == []


@pytest.mark.parametrize(
    ("service", "settings", "says"),
    [
        ("junctor_cti", {"JUNCTOR_CTI__SLOT": "many"}, ["JUNCTOR_CTI__SLOT"]),
        (
            "junctor_router",
            {"JUNCTOR_KAFKA_BOOTSTRAP": "nowhere", "JUNCTOR_ROUTER__GRPC_LISTEN": "127.0.0.1:99999"},
            ["JUNCTOR_KAFKA_BOOTSTRAP", "JUNCTOR_ROUTER__GRPC_LISTEN"],
        ),
        ("junctor_recording", {}, ["JUNCTOR_JWKS is not set", "public keys"]),
    ],
)
def test_a_wrong_setting_ends_a_service_with_2_and_a_sentence_for_each(
    tmp_path: Path, service: str, settings: dict[str, str], says: list[str]
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
    ended = subprocess.run(
        [sys.executable, "-m", service],
        env={**environment, "JUNCTOR_STATE_DIR": str(tmp_path), **settings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    told = ended.stdout + ended.stderr
    assert ended.returncode == 2, told
    assert "Traceback" not in told
    for name in says:
        assert name in told


def test_a_site_whose_supervisor_was_killed_leaves_nothing_and_starts_again(
    junctor: CommandLine, tmp_path: Path
) -> None:
    assert junctor("up", "--free-ports").returncode == 0
    second = junctor("up", "--free-ports")
    assert second.returncode == 1
    assert "ready already" in second.stderr
    state = site_state.read(tmp_path / "site" / "a")
    assert state is not None
    psutil.Process(state.supervisor.pid).kill()
    _, left = psutil.wait_procs(junctor.left_running(), timeout=60)
    assert left == []
    assert junctor("status").returncode == 4
    assert junctor("up", "--free-ports").returncode == 0
    assert junctor("down").returncode == 0
