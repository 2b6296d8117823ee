"""A whole site by the command line: up, a second up, status, logs, a token that a service accepts, down."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from junctor_local import places, site_state
from junctor_local.site_ports import SERVICES

LIMIT = 240


class CommandLine:
    def __init__(self, cache: Path) -> None:
        self.cache = cache
        for download in ("kafka", "node"):
            (cache / download).symlink_to(places.cache() / download)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "junctor_cli", *arguments],
            env={**os.environ, "JUNCTOR_CACHE": str(self.cache), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )


@pytest.fixture
def junctor(tmp_path: Path) -> Iterator[CommandLine]:
    run = CommandLine(tmp_path)
    yield run
    run("down")


@pytest.mark.parametrize("options", [[], ["--all-in-one"]], ids=["processes", "all in one"])
def test_a_site_goes_up_tells_about_itself_and_goes_down(
    junctor: CommandLine, tmp_path: Path, options: list[str]
) -> None:
    up = junctor("up", "--free-ports", *options)
    assert up.returncode == 0, up.stderr
    state = site_state.read(tmp_path / "site" / "a")
    assert state is not None
    assert state.addresses["sip"] in up.stdout

    again = junctor("up")
    assert again.returncode == 1
    assert f"ready already, process {state.supervisor.pid}" in again.stderr

    status = junctor("status")
    assert status.returncode == 0, status.stdout
    for name in ("kafka", "clickhouse", "media", "issuer", *(["services"] if options else SERVICES)):
        assert re.search(rf"^\s*{name}\s+\d+ .*healthy", status.stdout, re.MULTILINE), (name, status.stdout)

    env, at = state.environment, state.addresses
    named = [part for name in SERVICES for part in ("--service", f"{name}={at[name]}")]
    named += ["--http", at["http"], "--sip", at["sip"], "--media", at["media"], "--kafka", at["kafka"]]
    named += ["--topics", str(places.repository() / "topics.yaml"), "--token-url", env["JUNCTOR_TOKEN_URL"]]
    checked = junctor("check", *named, "--token-secret", env["JUNCTOR_TOKEN_SECRET"])
    assert (checked.returncode, checked.stdout.count("ok ")) == (0, len(SERVICES) + 5), checked.stdout + checked.stderr
    wrong = junctor("check", *named, "--token-secret", "not the one", "--media", at["http"][7:], "--within", "1")
    assert wrong.returncode == 1
    assert re.findall(r"^failed +(.+?):", wrong.stdout, re.MULTILINE) == ["a call with a token", "media"], wrong.stdout

    assert "service started" in junctor("logs", "-n", "200").stdout
    assert junctor("token", "--role", "supervisor").stdout.count(".") == 2

    down = junctor("down")
    assert (down.returncode, down.stdout) == (0, "Site a is down.\n"), down.stderr
    processes = [state.supervisor, *(component.process for component in state.components.values())]
    assert not any(process.alive for process in processes if process)
    assert junctor("status").returncode == 4
