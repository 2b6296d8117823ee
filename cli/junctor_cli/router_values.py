"""The values of a tenant file that concern the router, as a pool is told them."""

from __future__ import annotations

from pathlib import Path

import click
from google.protobuf.any_pb2 import Any as PackedAny
from junctor_router.application.directory_values import IN_ONE_POOL, POOL_WIDE, journalled, kind_of, pool_of, value_of
from junctor_router.domain.commands import ConfigurationChanged

from junctor_cli import tenant_file
from junctor_cli.tenant_file import Mistake, TenantFile

_ORDER = (*POOL_WIDE, *IN_ONE_POOL)


def read_file(path: Path) -> TenantFile:
    """ClickException with every mistake and its line."""
    try:
        return tenant_file.read(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror or error}") from error
    except Mistake as mistake:
        raise click.ClickException("\n".join(mistake.sentences)) from mistake


def pools_of(file: TenantFile) -> list[str]:
    """The pools that the file's queues and agents are in, by name."""
    return sorted({pool_of(value) for value in file.values if kind_of(value) in IN_ONE_POOL})


def changes_for(file: TenantFile, pool: str) -> list[ConfigurationChanged]:
    """In the order in which they are best told: attributes and plans before queues, agents last. All of version 1."""
    found: list[ConfigurationChanged] = []
    for kind in _ORDER:
        for value in file.values:
            if kind_of(value) != kind or (kind in IN_ONE_POOL and pool_of(value) != pool):
                continue
            packed = PackedAny()
            packed.Pack(journalled(value), deterministic=True)
            found.append(ConfigurationChanged(kind, value.id, 1, value_of(packed)))
    return found


def thresholds_of(file: TenantFile) -> dict[str, int]:
    """Service-level times (ms) of the queues that name one."""
    queues = [value for value in file.values if kind_of(value) == "queue"]
    return {value.id: value.queue.service_level_ms for value in queues if value.queue.service_level_ms}
