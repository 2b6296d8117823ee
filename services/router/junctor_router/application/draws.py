"""Random numbers that depend on their names only: SHA-256 over seed, name and count (a counter-based generator).

A contact's numbers are the same whatever else happens in the run, so runs under two plans are compared on the same
customers, and any of them can be made again alone.
"""

from __future__ import annotations

import hashlib

_UNIT = 2.0**-53


class Draws:
    """One stream of numbers, named by its seed and parts."""

    __slots__ = ("_count", "_key")

    def __init__(self, seed: int, *name: str | int) -> None:
        self._key = "/".join(str(part) for part in (seed, *name)).encode() + b"#"
        self._count = 0

    def uniform(self) -> float:
        """In [0, 1), with 53 bits."""
        digest = hashlib.sha256(self._key + str(self._count).encode()).digest()
        self._count += 1
        return (int.from_bytes(digest[:8], "big") >> 11) * _UNIT
