"""The command line on a machine without a site, and what each wrong use is answered with."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from junctor_cli.__main__ import COMMANDS, cli


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUNCTOR_CACHE", str(tmp_path))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_help_lists_every_command_and_each_has_help_of_its_own() -> None:
    listed = run("--help").output
    for name in COMMANDS:
        assert name in listed
        assert run(name, "--help").exit_code == 0


def test_an_unknown_command_is_refused() -> None:
    assert run("upp").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["status"], 4, "Site a is not up"),
        (["down"], 0, "Site a is not up"),
        (["logs"], 1, "never started"),
        (["token", "--role", "supervisor"], 1, "no key yet"),
        (["token", "--role", "king"], 2, "king"),
        (["up", "--ports-from", "80"], 2, "1024"),
        (["up", "--ports-from", "21000", "--free-ports"], 2, "exclude each other"),
        (["status", "--site", "../x"], 1, "not a site's name"),
    ],
)
def test_each_wrong_use_is_told(arguments: list[str], status: int, says: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, says in result.output) == (status, True), result.output


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "site" / "a"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"site": 1}))
    result = run("status")
    assert (result.exit_code, "state.json is damaged" in result.output) == (1, True)


def test_a_token_of_an_agent_needs_the_agent(tmp_path: Path) -> None:
    (tmp_path / "site" / "a" / "issuer").mkdir(parents=True)
    assert "agent_id" in run("token", "--role", "agent").output
    made = run("token", "--role", "agent", "--agent", "alice")
    assert (made.exit_code, made.output.count(".")) == (0, 2)
