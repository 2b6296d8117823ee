"""`junctor shadow`: other plans beside the live ones; what they would decide otherwise, as it becomes known."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click
from junctor_journal.kafka import KafkaLog
from junctor_router.application.comparison import Pair
from junctor_router.application.contact_waits import WAITING

from junctor_cli.kafka_option import kafka_option, with_log
from junctor_cli.recorded_pools import pools_in, recorded
from junctor_cli.router_values import read_file
from junctor_cli.site_option import site_option
from junctor_cli.tenant_file import TenantFile
from junctor_cli.whatif import compared, told

_SHARE_OF_TIME = 5
"""Re-running takes at most one part in so many of the time, however long the shadow has run."""
_END_OF_TIME = 1 << 60


@click.command()
@click.option(
    "--plans", "path", type=click.Path(path_type=Path), required=True, help="A tenant file; what it has holds."
)
@click.option("--tenant", default="demo", show_default=True, help="Whose contacts.")
@click.option("--since", default=0, show_default=True, help="Take in contacts of so many seconds before now.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two looks, at least.")
@click.option("--for", "seconds", default=float("inf"), help="Stop after so many seconds (when interrupted).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@kafka_option
@site_option
def command(
    path: Path,
    tenant: str,
    since: int,
    every: float,
    seconds: float,
    as_json: bool,
    kafka: str | None,
    site: str,
) -> None:
    """Follow the router's journal and show, contact by contact, what the plans of a file would have decided otherwise.

    Reads only; the live routing does not notice. A wait is shown once both worlds know its end. What `junctor whatif`
    cannot know this cannot know either; handle times of contacts under way are those known so far.

    Exit status 0 when it is stopped, 1 if the file or the journal cannot be used, 2 for a wrong command line.
    """
    shadow = _Shadow(read_file(path), tenant, int((time.time() - since) * 1_000), as_json)
    with_log(kafka, site, lambda log: shadow.run(log, every, seconds))


class _Shadow:
    def __init__(self, file: TenantFile, tenant: str, begins: int, as_json: bool) -> None:
        self._file, self._tenant, self._begins, self._as_json = file, tenant, begins, as_json
        self._told: set[tuple[str, str, int]] = set()
        self._same = 0
        self._different = 0

    async def run(self, log: KafkaLog, every: float, seconds: float) -> None:
        """Until the time is over. The state is made from the journal's first record."""
        until = time.monotonic() + seconds
        entries = pools_in(log, self._tenant, self._begins)
        await entries.open()
        try:
            while True:
                await entries.read_on()
                began = time.monotonic()
                for pool in recorded(entries):
                    if pool.begin is not None:
                        self._tell(pool.name, compared(pool, self._file, self._begins, _END_OF_TIME).comparison.pairs)
                pause = max(every, _SHARE_OF_TIME * (time.monotonic() - began))
                if time.monotonic() + pause > until:
                    break
                await asyncio.sleep(pause)
        finally:
            await entries.close()
        if not self._as_json:
            click.echo(f"{self._same + self._different} waits, {self._different} of them otherwise.")

    def _tell(self, pool: str, pairs: tuple[Pair, ...]) -> None:
        numbers: dict[str, int] = {}
        for pair in pairs:
            number = numbers[pair.contact_id] = numbers.get(pair.contact_id, -1) + 1
            name = (pool, pair.contact_id, number)
            if name in self._told or not _known(pair):
                continue
            self._told.add(name)
            if not pair.differs:
                self._same += 1
                continue
            self._different += 1
            live, shadow = told(pair.recorded), told(pair.rerun)
            if self._as_json:
                click.echo(json.dumps({"pool": pool, "contact_id": pair.contact_id, "live": live, "shadow": shadow}))
            else:
                click.echo(f"{pair.contact_id}  live {live}; shadow {shadow}")


def _known(pair: Pair) -> bool:
    return all(wait is not None and wait.result != WAITING for wait in (pair.recorded, pair.rerun))
