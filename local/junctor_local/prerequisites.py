"""What a machine needs before `make setup`: says by name what is missing and how to get it.

Runs on any Python 3 without a virtual environment. On Debian as root it installs what is missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
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


def found(need: Need) -> bool:
    """Whether one of the need's commands is there in the right version; without a pattern its presence is enough."""
    for command in need.commands:
        if shutil.which(command[0]) is None:
            continue
        if not need.version:
            return True
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if said.returncode == 0 and re.search(need.version, said.stdout, re.MULTILINE):
            return True
    return False


def missing() -> list[Need]:
    """What is not there, in the order of NEEDS."""
    return [need for need in NEEDS if not found(need)]


@dataclass(frozen=True)
class Python:
    """A Python 3.11 with venv. `optimised`: built with its own profile, as distributions and Python's images build it;
    without (what pyenv does unless told otherwise) the router takes about a sixth more of the processor."""

    program: str
    optimised: bool


def this_python() -> str:
    """Of the interpreter that runs this: `optimised`, `plain`, or nothing where it is no Python 3.11 with venv."""
    if sys.version_info[:2] != (3, 11) or not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return ""
    told = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "optimised" if told or sys.base_prefix == "/usr" else "plain"


def pythons() -> list[Python]:
    """All that are on the path, each with its whole path, in the path's order."""
    places = [place for place in os.environ.get("PATH", os.defpath).split(os.pathsep) if place]
    programs = dict.fromkeys(command[0] for command in NEEDS[0].commands)
    seen = [shutil.which(program, path=place) for program in programs for place in places]
    there = []
    for program in filter(None, seen):
        said = subprocess.run([program, __file__, "--this"], capture_output=True, text=True, check=False).stdout.strip()
        if said in ("optimised", "plain"):
            there.append(Python(program, said == "optimised"))
    return there


def python_311() -> Python | None:
    """For the virtual environment: the first optimised one, or else the first."""
    there = pythons()
    return next((python for python in there if python.optimised), there[0] if there else None)


def describe(needs: list[Need], debian: bool) -> str:
    """One line per need: what is missing, what for, and how to get it here."""
    lines = [f"Missing on this machine: {', '.join(need.name for need in needs)}."]
    for need in needs:
        how = f"apt-get install {' '.join(need.debian)}" if debian else need.elsewhere
        lines.append(f"  {need.name} ({need.why}): {how}")
    return "\n".join(lines)


def main() -> int:
    """Exit status 0 if everything is there (or was installed), 1 with a text that says what is not.

    With --python it prints the program that is Python 3.11 instead, with --this what `this_python` says.
    """
    if sys.argv[1:] == ["--this"]:
        print(this_python())
        return 0
    if sys.argv[1:] == ["--python"]:
        python = python_311()
        if python is not None and not python.optimised:
            print(SLOW.format(program=python.program), file=sys.stderr)
        print("" if python is None else python.program)
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
