"""What can be known of the images without building them: that they agree with the settings, the topics and the local site."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from junctor_local import kafka
from junctor_local.media.__main__ import _options
from junctor_local.site_ports import SERVICES
from junctor_service.settings import load_settings

DOCKER = Path(__file__).parents[2]
REPOSITORY = DOCKER.parent
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
BUILD = (DOCKER / "build.sh").read_text()
SECRETS = {"JUNCTOR_TOKEN_SECRET": "s", "CLICKHOUSE_PASSWORD": "p", "CLICKHOUSE_ANALYST_PASSWORD": "q"}


def environment(name: str) -> dict[str, str]:
    """A compose service's environment, with the wanted variables filled in."""
    found = {}
    for key, value in COMPOSE["services"][name].get("environment", {}).items():
        found[key] = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda match: SECRETS[match.group(1)], str(value))
    return found


def test_what_the_images_install_is_what_their_programs_reach() -> None:
    done = subprocess.run(
        [sys.executable, DOCKER / "closure.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_service_has_an_image_that_is_built_and_started() -> None:
    built = re.search(r"^all=\((.*)\)$", BUILD, re.MULTILINE)
    assert built is not None
    images = set(built.group(1).split())
    assert images >= set(SERVICES)
    assert images - {"tools"} == set(COMPOSE["services"]) - {"topics"}
    installed = {path.stem for path in (DOCKER / "requirements").glob("*.txt")}
    assert installed == images - {"kafka"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_the_settings_that_compose_gives_it(service: str) -> None:
    bind = importlib.import_module(f"junctor_{service}.bootstrap").bind
    settings_class = next(kind for name, kind in get_type_hints(bind).items() if name != "return")
    warnings: list[str] = []
    given = {**environment(service), "JUNCTOR_STATE_DIR": "/var/lib/junctor"}
    if service == "cti":
        given["JUNCTOR_CTI__PROMPTS"] = "/usr/share/junctor/prompts"
    settings = load_settings(settings_class, service=service, environ=given, warnings=warnings)
    assert warnings == []
    for peer in SERVICES:
        assert str(getattr(settings, f"{peer}_address")) == f"{peer}:{settings.grpc_listen.port}"


def test_compose_names_one_address_for_each_thing() -> None:
    settings, services = environment("cti"), COMPOSE["services"]
    broker = services["kafka"]["environment"]["KAFKA_ADVERTISED"]
    assert settings["JUNCTOR_KAFKA_BOOTSTRAP"] == broker
    assert broker in services["topics"]["command"]
    media = _options(services["media"]["command"])
    cti = services["cti"]["networks"]["default"]["ipv4_address"]
    assert services["media"]["networks"]["default"]["ipv4_address"] == media.interface
    assert settings["JUNCTOR_CTI__MEDIA_NG"] == f"{media.interface}:{media.ng[1]}"
    assert media.dtmf_log == (cti, int(settings["JUNCTOR_CTI__DTMF_LISTEN"].rpartition(":")[2]))
    assert settings["JUNCTOR_CTI__SIP_LISTEN"].partition(":")[0] == cti
    own = services["recording"]["networks"]["default"]["ipv4_address"]
    assert environment("recording")["JUNCTOR_RECORDING__RTP_HOST"] == own


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_container_of_a_trial_has_as_few_rights_as_in_a_cluster(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]
    target = service["build"]["target"]
    assert re.search(rf"^FROM .* AS {target}$", DOCKERFILE, re.MULTILINE)


def test_no_image_ends_as_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    named = {stage.split("\n")[0].split(" AS ")[1]: stage for stage in stages}
    parents = {name: stage.split()[0] for name, stage in named.items()}

    def last_user(stage: str) -> str:
        users = re.findall(r"^USER (.*)$", named[stage], re.MULTILINE)
        return str(users[-1]) if users else last_user(parents[stage]) if parents[stage] in named else ""

    for target in ("service", "cti", "tools", "clickhouse", "kafka"):
        assert last_user(target) == "10001:10001"


def test_the_builder_gives_every_argument_that_the_dockerfile_takes_from_outside() -> None:
    arguments = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    given = set(re.findall(r"--build-arg (\w+)=", BUILD))
    assert given <= arguments
    assert arguments - given == {"MAVEN_IMAGE", "NODE_IMAGE"}
    for context in re.findall(r"--build-context (\w+)=", BUILD):
        assert f" AS {context}\n" in DOCKERFILE


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    kept = {
        line.removeprefix("!")
        for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
        if line[:1] == "!"
    }
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert any(source == path or source.startswith(f"{path}/") for path in kept), source
            assert "$" in source or (REPOSITORY / source).exists()


def test_a_trials_broker_is_as_small_as_the_local_sites() -> None:
    # Where many pods start at once, a broker that is late with a heartbeat to itself must not be shut out for it.
    own = {"controller.quorum.voters", "listeners", "log.dirs", "broker.session.timeout.ms"}

    def properties(text: str) -> dict[str, str]:
        lines = [line.partition("=") for line in text.splitlines() if "=" in line and line[:1] != "#"]
        return {key: value for key, _, value in lines if key not in own}

    image = properties((DOCKER / "kafka" / "server.properties").read_text())
    local = {key: value for key, value in properties(kafka._PROPERTIES).items() if "{" not in value}
    assert image == local


@pytest.mark.parametrize("script", sorted([*DOCKER.glob("*.sh"), *DOCKER.glob("*/*.sh")]), ids=lambda path: path.name)
def test_scripts_are_read_by_their_shell(script: Path) -> None:
    shell = "bash" if "bash" in script.read_text().split("\n")[0] else "sh"
    assert subprocess.run([shell, "-n", script], check=False).returncode == 0
