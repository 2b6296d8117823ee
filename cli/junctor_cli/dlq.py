"""`junctor dlq`: inputs that a service could not parse or apply."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from google.protobuf.message import Message
from junctor_journal.deadletter import MAX_ATTEMPTS, DeadLetters, Letter
from junctor_journal.message_types import unpack_or_none
from junctor_journal.record import type_of
from junctor_service.redaction import redacted

from junctor_cli.kafka_option import kafka_option, service_option, with_log
from junctor_cli.site_option import site_option


@click.group()
def command() -> None:
    """Look at dead letters and drive them again. An id is the journal's place, PARTITION/SEQ."""


@command.command("list")
@service_option
@kafka_option
@site_option
def list_letters(service: str, kafka: str | None, site: str) -> None:
    """List the dead letters, oldest first."""
    letters: list[Letter] = with_log(kafka, site, lambda log: DeadLetters(log, service).list())
    if not letters:
        click.echo(f"{service} has no dead letters.")
    for letter in letters:
        click.echo(_line(letter))


@command.command()
@click.argument("id")
@service_option
@kafka_option
@site_option
def show(id: str, service: str, kafka: str | None, site: str) -> None:
    """Print one dead letter as JSON, personal data left out. Exit status 1 if there is none of this id."""
    _know_messages(service)
    letter = with_log(kafka, site, lambda log: DeadLetters(log, service).show(id))
    click.echo(json.dumps(_content(letter), ensure_ascii=False, indent=2))


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help=f"All that were driven fewer than {MAX_ATTEMPTS} times.")
@service_option
@kafka_option
@site_option
def redrive(ids: tuple[str, ...], every: bool, service: str, kafka: str | None, site: str) -> None:
    """Append inputs again as they were, where they came from: what was wrong must have been mended before.

    Exit status 1 if one of them is unknown or was driven too often; those before it are driven.
    """
    if bool(ids) == every:
        raise click.UsageError("Give the ids of dead letters, or --all.")
    count = with_log(kafka, site, lambda log: _redrive(DeadLetters(log, service), ids))
    click.echo(f"{count} driven again.")


async def _redrive(letters: DeadLetters, ids: Sequence[str]) -> int:
    if not ids:
        ids = [letter.id for letter in await letters.list() if letter.dead.attempts < MAX_ATTEMPTS]
    for id in ids:
        place = await letters.redrive(id)
        click.echo(f"{id} is now at {place.topic}, partition {place.partition}, offset {place.offset}.")
    return len(ids)


def _line(letter: Letter) -> str:
    dead = letter.dead
    input = letter.input
    kind = type_of(input.body) if input is not None and input.body.type_url else "no input"
    return f"{letter.id:<10} {_time(dead.dead_at)}  {kind}  {dead.error}: {dead.reason}  (attempts {dead.attempts})"


def _content(letter: Letter) -> dict[str, Any]:
    dead, input = letter.dead, letter.input
    found: dict[str, Any] = {
        "id": letter.id,
        "reason": dead.reason,
        "error": dead.error,
        "dead_at": _time(dead.dead_at),
        "attempts": dead.attempts,
        "source": {"topic": dead.source.topic, "partition": dead.source.partition, "offset": dead.source.offset},
        "key": dead.key.decode(errors="replace"),
        "bytes": len(dead.value),
    }
    if input is None or not input.body.type_url:
        return found
    body: Message | None = unpack_or_none(input.body)
    found["input"] = {
        "id": input.id,
        "tenant": input.tenant,
        "stream": input.stream,
        "type": type_of(input.body),
        "body": redacted(body) if body is not None else None,
    }
    return found


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _know_messages(service: str) -> None:
    for name in {service, "contact"}:
        importlib.import_module(f"junctor.{name}.v1.{name}_pb2")
