"""The images of one version of an OCI layout, and the same under the version `<version>-next`, as one archive for nodes.

`python e2e/cluster/tools/archive.py LAYOUT VERSION ARCHIVE`. The next version's images differ by their label alone, so an
upgrade replaces every pod and its layers are on the node already. Nothing is written where the archive is newer.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

NAME = "org.opencontainers.image.ref.name"
VERSION = "org.opencontainers.image.version"


@dataclass
class Archive:
    """What goes into the archive: entries of the index, blobs that were made, and digests of those that are copied."""

    layout: Path
    entries: list[dict[str, Any]] = field(default_factory=list)
    made: dict[str, bytes] = field(default_factory=dict)
    copied: set[str] = field(default_factory=set)

    def take(self, entry: dict[str, Any], next_version: str) -> None:
        """An image of the layout, and its successor."""
        manifest = json.loads(self._read(entry["digest"]))
        self.entries.append(entry)
        self.copied |= {
            entry["digest"],
            manifest["config"]["digest"],
            *(layer["digest"] for layer in manifest["layers"]),
        }
        config = json.loads(self._read(manifest["config"]["digest"]))
        config["config"].setdefault("Labels", {})[VERSION] = next_version
        manifest["config"] |= self._make(config)
        name = entry["annotations"][NAME].rpartition(":")[0]
        self.entries.append({**entry, **self._make(manifest), "annotations": {NAME: f"{name}:{next_version}"}})

    def write(self, path: Path) -> None:
        """An OCI layout as a tar file."""
        partial = path.with_suffix(".partial")
        with tarfile.open(partial, "w") as tar:
            self._add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            self._add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": self.entries}).encode())
            for digest, content in self.made.items():
                self._add(tar, self._place(digest), content)
            for digest in sorted(self.copied):
                tar.add(self.layout / self._place(digest), self._place(digest))
        partial.rename(path)

    def _make(self, content: dict[str, Any]) -> dict[str, Any]:
        blob = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self.made[digest] = blob
        return {"digest": digest, "size": len(blob)}

    def _read(self, digest: str) -> bytes:
        return (self.layout / self._place(digest)).read_bytes()

    @staticmethod
    def _place(digest: str) -> str:
        return f"blobs/{digest.replace(':', '/')}"

    @staticmethod
    def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, BytesIO(content))


def main() -> None:
    """Exit status 1, with a sentence, where the layout has no image of the version."""
    layout, version, path = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    index = layout / "index.json"
    if path.exists() and path.stat().st_mtime > index.stat().st_mtime:
        return
    archive = Archive(layout)
    for entry in json.loads(index.read_text())["manifests"]:
        if entry.get("annotations", {}).get(NAME, "").endswith(f":{version}"):
            archive.take(entry, f"{version}-next")
    if not archive.entries:
        sys.exit(f"{layout} has no image of version {version}: run `make images`.")
    archive.write(path)


if __name__ == "__main__":
    main()
