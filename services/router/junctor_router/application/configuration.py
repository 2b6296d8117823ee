"""The port to the directory's values: which pools there are, what each of them is to know, and where it is decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from junctor.directory.v1 import directory_pb2

ValueName = tuple[str, str, str]
"""Tenant, kind, id."""


class Versioned(NamedTuple):
    """`version` is the directory's: it grows with each change of the value."""

    version: int
    value: directory_pb2.Value


class Configuration(Protocol):
    """A replica of the directory's state, current to within moments."""

    def get(self, tenant: str, kind: str, id: str) -> Versioned | None: ...

    def names(self) -> list[ValueName]:
        """All values that concern the router, in an order in which they can be told."""
        ...

    def pools(self, tenant: str) -> list[str]:
        """Pools that have, or ever had here, queues or agents."""
        ...

    def ids(self, tenant: str, kind: str) -> list[str]:
        """Sorted."""
        ...

    def partition(self, tenant: str, pool: str, partitions: int) -> int:
        """Where the pool is decided, of so many partitions."""
        ...

    def listen(self, listener: Callable[[ValueName], None]) -> None:
        """Calls with each value that changes or goes."""
        ...
