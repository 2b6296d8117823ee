"""`python -m helm.rendered` writes the objects of each documented install to helm/tests/rendered, to be read and compared.

What Helm makes by chance is replaced: generated Secrets. With `--check`: which files are out of date (exit status 1).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

HELM = Path(__file__).resolve().parent
CHART = HELM / "junctor"
RENDERED = HELM / "tests" / "rendered"
NAMESPACE = RELEASE = "centre"
_PROFILES, _EXAMPLES = CHART / "profiles", HELM / "tests" / "examples"

INSTALLS: dict[str, list[Path]] = {
    "single": [_PROFILES / "single.yaml"],
    "single-site-b": [_PROFILES / "single.yaml", _PROFILES / "site-b.yaml", _EXAMPLES / "peer-trial.yaml"],
    "production": [_PROFILES / "production.yaml", _EXAMPLES / "own-services.yaml"],
    "production-operators": [_PROFILES / "production.yaml", _EXAMPLES / "operators.yaml"],
    "production-site-a": [
        _PROFILES / "production.yaml",
        _PROFILES / "site-a.yaml",
        _EXAMPLES / "operators.yaml",
        _EXAMPLES / "peer-operators.yaml",
    ],
}
"""Every way to install that is documented: profiles with what a user adds to them."""


class NoTools(RuntimeError):
    """helm is not built. `make helm-tools` does it."""


def tool(name: str) -> str:
    """The path of a program of helm/tools.mk. Raises `NoTools`."""
    path = Path(os.environ.get("JUNCTOR_CACHE") or HELM.parent / ".local") / "helm" / "bin" / name
    if not path.exists():
        raise NoTools(f"{path} is not there: run `make helm-tools`")
    return str(path)


def template(files: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of the chart with these values files."""
    values = [part for file in files for part in ("--values", str(file))]
    command = [tool("helm"), "template", RELEASE, str(CHART), "--namespace", NAMESPACE, *values, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of a rendered text."""
    return [one for one in yaml.safe_load_all(text) if one]


def comparable(text: str) -> str:
    """The objects in one order, by kind and name, without what is made by chance."""
    found = sorted(objects(text), key=lambda one: (one["kind"], one["metadata"]["name"]))
    for one in found:
        if one["kind"] == "Secret":
            one["data"] = dict.fromkeys(one["data"], "made by chance")
    return yaml.safe_dump_all(found, sort_keys=True, default_flow_style=None, width=130, allow_unicode=True)


def main() -> int:
    stale = []
    for install, files in INSTALLS.items():
        done = template(files)
        if done.returncode:
            sys.stderr.write(done.stderr)
            return 1
        path, text = RENDERED / f"{install}.yaml", comparable(done.stdout)
        if not path.exists() or path.read_text() != text:
            stale.append(path)
            if "--check" not in sys.argv[1:]:
                RENDERED.mkdir(exist_ok=True)
                path.write_text(text)
    if stale and "--check" in sys.argv[1:]:
        sys.stderr.write("".join(f"{path.name} is out of date: run `make helm-reference`.\n" for path in stale))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
