"""How large an image of an OCI layout is: `python docker/sizes.py LAYOUT NAME` prints its layers above the base, unpacked,
and all of its layers packed, in MB."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def blob(layout: Path, digest: str) -> Path:
    """The file of a digest such as sha256:…"""
    return layout / "blobs" / digest.replace(":", "/")


def manifest(layout: Path, name: str) -> dict[str, Any]:
    """The manifest of the image with this reference name. LookupError if the layout has none."""
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == name:
            found: dict[str, Any] = json.loads(blob(layout, entry["digest"]).read_text())
            return found
    raise LookupError(f"{layout} has no image {name}")


def unpacked(layer: Path) -> int:
    """Bytes of a packed layer's archive."""
    size = 0
    with gzip.open(layer) as archive:
        while chunk := archive.read(_CHUNK):
            size += len(chunk)
    return size


def main() -> None:
    """One line."""
    layout, name = Path(sys.argv[1]), sys.argv[2]
    layers = manifest(layout, name)["layers"]
    own = sum(unpacked(blob(layout, layer["digest"])) for layer in layers[1:])
    packed = sum(layer["size"] for layer in layers)
    sys.stdout.write(f"{name.rpartition('/')[2]:24} {own / 1e6:12.0f} {packed / 1e6:12.0f}\n")


if __name__ == "__main__":
    main()
