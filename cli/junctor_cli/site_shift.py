"""`junctor site shift`: a planned shift of partitions to the other site, as a person follows it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import Any

import click
import grpc
from junctor.site.v1 import site_pb2 as pb
from junctor.site.v1 import site_pb2_grpc
from junctor_service.client import Channels
from junctor_service.errors import from_rpc_error
from junctor_service.ids import uuid7
from junctor_service.settings import CommonSettings
from junctor_service.token_source import operator_tokens
from rich.console import Console
from rich.table import Table

WORDS = {
    pb.SHIFT_STATE_HANDED_OVER: "handed over",
    pb.SHIFT_STATE_SHIFTED: "shifted",
    pb.SHIFT_STATE_ALREADY_THERE: "there already",
    pb.SHIFT_STATE_TAKEN_BACK: "[red]taken back[/]",
    pb.SHIFT_STATE_FAILED: "[red]failed[/]",
}
WELL = frozenset({pb.SHIFT_STATE_SHIFTED, pb.SHIFT_STATE_ALREADY_THERE})
LIMIT_SECONDS = 600.0


async def shift(settings: CommonSettings, to_site: str, services: Sequence[str], partitions: Sequence[int]) -> bool:
    """Shifts and tells; whether all that was asked for is led by `to_site` now. ClickException where a service refuses."""
    channels = Channels(operator_tokens(settings, getpass.getuser()), settings=settings)
    well = True
    try:
        for service in services:
            address = getattr(settings, f"{service}_address")
            if address is None:
                raise click.ClickException(f"JUNCTOR_{service.upper()}_ADDRESS is not set.")
            stub: Any = site_pb2_grpc.SiteServiceStub(channels.channel(str(address)))
            well = await _shift_one(stub, service, to_site, partitions) and well
    finally:
        await channels.close()
    return well


async def _shift_one(stub: Any, service: str, to_site: str, partitions: Sequence[int]) -> bool:
    console = Console()
    request = pb.ShiftPartitionsRequest(request_id=uuid7(), to_site=to_site, partitions=partitions)
    found: dict[int, pb.ShiftPartitionsResponse] = {}
    try:
        async for told in stub.ShiftPartitions(request, timeout=LIMIT_SECONDS):
            console.print(f"{service} partition {told.partition}: {WORDS[told.state]}{_pause(told)}")
            if told.state != pb.SHIFT_STATE_HANDED_OVER:
                found[told.partition] = told
    except grpc.RpcError as error:
        refused = from_rpc_error(error)
        if found:
            console.print(_table(service, found))
        raise click.ClickException(f"{service}: {refused.message}") from error
    console.print(_table(service, found))
    shifted = [one.pause_ms for one in found.values() if one.state == pb.SHIFT_STATE_SHIFTED]
    if shifted:
        console.print(
            f"Site {to_site} leads {len(shifted)} partitions of {service} more; the longest pause was {max(shifted)} ms."
        )
    return all(one.state in WELL for one in found.values())


def _table(service: str, found: dict[int, pb.ShiftPartitionsResponse]) -> Table:
    table = Table("partition", "", "pause", "site epoch", "why", box=None, header_style="bold", title=service)
    for number, told in sorted(found.items()):
        pause = f"{told.pause_ms} ms" if told.pause_ms else ""
        table.add_row(str(number), WORDS[told.state], pause, str(told.site_epoch or ""), told.reason)
    return table


def _pause(told: pb.ShiftPartitionsResponse) -> str:
    return f" after {told.pause_ms} ms" if told.pause_ms else f": {told.reason}" if told.reason else ""
