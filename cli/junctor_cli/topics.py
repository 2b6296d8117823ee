"""`junctor topics`: makes the topics that the services need, as an installation's first step and after each upgrade."""

from __future__ import annotations

from pathlib import Path

import click
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_local import places
from junctor_local.mirror import copies_of

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
@click.option(
    "--replication-factor", type=click.IntRange(1, 9), default=1, show_default=True, help="How many brokers keep each."
)
@click.option(
    "--mirrored-from", "sites", multiple=True, metavar="SITE", help="Make the copies of this site's topics as well."
)
@kafka_option
@site_option
def command(path: Path | None, replication_factor: int, sites: tuple[str, ...], kafka: str | None, site: str) -> None:
    """Make the declared topics that are not there yet; may be run again.

    Exit status 1 if Kafka cannot be reached or refuses; what was made until then stays, and a retry goes on.
    """
    declarations = path or places.repository() / "topics.yaml"
    declared = topics.declared(declarations)
    for other in sites:
        declared += copies_of(other, topics.mirrored(declarations))

    async def make(log: KafkaLog) -> None:
        await log.ensure_topics(declared)

    with_log(kafka, site, make, replication_factor)
    click.echo(f"{len(declared)} topics are there.")
