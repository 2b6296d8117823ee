"""`junctor check`: whether a site does its work, asked from outside: what `helm test` runs."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from junctor.directory.v1 import directory_pb2, directory_pb2_grpc
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_local.ng_ping import ng_answers
from junctor_service.client import Channels
from junctor_service.errors import ServiceError
from junctor_service.setting_values import HostPort, Secret, parse_host_port
from junctor_service.token_source import WorkloadTokens

from junctor_cli.connections import brokers_at, connections

_PAUSE = 0.5
_TENANT = "junctor-check"

Check = Callable[[], Awaitable[str]]
"""Gives "" where all is well, else what is wrong."""


@click.command()
@click.option("--service", "services", multiple=True, metavar="NAME=HOST:PORT", help="A service's gRPC address.")
@click.option("--token-url", metavar="URL", envvar="JUNCTOR_TOKEN_URL", help="The issuer of workload tokens.")
@click.option("--token-secret", envvar="JUNCTOR_TOKEN_SECRET", help="What it is shown; better in the environment.")
@click.option("--http", metavar="URL", help="The gateway.")
@click.option("--sip", metavar="HOST:PORT", help="The SIP edge, asked by OPTIONS over UDP.")
@click.option("--media", metavar="HOST:PORT", help="The media server's ng port.")
@click.option("--kafka", metavar="HOST:PORT", envvar="JUNCTOR_KAFKA_BOOTSTRAP", help="Kafka's brokers.")
@click.option("--topics", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Topics to find.")
@click.option("--within", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds to try for.")
def command(
    services: tuple[str, ...],
    token_url: str | None,
    token_secret: str | None,
    http: str | None,
    sip: str | None,
    media: str | None,
    kafka: str | None,
    file: Path | None,
    within: float,
) -> None:
    """Ask each part that is named whether it works. Exit status 1 if one does not within the time; each is a line."""
    try:
        addresses = {name: parse_host_port(place) for name, _, place in (one.partition("=") for one in services)}
        edge, ng = (parse_host_port(place) if place else None for place in (sip, media))
    except ValueError as error:
        raise click.UsageError(f"{error} is not HOST:PORT") from error
    checks: dict[str, Check] = {}
    for name, address in addresses.items():
        checks[name] = lambda address=address: _serving(address)  # type: ignore[misc]
    if "directory" in addresses and token_url and token_secret:
        checks["a call with a token"] = lambda: _called(addresses["directory"], token_url, token_secret)
    if http:
        checks["HTTP"] = lambda: _http(f"{http.rstrip('/')}/readyz")
    if edge:
        checks["SIP"] = lambda: _sip(edge)
    if ng:
        checks["media"] = lambda: _media(ng)
    if kafka and file:
        checks["topics"] = lambda: _topics(kafka, file)
    if not checks:
        raise click.UsageError("name what is to be asked: see --help")
    if not asyncio.run(_all_well(checks, within)):
        raise SystemExit(1)


async def _all_well(checks: dict[str, Check], within: float) -> bool:
    limit = time.monotonic() + within
    found = await asyncio.gather(*(_until_well(check, limit) for check in checks.values()))
    for name, problem in zip(checks, found, strict=True):
        click.echo(f"{'failed' if problem else 'ok':<7} {name}{': ' if problem else ''}{problem}")
    return not any(found)


async def _until_well(check: Check, limit: float) -> str:
    while True:
        problem = await check()
        if not problem or time.monotonic() >= limit:
            return problem
        await asyncio.sleep(_PAUSE)


async def _serving(address: HostPort) -> str:
    channels = Channels(_NoToken(), settings=connections())
    try:
        stub: Any = health_pb2_grpc.HealthStub(channels.channel(str(address)))
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except ServiceError as error:
        return f"{address} does not answer ({error})"
    finally:
        await channels.close()
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else f"{address} is not ready"


async def _called(address: HostPort, url: str, secret: str) -> str:
    channels = Channels(WorkloadTokens(url, Secret(secret), "service:check"), settings=connections())
    try:
        stub: Any = directory_pb2_grpc.DirectoryServiceStub(channels.channel(str(address)))
        await stub.ListValues(directory_pb2.ListValuesRequest(tenant=_TENANT), timeout=5)
    except ServiceError as error:
        return str(error)
    finally:
        await channels.close()
    return ""


async def _http(url: str) -> str:
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        return f"{url} does not answer ({type(error).__name__})"
    return "" if answer.status_code == 200 else f"{url} answers {answer.status_code}"


async def _sip(address: HostPort) -> str:
    """RFC 3261 section 11: whoever serves SIP answers OPTIONS."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        try:
            await loop.sock_connect(client, (address.host, address.port))
            host, port = client.getsockname()[:2]
            mark = secrets.token_hex(8)
            lines = [
                f"OPTIONS sip:{address} SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{mark};rport",
                f"From: <sip:check@{host}>;tag={mark}",
                f"To: <sip:{address}>",
                f"Call-ID: {mark}@{host}",
                "CSeq: 1 OPTIONS",
                f"Contact: <sip:check@{host}:{port}>",
                "Max-Forwards: 70",
                "Content-Length: 0",
            ]
            await loop.sock_sendall(client, "\r\n".join([*lines, "", ""]).encode())
            answer = await asyncio.wait_for(loop.sock_recv(client, 65535), 2)
        except (OSError, TimeoutError):
            return f"{address} does not answer"
    status = answer.split(b"\r\n", 1)[0].decode(errors="replace")
    return "" if status.startswith("SIP/2.0 2") else f"{address} answers {status!r}"


async def _media(address: HostPort) -> str:
    return "" if await ng_answers(address.host, address.port) else f"{address} does not answer a ping"


async def _topics(kafka: str, file: Path) -> str:
    log = KafkaLog(brokers_at(kafka), client_id="junctor-check")
    await log.start()
    try:
        found = {one.name: (one.partitions, await log.partitions(one.name)) for one in topics.declared(file)}
    except Exception as error:
        return str(error)
    finally:
        await log.stop()
    wrong = [
        f"{name} has {there} partitions, not {wanted}" for name, (wanted, there) in found.items() if there != wanted
    ]
    return "; ".join(wrong)


class _NoToken:
    """Health asks for none."""

    async def token(self) -> str:
        return ""
