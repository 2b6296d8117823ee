"""`junctor topics`: makes the topics that the services need, as an installation's first step and after each upgrade."""

from __future__ import annotations

from pathlib import Path

import click
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_local import places

from junctor_cli.kafka_option import kafka_option, with_log
from junctor_cli.site_option import site_option


@click.command()
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="JUNCTOR_TOPICS",
    help="The declarations; the work tree's topics.yaml if not given.",
)
@kafka_option
@site_option
def command(path: Path | None, kafka: str | None, site: str) -> None:
    """Make the declared topics that are not there yet; may be run again.

    Exit status 1 if Kafka cannot be reached or refuses; what was made until then stays, and a retry goes on.
    """
    declared = topics.declared(path or places.repository() / "topics.yaml")

    async def make(log: KafkaLog) -> None:
        await log.ensure_topics(declared)

    with_log(kafka, site, make)
    click.echo(f"{len(declared)} topics are there.")
