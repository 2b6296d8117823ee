"""The demonstration's tenant, applied through the directory as an administrator would."""

from __future__ import annotations

from pathlib import Path

from junctor.directory.v1 import directory_pb2, directory_pb2_grpc
from junctor_local.site import Site
from junctor_local.tokens import mint
from junctor_service.client import Channels, rpc
from junctor_service.ids import uuid7
from junctor_service.token_source import StaticToken

from junctor_cli import tenant_file
from junctor_cli.demonstration.cast import TENANT


async def apply(site: Site, path: Path) -> None:
    """Raises `ServiceError` where the directory refuses the file, `tenant_file.Mistake` where it cannot be read."""
    token = mint(site.key, "demo-administrator", TENANT, ["administrator"], None, 600.0)
    channels = Channels(StaticToken(token))
    await channels.start()
    try:
        stub = directory_pb2_grpc.DirectoryServiceStub(channels.channel(site.address("directory")))
        await rpc(
            stub.ApplyConfiguration(
                directory_pb2.ApplyConfigurationRequest(
                    request_id=uuid7(),
                    tenant=TENANT,
                    values=tenant_file.read(path).values,
                    comment="the demonstration",
                ),
                timeout=30,
            )
        )
    finally:
        await channels.close()
