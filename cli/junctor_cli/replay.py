"""`junctor replay`: a service's journal applied once more, compared with what was recorded."""

from __future__ import annotations

import time

import click
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog

from junctor_cli.journal_replay import Difference, Replayed, fold_of, replay
from junctor_cli.kafka_option import kafka_option, service_option, with_log
from junctor_cli.site_option import site_option

_DIFFERS = 1


@click.command()
@click.option("--partition", type=click.IntRange(min=0), help="Only this partition.")
@service_option
@kafka_option
@site_option
@click.pass_context
def command(context: click.Context, partition: int | None, service: str, kafka: str | None, site: str) -> None:
    """Apply every entry of a journal again and compare outcomes, events and state hashes.

    Reads only. Exit status 0 if the replay is bit-exact, 1 at the first difference or if the journal cannot be read.
    """
    began = time.monotonic()
    found = with_log(kafka, site, lambda log: _replay(log, service, partition))
    for part in found:
        if part.valid or part.void or part.repeated:
            click.echo(_line(part))
    total = sum(part.valid for part in found)
    took = time.monotonic() - began
    differences = [part.difference for part in found if part.difference is not None]
    if differences:
        click.echo(_told(differences[0]))
        context.exit(_DIFFERS)
    hashes = sum(part.hashes for part in found)
    click.echo(f"Bit-exact: {total} entries, {hashes} state hashes, {len(found)} partitions, {took:.1f} s.")


async def _replay(log: KafkaLog, service: str, partition: int | None) -> list[Replayed]:
    count = await log.partitions(topics.journal(service))
    if count == 0:
        raise click.ClickException(f"There is no topic {topics.journal(service)}.")
    if partition is not None and partition >= count:
        raise click.ClickException(f"{topics.journal(service)} has the partitions 0 to {count - 1}.")
    new_fold = fold_of(service)
    wanted = range(count) if partition is None else [partition]
    found: list[Replayed] = []
    for number in wanted:
        found.append(await replay(log, service, number, new_fold))
        if found[-1].difference is not None:
            break
    return found


def _line(part: Replayed) -> str:
    return (
        f"partition {part.partition:>2}: valid {part.valid} (refused {part.refused}, dead {part.dead}), "
        f"void {part.void}, repeated {part.repeated}, reigns {part.reigns}, gaps {part.gaps}, state {part.state_hash}"
    )


def _told(difference: Difference) -> str:
    return (
        f"Different: partition {difference.partition}, sequence {difference.seq} (offset {difference.offset}), "
        f"{difference.input_type} {difference.input_id}: {'; '.join(difference.what)}."
    )
