"""The option --kafka of commands that read or write topics, and the log behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from junctor_journal.errors import JournalError
from junctor_journal.kafka import KafkaLog

from junctor_cli.connections import brokers_at
from junctor_cli.site_option import running

T = TypeVar("T")

SERVICES = ("router", "cti", "ivr", "recording", "omnichannel", "directory")


def kafka_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--kafka HOST:PORT,...`, as the argument `kafka`."""
    return click.option(
        "--kafka",
        metavar="HOST:PORT",
        envvar="JUNCTOR_KAFKA_BOOTSTRAP",
        help="Kafka's brokers; those of the local site if not given.",
    )(function)


def service_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--service NAME`, as the argument `service`: one of those that have a journal."""
    return click.option("--service", type=click.Choice(SERVICES), required=True, help="Whose topics.")(function)


def with_log(kafka: str | None, site: str, work: Callable[[KafkaLog], Awaitable[T]], replication_factor: int = 1) -> T:
    """What `work` gives with the log open. ClickException where Kafka cannot be reached or refuses.

    `replication_factor` is that of topics that `work` makes.
    """
    bootstrap = kafka or running(site).addresses["kafka"]
    try:
        return asyncio.run(_with_log(bootstrap, work, replication_factor))
    except JournalError as error:
        raise click.ClickException(f"{error}.") from error


async def _with_log(bootstrap: str, work: Callable[[KafkaLog], Awaitable[T]], replication_factor: int) -> T:
    log = KafkaLog(brokers_at(bootstrap), client_id="junctor-cli", replication_factor=replication_factor)
    await log.start()
    try:
        return await work(log)
    finally:
        await log.stop()
