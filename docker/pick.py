"""Copies distributions from one environment to another of the same Python, as they were installed there.

`python3 docker/pick.py WANTED FROM TO`: WANTED has a distribution a line, `name==version`; other lines are left out.
So that what several images have is installed and compiled once. Commands in `bin` stay behind. Exit status 1, with a
sentence, where one is not there.
"""

import re
import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

_WANTED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")


def canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(environment: Path) -> Path:
    return next(environment.glob("lib/python3*/site-packages"))


def copy(found: Distribution, source: Path, target: Path) -> None:
    """Every file that its RECORD names and that is there."""
    for file in found.files or ():
        if file.parts[0] == ".." or not (source / file).exists():
            continue
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / file, target / file)


def main(wanted: Path, source: Path, target: Path) -> None:
    there = {(canonical(found.name), found.version): found for found in distributions(path=[str(source)])}
    for line in wanted.read_text().splitlines():
        match = _WANTED.fullmatch(line.strip())
        if match is None:
            continue
        found = there.get((canonical(match["name"]), match["version"]))
        if found is None:
            sys.exit(f"{line.strip()} is not installed in {source}.")
        copy(found, source, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), packages(Path(sys.argv[2])), packages(Path(sys.argv[3])))
