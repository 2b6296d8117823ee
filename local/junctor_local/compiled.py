"""Compiles what an input goes through in the router (its core, and the journal's way of an entry) with mypyc.

The outcome is a folder with the packages as they are and an extension module beside each compiled one; who has the folder
before the packages on its path runs the compiled form, and who has not runs the same sources interpreted. Both give the same
journal, bit for bit. Work trees are not written to: an extension module there would hide later changes of its source.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from junctor_local import places

GROUP = "junctor_compiled"
ROUTER, JOURNAL = "services/router/junctor_router", "libs/journal/junctor_journal"
WANTED = {
    ROUTER: (
        "domain/*.py",
        "application/apply_times.py",
        "application/changes.py",
        "application/messages.py",
        "application/pools.py",
    ),
    JOURNAL: (
        "chain_place.py",
        "chain_reader.py",
        "cloud_events.py",
        "entry_read.py",
        "events.py",
        "input_window.py",
        "lineage.py",
        "message_types.py",
        "outcome.py",
        "partition_state.py",
        "reader.py",
        "record.py",
        "timers.py",
    ),
}
INTERPRETED = ("dataclass_transform", "\n@record\n")
"""What keeps a module interpreted: of a class with a decorator of its own, mypyc compares by identity."""
STAMP = ".made-of"

_SETUP = """\
import sys
from mypyc.build import mypycify
from setuptools import setup

setup(
    name={group!r},
    ext_modules=mypycify(
        ["--config-file=", "--ignore-missing-imports", "--python-version=3.11", *{files!r}],
        target_dir={folder!r},
        opt_level="2",
        debug_level="0",
        group_name={group!r},
        strip_asserts=False,
    ),
)
"""


class NotCompiled(RuntimeError):
    """Says what is missing on this machine, or what the compiler said."""


def modules(repository: Path) -> list[Path]:
    """The sources that are compiled, in a fixed order."""
    found = [
        path
        for package, patterns in WANTED.items()
        for pattern in patterns
        for path in (repository / package).glob(pattern)
    ]
    return sorted(path for path in found if path.stat().st_size and not _stays(path.read_text()))


def make(repository: Path, output: Path) -> bool:
    """Writes the packages, compiled, into `output`, unless they are there of the same sources. True where it wrote.

    Raises `NotCompiled`; then what was there before is gone.
    """
    made_of = _made_of(repository)
    if (output / STAMP).is_file() and (output / STAMP).read_text() == made_of:
        return False
    shutil.rmtree(output, ignore_errors=True)
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which("cc") is None or not header.is_file():
        raise NotCompiled(
            "A C compiler and Python's headers are needed (on Debian: apt-get install gcc libpython3.11-dev); "
            f"looked for cc on the path and for {header}."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        fresh = Path(folder) / "packages"
        for package in WANTED:
            shutil.copytree(
                repository / package, fresh / Path(package).name, ignore=shutil.ignore_patterns("__pycache__", "*.so")
            )
        _compile(repository, fresh, Path(folder))
        (fresh / STAMP).write_text(made_of)
        fresh.rename(output)
    return True


def _compile(repository: Path, fresh: Path, folder: Path) -> None:
    files = [str(path.relative_to((repository / _package(repository, path)).parent)) for path in modules(repository)]
    setup = folder / "setup.py"
    setup.write_text(_SETUP.format(group=GROUP, files=files, folder=str(folder)))
    others = [str(path.parent) for path in sorted(repository.glob("libs/*/pyproject.toml"))]
    ended = subprocess.run(
        [sys.executable, setup, "--quiet", "build_ext", "--build-lib", ".", "--build-temp", folder / "objects"],
        cwd=fresh,
        env={
            **os.environ,
            "MYPYPATH": os.pathsep.join(others),
            "MYPY_CACHE_DIR": str(folder / "cache"),
            "CFLAGS": "-g0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise NotCompiled(ended.stdout[-4_000:])


def _stays(source: str) -> bool:
    return any(mark in source for mark in INTERPRETED)


def _package(repository: Path, path: Path) -> str:
    return next(package for package in WANTED if path.is_relative_to(repository / package))


def _made_of(repository: Path) -> str:
    """Of everything that the outcome depends on."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    for path in _sources(repository):
        digest.update(str(path.relative_to(repository)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(repository: Path) -> Iterator[Path]:
    yield repository / "requirements" / "lock.txt"
    yield repository / "local" / "junctor_local" / "compiled.py"
    for package in WANTED:
        yield from sorted(path for path in (repository / package).rglob("*") if path.suffix in {".py", ".typed"})


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=places.cache() / "compiled", help="the folder")
    output = parser.parse_args().output.resolve()
    try:
        if make(places.repository(), output):
            print(f"Compiled: {output}", file=sys.stderr)
    except NotCompiled as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
