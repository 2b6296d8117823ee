"""What each image installs: the packages of this repository and the locked distributions that its program can reach.

`python docker/closure.py` writes docker/requirements/<image>.txt, `--check` says which of them are out of date (exit
status 1). A program reaches what its modules import, anywhere in them, what they name in a string as `package.module`
or `package.module:name`, and what a distribution says it requires.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIREMENTS = REPOSITORY / "docker" / "requirements"
SERVICES = ("analytics", "cti", "directory", "gateway", "ivr", "omnichannel", "recording", "router")
# Image, and the modules that it starts with; a name that ends in .* stands for all modules below it.
IMAGES: dict[str, tuple[str, ...]] = {
    **{service: (f"junctor_{service}.__main__", f"junctor_{service}.*") for service in SERVICES},
    "media": ("junctor_local.media.__main__",),
    "issuer": ("junctor_local.issuer",),
    "clickhouse": ("junctor_local.clickhouse",),
    "tools": ("junctor_cli.__main__", "junctor_cli.*"),
}
# Imported by name at run time where it is installed.
OPTIONAL = {"uvloop"}


@dataclass(frozen=True, slots=True)
class Closure:
    """What one image installs: packages of this repository as folders, distributions as `name==version`."""

    folders: tuple[str, ...]
    locked: tuple[str, ...]

    def text(self) -> str:
        """A requirements file; folders are relative to the repository."""
        head = "# Made by docker/closure.py from the imports of the image's program.\n"
        return head + "".join(f"{line}\n" for line in (*self.locked, *(f"./{folder}" for folder in self.folders)))


@cache
def own_modules() -> dict[str, Path]:
    """Every module of this repository's packages, without tests, and its file."""
    found: dict[str, Path] = {}
    for project in REPOSITORY.glob("*/pyproject.toml"), REPOSITORY.glob("*/*/pyproject.toml"):
        for folder in (path.parent for path in project):
            for package in folder.glob("junctor*"):
                if not package.is_dir() or package.suffix:
                    continue
                for file in package.rglob("*.py"):
                    name = ".".join(file.relative_to(folder).with_suffix("").parts)
                    found[name.removesuffix(".__init__")] = file
    return found


@cache
def imports(file: Path, module: str) -> frozenset[str]:
    """Names that a file may import, each perhaps with an attribute behind it; type checkers' imports left out."""
    return frozenset(_imports(file, module))


def _imports(file: Path, module: str) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(filter(None, [*package.split(".")[: len(package.split(".")) - node.level + 1], base]))
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_name(node.value):
            yield node.value.partition(":")[0]


def _is_name(text: str) -> bool:
    return text in OPTIONAL or re.fullmatch(r"junctor_\w+(\.\w+)+(:\w+)?", text) is not None


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield from _nodes(node)


@cache
def distribution_of() -> dict[str, str]:
    """The distribution that each installed module belongs to."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            if file.suffix in (".py", ".so") and ".." not in file.parts:
                parts = [*file.parts[:-1], file.name.split(".")[0]]
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                found[name] = canonicalize_name(distribution.metadata["Name"])
    return found


@cache
def locked_versions() -> dict[str, str]:
    """requirements/lock.txt by canonical name."""
    lines = (REPOSITORY / "requirements" / "lock.txt").read_text().splitlines()
    return {canonicalize_name(line.partition("==")[0]): line for line in lines if "==" in line}


@cache
def wanted_extras() -> dict[str, list[str]]:
    """The extras that requirements/requirements.in asks for, such as `psycopg[binary]`, by canonical name."""
    lines = (REPOSITORY / "requirements" / "requirements.in").read_text().splitlines()
    needs = [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]
    return {canonicalize_name(need.name): sorted(need.extras) for need in needs}


def required(names: Iterable[str]) -> set[str]:
    """The distributions and what they require on this machine, by what they say themselves."""
    found: set[str] = set()
    waiting = [(canonicalize_name(name), "") for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found.add(name)
        waiting += [(name, asked) for asked in wanted_extras().get(name, ())]
        for text in metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(need.name), wanted) for wanted in ("", *need.extras)]
    return found


def closure(roots: Iterable[str]) -> Closure:
    """What an image with these modules installs. LookupError for an import that nothing installed or locked explains."""
    own, lock, installed = own_modules(), locked_versions(), distribution_of()
    waiting = [module for root in roots for module in own if module == root or _below(module, root)]
    reached: set[str] = set()
    outside: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        for name in imports(own[module], module):
            inside = _longest(name, own)
            if inside:
                waiting += [inside, *(p for p in _parents(inside) if p in own)]
            elif name.split(".")[0] not in sys.stdlib_module_names and (found := _longest(name, installed)):
                outside.add(installed[found])
    missing = sorted(required(outside) - lock.keys())
    if missing:
        raise LookupError(f"not in requirements/lock.txt: {', '.join(missing)}")
    folders = {_project(own[module]) for module in reached}
    return Closure(tuple(sorted(folders)), tuple(sorted(lock[name] for name in required(outside))))


def _below(module: str, root: str) -> bool:
    return root.endswith(".*") and module.startswith(root[:-1])


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _longest(name: str, known: Iterable[str]) -> str:
    return next((part for part in reversed([*_parents(name), name]) if part in known), "")


def _project(file: Path) -> str:
    folder = next(parent for parent in file.parents if (parent / "pyproject.toml").exists())
    return str(folder.relative_to(REPOSITORY))


def main() -> int:
    """Writes the files, or compares them with `--check`."""
    stale = []
    for image, roots in IMAGES.items():
        path, text = REQUIREMENTS / f"{image}.txt", closure(roots).text()
        if not path.exists() or path.read_text() != text:
            stale.append(path.name)
            if "--check" not in sys.argv[1:]:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
    if "--check" in sys.argv[1:] and stale:
        sys.stderr.write(f"Out of date: {', '.join(stale)}. Run `make image-requirements`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
