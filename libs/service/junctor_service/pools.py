"""A tenant's pools of agents, each in one partition of the router's journal."""

from __future__ import annotations

from junctor.directory.v1 import directory_pb2
from junctor_journal.replica import Replica
from junctor_journal.topics import partition_for

DEFAULT_POOL = "default"
"""Of a queue or an agent that names none."""


def partition_of_pool(values: Replica[directory_pb2.DirectoryValue], tenant: str, pool: str, partitions: int) -> int:
    """The directory's, where it names one that exists; else by the hash of the pool's name."""
    item = values.get(tenant, "pool", pool)
    if item is not None and item.value.value.pool.HasField("partition"):
        named: int = item.value.value.pool.partition
        if named < partitions:
            return named
    return partition_for(tenant, pool, partitions)
