"""What a machine needs before `make setup`: says by name what is missing and how to get it.

Runs on any Python 3 without a virtual environment. On Debian as root it installs what is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """One program: how to ask for its version, what the answer must be, and where it comes from."""

    name: str
    why: str
    commands: tuple[tuple[str, ...], ...]
    version: str
    debian: tuple[str, ...]
    elsewhere: str


NEEDS = (
    Need(
        "Python 3.11 with venv",
        "runs Junctor",
        tuple(
            (program, "-c", "import sys, venv, ensurepip; print(sys.version)")
            for program in ("python3.11", "python3", "python")
        ),
        r"^3\.11\.",
        ("python3.11", "python3.11-venv"),
        "https://www.python.org/downloads/ or pyenv",
    ),
    Need(
        "Java 17",
        "runs Kafka",
        (("java", "-version"),),
        r'version "(1[7-9]|[2-9]\d)\b',
        ("openjdk-17-jre-headless",),
        "https://adoptium.net/temurin/releases/?version=17",
    ),
    Need("Maven", "gets Kafka", (("mvn",),), "", ("maven",), "https://maven.apache.org/download.cgi"),
    Need(
        "Node 20",
        "gets ClickHouse and buf",
        (("node", "--version"),),
        r"^v(2\d|[3-9]\d)\.",
        ("nodejs",),
        "https://nodejs.org/en/download (Debian 12 has only version 18)",
    ),
    Need(
        "npm",
        "gets ClickHouse and buf",
        (("npm",),),
        "",
        ("npm",),
        "it comes with Node: https://nodejs.org/en/download",
    ),
    Need("make", "runs the Makefile", (("make",),), "", ("make",), "your system's package manager"),
)


SLOW = """\
{program} was built without profile-guided optimisation: Junctor works, and takes about a sixth more of the processor.
  Debian's packages python3.11 and python3.11-venv have it (with pyenv: PYTHON_CONFIGURE_OPTS=--enable-optimizations);
  then `make clean`."""


def programs(need: Need) -> Iterator[str]:
    """All on the path in the right version, in the order of the need's commands; without a pattern presence is enough."""
    places = [place for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place]
    for name, *arguments in need.commands:
        for program in filter(None, [shutil.which(name, path=place) for place in places]):
            if not need.version or re.search(need.version, _said(program, *arguments), re.MULTILINE):
                yield program


def _said(program: str, *arguments: str) -> str:
    """What it prints; nothing where it fails."""
    said = subprocess.run(
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return said.stdout if said.returncode == 0 else ""


def missing() -> list[Need]:
    """What is not there, in the order of NEEDS."""
    return [need for need in NEEDS if next(programs(need), None) is None]


def is_optimised() -> bool:
    """Whether the interpreter that runs this was built with its own profile, as distributions and Python's images build it;
    without (what pyenv does unless told otherwise) the router takes about a sixth more of the processor."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") or sys.base_prefix == "/usr"


def python_311() -> tuple[str, bool]:
    """The program for the virtual environment and whether it is optimised: the first one that is, or else the first; empty if
    there is none."""
    there = list(programs(NEEDS[0]))
    for program in there:
        if _said(program, __file__, "--optimised").strip() == "True":
            return program, True
    return (there[0] if there else ""), False


def describe(needs: list[Need], debian: bool) -> str:
    """One line per need: what is missing, what for, and how to get it here."""
    lines = [f"Missing on this machine: {', '.join(need.name for need in needs)}."]
    for need in needs:
        how = f"apt-get install {' '.join(need.debian)}" if debian else need.elsewhere
        lines.append(f"  {need.name} ({need.why}): {how}")
    return "\n".join(lines)


def main() -> int:
    """Exit status 0 if everything is there (or was installed), 1 with a text that says what is not.

    With --python it prints the program that is Python 3.11 instead, with --optimised what `is_optimised` says of this one.
    """
    if sys.argv[1:] == ["--optimised"]:
        print(is_optimised())
        return 0
    if sys.argv[1:] == ["--python"]:
        program, optimised = python_311()
        if program and not optimised:
            print(SLOW.format(program=program), file=sys.stderr)
        print(program)
        return 0
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        print(
            f"The local site runs on Linux on x86-64; this is {sys.platform} on {os.uname().machine}.", file=sys.stderr
        )
        return 1
    needs = missing()
    debian = os.path.exists("/etc/debian_version") and shutil.which("apt-get") is not None
    if needs and debian and os.geteuid() == 0:
        print(describe(needs, debian) + "\nInstalling.", flush=True)
        packages = [package for need in needs for package in need.debian]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "-q", "update"],
            ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages],
        ):
            if subprocess.run(command, env=environment, check=False).returncode != 0:
                print(f"`{' '.join(command)}` failed, see above.", file=sys.stderr)
                break
        needs, debian = missing(), False
    if needs:
        print(describe(needs, debian), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
