"""`junctor site`: two sites, who leads, what does not count, and what a person does where the voters cannot decide."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import click
from junctor_journal import topics
from junctor_journal.errors import JournalError
from junctor_journal.kafka import KafkaLog
from junctor_journal.void_tail import void_decisions
from junctor_register.appointment import NotAppointed, appoint, read_all
from junctor_register.places import voters_at
from junctor_register.voter import Voter
from junctor_service.client import Channels
from junctor_service.errors import ServiceError
from junctor_service.settings import CommonSettings, SettingsError, load_settings
from junctor_service.tls import brokers_from
from junctor_service.token_source import workload_tokens
from junctor_service.tokens import Role
from rich.console import Console
from rich.table import Table

from junctor_cli import register_view, site_arrivals, site_shift
from junctor_cli.site_option import kept_state, site_option

T = TypeVar("T")
LED = tuple(sorted(topics.LED))


@click.group()
def command() -> None:
    """Two sites: who leads, what does not count, and what a person decides.

    Settings are those of a service at that site (JUNCTOR_SITE, JUNCTOR_OTHER_SITE, JUNCTOR_VOTERS, JUNCTOR_KAFKA_..., the
    token's), or the local site's that --site names.
    """


@dataclass(frozen=True, slots=True)
class _At:
    """What a command has at hand: the settings of the site, its Kafka, and its voters for each led service."""

    settings: CommonSettings
    log: KafkaLog
    voters: Mapping[str, Mapping[str, Voter]]

    @property
    def other(self) -> str:
        return str(self.settings.other_site)

    def far(self) -> KafkaLog | None:
        """The other site's Kafka, not started; None where it is not reached from here."""
        if not self.settings.other_kafka_bootstrap:
            return None
        addresses = ",".join(map(str, self.settings.other_kafka_bootstrap))
        return KafkaLog(replace(brokers_from(self.settings), addresses=addresses), client_id="junctor-cli")


@command.command()
@site_option
def status(site: str) -> None:
    """Who leads which partition under which site epoch, what the voters say, what the mirror has not brought.

    Exit status 3 where a voter does not answer, or a partition has no leader.
    """
    well = _at(site, _status)
    sys.exit(0 if well else 3)


async def _status(at: _At) -> bool:
    console, well = Console(), True
    for service in LED:
        voters = at.voters[service]
        answers = await read_all(voters, limit=2.0)
        rows = register_view.led(answers, len(voters), await register_view.journals(at.log, service))
        table = Table(
            "partitions", "led by", "site epoch", "", "void records", box=None, header_style="bold", title=service
        )
        for numbers, one in _alike(rows):
            word = "" if one.agreed else f"journal: {one.journal_site or 'nobody'} {one.journal_epoch}"
            word = f"{word} appointed" if one.appointed else word
            table.add_row(numbers, one.site or "[red]nobody[/]", str(one.epoch), word.strip(), str(one.void))
        console.print(table)
        silent = sorted(voters.keys() - answers.keys())
        console.print(
            f"Voters that answer: {', '.join(sorted(answers)) or 'none'}." + _of(silent, " [red]Silent: {}.[/]")
        )
        console.print(await _mirror(at, service))
        well = well and not silent and all(one.site for one in rows)
    return well


def _alike(rows: Sequence[register_view.Led]) -> list[tuple[str, register_view.Led]]:
    """Partitions of which the same is to be said, in one row."""
    found: dict[register_view.Led, list[int]] = {}
    for row in rows:
        found.setdefault(replace(row, partition=0), []).append(row.partition)
    return [(",".join(map(str, numbers)), row) for row, numbers in found.items()]


async def _mirror(at: _At, service: str) -> str:
    far = at.far()
    if far is None:
        return f"The Kafka of site {at.other} is not reached from here: the mirror's lag is not known."
    await far.start()
    try:
        async with asyncio.timeout(10):
            found = await register_view.lag(at.log, far, at.other, service)
    except (JournalError, TimeoutError):
        return f"[yellow]The Kafka of site {at.other} does not answer: the mirror's lag is not known.[/]"
    finally:
        await far.stop()
    return (
        f"The mirror has not brought {found.records} records of {at.other}'s {found.topic} ({found.milliseconds} ms)."
    )


@command.command()
@click.option("--service", type=click.Choice(LED), default="router", show_default=True, help="Whose decisions.")
@site_option
def tail(site: str, service: str) -> None:
    """Decisions that do not count, each with the reason, and where its input was decided again."""

    async def work(at: _At) -> int:
        count = 0
        async for one in void_decisions(at.log, service, at.settings.site):
            count += 1
            when = datetime.fromtimestamp(one.now / 1000, UTC).isoformat(timespec="milliseconds")
            again = "not decided again" if one.decided_again is None else "again as {}/{}".format(*one.decided_again)
            click.echo(
                f"{when} site {one.site} partition {one.partition} entry {one.site_epoch}/{one.seq} {one.tenant}/{one.stream} "
                f"{one.input_type.rpartition('.')[2]} {one.input_id}: {one.reason}; {again}"
            )
        return count

    count = _at(site, work)
    click.echo(f"{count} void decisions of {service}.")


@command.command()
@click.option("--to", "to_site", required=True, metavar="SITE", help="The site that is to lead.")
@click.option("--partition", "partitions", type=int, multiple=True, help="May be repeated; all without it.")
@click.option("--service", "services", type=click.Choice(LED), multiple=True, help="May be repeated; all without it.")
@click.option(
    "--percent",
    type=click.IntRange(0, 100),
    help="Pass nothing on, but send this share of new calls and chats there; in steps of 10 before and after a shift.",
)
@site_option
def shift(site: str, to_site: str, partitions: tuple[int, ...], services: tuple[str, ...], percent: int | None) -> None:
    """Pass partitions that this site leads on to the other one: drained, with rings and talks going on.

    Refused where the other site could not go on at once. To be asked of the site that leads (--site); the way back is the
    same from there. Exit status 3 where a partition was taken back, or is led by nobody yet.
    """

    if percent is not None:
        if partitions or services:
            raise click.UsageError("--percent is of arrivals: it goes without --partition and --service.")
        asyncio.run(site_arrivals.steer(_settings(site), to_site, percent))
        return

    async def work(settings: CommonSettings) -> bool:
        return await site_shift.shift(settings, to_site, services or LED, partitions)

    sys.exit(0 if asyncio.run(work(_settings(site))) else 3)


@command.command()
@click.option("--dead", required=True, metavar="SITE", help="The other site, which you know to be stopped.")
@click.option("--force", is_flag=True, help="Even though the other site's voter answers.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@site_option
def takeover(site: str, dead: str, force: bool, yes: bool) -> None:
    """Make this site lead every partition, where no witness can decide it.

    First make sure that the other site is stopped: nothing here can know it.
    """
    other = _settings(site).other_site
    if dead != other:
        raise click.ClickException(
            f"Site {dead} is not the other site of this one: that is {other}. Nothing was changed."
        )
    _appoint(site, force, yes)


@command.command()
@click.option("--force", is_flag=True, required=True, help="Say that you know that the other site is stopped.")
@site_option
def lead(site: str, force: bool) -> None:
    """Make this site lead every partition although neither the other site nor the witness is reached."""
    _appoint(site, force, True)


def _appoint(site: str, force: bool, yes: bool) -> None:
    async def work(at: _At) -> None:
        own, other = at.settings.site, at.other
        for service in LED:
            answers = await read_all(at.voters[service], limit=2.0)
            if other in answers and not force:
                raise click.ClickException(
                    f"The voter of site {other} answers: that site lives. Stop it, or hand its partitions over; "
                    "--force takes them all the same, and its last decisions may not count."
                )
            found = await register_view.journals(at.log, service)
            floors = {partition: epoch for partition, (_, epoch, _) in found.items()}
            done = await appoint(at.voters[service], own, own, (own, other), floors)
            first, last = min(done.epochs.values()), max(done.epochs.values())
            click.echo(
                f"{service}: site {own} leads {len(done.epochs)} partitions under site epochs {first} to {last}; "
                f"told to {', '.join(done.voters)}."
            )

    if not yes:
        click.confirm(f"Is site {_settings(site).other_site} stopped, all of it?", abort=True)
    _at(site, work)


def _at(site: str, work: Callable[[_At], Awaitable[T]]) -> T:
    """What `work` gives with the site's parts open. ClickException where settings are missing or nobody answers."""
    try:
        return asyncio.run(_open(_settings(site), work))
    except SettingsError as error:
        raise click.ClickException("\n".join(error.sentences)) from error
    except (JournalError, NotAppointed, ServiceError) as error:
        raise click.ClickException(str(error)) from error


def _settings(site: str) -> CommonSettings:
    state = kept_state(site)
    environ = {**os.environ, **(state.environment if state is not None and state.up else {})}
    try:
        settings = load_settings(CommonSettings, service="cli", environ=environ)
    except SettingsError as error:
        raise click.ClickException("\n".join(error.sentences)) from error
    if settings.other_site is None:
        raise click.ClickException(f"Site {settings.site} is alone: JUNCTOR_OTHER_SITE is not set.")
    return settings


async def _open(settings: CommonSettings, work: Callable[[_At], Awaitable[T]]) -> T:
    async with _parts(settings) as at:
        return await work(at)


@asynccontextmanager
async def _parts(settings: CommonSettings) -> AsyncIterator[_At]:
    channels = Channels(workload_tokens(settings, "cli", (Role.SERVICE, Role.REGISTER)), settings=settings)
    log = KafkaLog(brokers_from(settings), client_id="junctor-cli")
    await log.start()
    try:
        voters = {service: voters_at(settings.voters, service, channels.channel, timeout=2.0) for service in LED}
        yield _At(settings, log, voters)
    except ValueError as error:
        raise click.ClickException(f"JUNCTOR_VOTERS: {error}") from error
    finally:
        await log.stop()
        await channels.close()


def _of(names: list[str], text: str) -> str:
    return text.format(", ".join(names)) if names else ""
