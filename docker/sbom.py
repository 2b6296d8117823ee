"""What lies in an image, as a CycloneDX 1.6 document (https://cyclonedx.org/docs/1.6/json/): Debian packages from dpkg's
list, Python distributions from the interpreter that runs this, jars by the Maven coordinates inside them.

`python sbom.py NAME VERSION OUTPUT [--dpkg FILE] [--jars FOLDER]`; with --jars no Python distributions are listed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import uuid
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]
_LICENSE_CLASSIFIER = "License :: OSI Approved :: "


def debian(status: Path) -> Iterator[Component]:
    """The packages that dpkg's list (`status`) calls installed."""
    for block in status.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1].isalpha() and ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={fields['Architecture']}"
            yield _component(name, version, purl)


def python() -> Iterator[Component]:
    """The distributions of this interpreter, with the licence that each says it has."""
    for found in metadata.distributions():
        name, version = found.metadata["Name"], found.version
        component = _component(name, version, f"pkg:pypi/{quote(name.lower())}@{quote(version, safe='')}")
        if licence := _licence(found.metadata):
            component["licenses"] = [licence]
        yield component


def jars(folder: Path) -> Iterator[Component]:
    """The jars of a folder; what has no Maven coordinates inside is listed by its file's name."""
    for path in sorted(folder.glob("*.jar")):
        name, _, version = path.stem.rpartition("-")
        group = ""
        with zipfile.ZipFile(path) as jar:
            inside = [entry for entry in jar.namelist() if entry.endswith("/pom.properties")]
            if len(inside) == 1:
                lines = jar.read(inside[0]).decode(errors="replace").splitlines()
                fields = dict(line.split("=", 1) for line in lines if "=" in line)
                group, name, version = fields["groupId"], fields["artifactId"], fields["version"]
        component = _component(name, version, f"pkg:maven/{group + '/' if group else ''}{name}@{version}")
        component["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}]
        yield component


def document(name: str, version: str, components: list[Component]) -> dict[str, Any]:
    """The whole document; equal contents have equal serial numbers."""
    content = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name + version + content)}",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": components,
    }


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _licence(described: Any) -> Component | None:
    if expression := described.get("License-Expression"):
        return {"expression": expression}
    classified = [c for c in described.get_all("Classifier") or [] if c.startswith(_LICENSE_CLASSIFIER)]
    text = classified[0].removeprefix(_LICENSE_CLASSIFIER) if classified else described.get("License") or ""
    return {"license": {"name": text.splitlines()[0][:120]}} if text.strip() else None


def main() -> None:
    """Writes the document."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name")
    options.add_argument("version")
    options.add_argument("output", type=Path)
    options.add_argument("--dpkg", type=Path, default=Path("/var/lib/dpkg/status"), help="the base's list of packages")
    options.add_argument("--jars", type=Path, help="a folder of jars")
    given = options.parse_args()
    components = list(debian(given.dpkg)) if given.dpkg.exists() else []
    components += jars(given.jars) if given.jars else python()
    components.sort(key=lambda component: str(component["purl"]))
    unique = {component["purl"]: component for component in components}
    given.output.write_text(json.dumps(document(given.name, given.version, list(unique.values())), indent=1) + "\n")


if __name__ == "__main__":
    main()
