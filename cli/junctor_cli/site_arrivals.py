"""`junctor site shift --percent`: a share of new calls and chats goes to the other site, partitions stay."""

from __future__ import annotations

import getpass
from typing import Any

import click
from junctor.site.v1 import arrivals_pb2 as pb
from junctor.site.v1 import arrivals_pb2_grpc
from junctor_service.client import Channels, rpc
from junctor_service.errors import ServiceError
from junctor_service.ids import uuid7
from junctor_service.settings import CommonSettings
from junctor_service.token_source import operator_tokens

EDGES = {"cti": "calls", "omnichannel": "chats"}
_SECONDS = 30.0


async def steer(settings: CommonSettings, to_site: str, percent: int) -> None:
    """Tells both edges of the site, and says what was before. ClickException where one refuses or does not answer."""
    if to_site != settings.other_site:
        raise click.ClickException(
            f"Arrivals of site {settings.site} can be sent to {settings.other_site or 'no other one'}, not to {to_site}."
        )
    channels = Channels(operator_tokens(settings, getpass.getuser()), settings=settings)
    try:
        for service, what in EDGES.items():
            address = getattr(settings, f"{service}_address")
            if address is None:
                raise click.ClickException(f"JUNCTOR_{service.upper()}_ADDRESS is not set.")
            stub: Any = arrivals_pb2_grpc.ArrivalServiceStub(channels.channel(str(address)))
            request = pb.SetArrivalShareRequest(request_id=uuid7(), percent=percent)
            try:
                done = await rpc(stub.SetArrivalShare(request, timeout=_SECONDS))
            except ServiceError as error:
                raise click.ClickException(f"{service}: {error.message}") from error
            click.echo(
                f"{percent} % of new {what} go from {settings.site} to {to_site}; before {done.previous_percent} %."
            )
    finally:
        await channels.close()
