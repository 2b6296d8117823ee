"""Generates libs/protos from proto/**.proto; with --check it writes nothing and tells how the kept code differs."""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc_tools  # type: ignore[import-untyped]
from google.rpc import status_pb2

from junctor_local import places

_PACKAGE = "junctor"
DESCRIPTORS = "descriptors.binpb"  # a FileDescriptorSet with the comments, from which the gateway's document is made


class NotGenerated(RuntimeError):
    """protoc refused a file; it has said which and where on the standard error output."""


def generate(output: Path) -> None:
    """Writes the whole package `junctor` into `output`, an empty folder: messages, stubs, their type stubs, descriptors."""
    sources = places.repository() / "proto"
    files = sorted(str(path.relative_to(sources)) for path in (sources / _PACKAGE).rglob("*.proto"))
    # The type-stub plugins are console scripts beside this interpreter. A process of its own: protoc forks, which one with
    # threads may not survive.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{sources}",
        f"-I{Path(status_pb2.__file__).parents[2]}",
        f"-I{Path(grpc_tools.__file__).parent / '_proto'}",
        f"--python_out={output}",
        f"--mypy_out=quiet:{output}",
        f"--grpc_python_out={output}",
        f"--mypy_grpc_out=quiet:{output}",
        "--include_source_info",
        f"--descriptor_set_out={output / _PACKAGE / DESCRIPTORS}",
    ]
    (output / _PACKAGE).mkdir()
    if subprocess.run([*command, *files], env={**os.environ, "PATH": path}, check=False).returncode != 0:
        raise NotGenerated("protoc failed, see above")
    for folder in sorted({path.parent for path in (output / _PACKAGE).rglob("*_pb2.py")}):
        for package in (folder, *folder.relative_to(output).parents):
            marker = output / package / "__init__.py"
            if package != Path():
                marker.touch()
    (output / _PACKAGE / "py.typed").touch()


def differences(fresh: Path, kept: Path) -> list[str]:
    """One line for each file that is missing, left over or different in `kept`, untracked files included."""
    new, old = _files(fresh), _files(kept)
    lines = [f"missing: {name}" for name in sorted(new - old)]
    lines += [f"left over: {name}" for name in sorted(old - new)]
    lines += [
        f"different: {name}" for name in sorted(new & old) if not filecmp.cmp(fresh / name, kept / name, shallow=False)
    ]
    return lines


def main() -> int:
    """Exit status 0 if the code is up to date (or was written), 1 if it is not or protoc failed."""
    options = argparse.ArgumentParser(prog="python -m junctor_local.protos", description=__doc__)
    options.add_argument(
        "--check", action="store_true", help="write nothing; fail if the generated code is out of date"
    )
    check = options.parse_args().check
    kept = places.repository() / "libs" / "protos" / _PACKAGE
    with tempfile.TemporaryDirectory(prefix="junctor-protos-") as scratch:
        try:
            generate(Path(scratch))
        except NotGenerated as error:
            print(error, file=sys.stderr)
            return 1
        fresh = Path(scratch) / _PACKAGE
        found = differences(fresh, kept)
        if check:
            for line in found:
                print(f"libs/protos/junctor: {line}", file=sys.stderr)
            if found:
                print("The generated code does not match proto/: run `make protos`.", file=sys.stderr)
            return 1 if found else 0
        for line in found:
            name = line.split(": ", 1)[1]
            target = kept / name
            if line.startswith("left over"):
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(fresh / name, target)
    return 0


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


if __name__ == "__main__":
    sys.exit(main())
