"""`junctor scores`: outcomes in ClickHouse to a queue's score table, and the table into force."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from junctor.directory.v1 import directory_pb2 as pb
from junctor.directory.v1 import directory_pb2_grpc
from junctor_service.client import Channels, rpc
from junctor_service.errors import ServiceError
from junctor_service.token_source import StaticToken
from rich.console import Console
from rich.table import Table

from junctor_cli.analyst import Analyst, Answer, analyst_of, analyst_option
from junctor_cli.apply import apply_request, directory_option, failure, token_of
from junctor_cli.moment_option import Moment
from junctor_cli.score_table import Outcome, Row, learn
from junctor_cli.site_option import running

_SECONDS = 30.0
_COLUMNS = ("segment", "agent_id", "contacts", "service", "sales")
_OUTCOMES = """
SELECT segment, agent_id, count() AS contacts,
    sum(if(solved, greatest(0, 100 - %(minute_costs)s * handle_ms / 60000), 0)) AS service,
    sum(value) AS sales
FROM outcomes(tenant = %(tenant)s, from = %(from)s, to = %(to)s)
WHERE queue = %(queue)s
GROUP BY segment, agent_id
ORDER BY segment, agent_id
"""


@click.command()
@click.option("--queue", required=True, help="The queue whose table it is.")
@click.option(
    "--from", "begins", type=Moment(), default="30d", show_default=True, help="Talks that ended from then on."
)
@click.option("--to", "ends", type=Moment(), default=None, help="... and before then (now).")
@click.option("--attribute", "attributes", multiple=True, help="Only these attributes of agents (all); repeatable.")
@click.option(
    "--prior", type=click.FloatRange(min=0, min_open=True), default=20.0, show_default=True,
    help="So many contacts without effect are added to each attribute value's own.",
)  # fmt: skip
@click.option(
    "--minute-costs", type=click.FloatRange(min=0), default=1.0, show_default=True,
    help="What a minute of handle time takes off the 100 points of a contact that was solved.",
)  # fmt: skip
@click.option(
    "--sql", type=click.File(encoding="utf-8"),
    help=f"Another question to ClickHouse, with the columns {', '.join(_COLUMNS)}; may use %(tenant)s and so on.",
)  # fmt: skip
@click.option("--tenant", default="demo", show_default=True, help="Whose contacts.")
@click.option("--dry-run", is_flag=True, help="Only show the table.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@directory_option
@analyst_option
def command(
    queue: str, begins: int, ends: int | None, attributes: tuple[str, ...], prior: float, minute_costs: float,
    sql: click.utils.LazyFile | None, tenant: str, dry_run: bool, yes: bool, address: str | None, token: str | None,
    site: str, clickhouse: str | None, user: str, password: str,
) -> None:  # fmt: skip
    """Compute from what came of past contacts which agents are worth most to which customers, and put it into force.

    For each attribute value of agents and each segment of customers: what it adds to the outcome of a contact, shrunk
    towards nothing where contacts are few. Queues whose plan has the order highest_value go by it. Run it every night:
    the contacts that the queue gives by lot (explore_percent) keep it honest.

    Exit status 0 if the table is in force (or shown), 1 without outcomes or where it was refused, 2 for a wrong command
    line.
    """
    analyst = analyst_of(site, clickhouse, user, password)
    question = sql.read() if sql is not None else _OUTCOMES
    parameters = {
        "tenant": tenant, "queue": queue, "minute_costs": minute_costs,
        "from": _moment(begins), "to": _moment(int(time.time() * 1_000) if ends is None else ends),
    }  # fmt: skip
    outcomes = read_outcomes(analyst, question, parameters)
    if not outcomes:
        raise click.ClickException(f"There are no outcomes of the queue {queue} from {parameters['from']} on.")
    address = address or running(site).addresses["directory"]
    made = _Scores(address, token or token_of(site, tenant), tenant, queue)
    asyncio.run(made.run(outcomes, attributes, prior, dry_run=dry_run, yes=yes))


def read_outcomes(analyst: Analyst, question: str, parameters: dict[str, object]) -> list[Outcome]:
    """ClickException where ClickHouse refuses, or answers with other columns."""
    answer: Answer = analyst.ask(question, parameters)
    missing = [name for name in _COLUMNS if name not in answer.columns]
    if missing:
        raise click.ClickException(f"The answer has no column {', '.join(missing)}.")
    places = [answer.columns.index(name) for name in _COLUMNS]
    found = [[row[place] for place in places] for row in answer.rows]
    return [Outcome(str(s), str(a), int(n), float(service), float(sales)) for s, a, n, service, sales in found]


def table_value(queue: str, rows: Sequence[Row]) -> pb.Value:
    """The directory's value; rows without points say nothing and are left out."""
    value = pb.Value(id=queue, scores=pb.ScoreTable())
    value.scores.rows.extend(
        pb.Score(
            segment=row.segment, attribute=row.attribute, value=row.value, service=row.service, sales=row.sales,
            contacts=row.contacts,
        )
        for row in rows
        if row.service or row.sales
    )  # fmt: skip
    return value


class _Scores:
    def __init__(self, address: str, token: str, tenant: str, queue: str) -> None:
        self._address, self._token, self._tenant, self._queue = address, token, tenant, queue

    async def run(
        self, outcomes: list[Outcome], attributes: Sequence[str], prior: float, *, dry_run: bool, yes: bool
    ) -> None:
        channels = Channels(StaticToken(self._token))
        stub: directory_pb2_grpc.DirectoryServiceAsyncStub = directory_pb2_grpc.DirectoryServiceStub(
            channels.channel(self._address)
        )
        try:
            request = pb.ListValuesRequest(tenant=self._tenant, kind="agent")
            listed = await rpc(stub.ListValues(request, timeout=_SECONDS))
            agents = {
                one.value.id: {
                    name: text for name, text in one.value.agent.attributes.items() if name in (attributes or (name,))
                }
                for one in listed.values
            }
            rows = learn(outcomes, agents, prior)
            if not rows:
                raise click.ClickException("None of the agents with outcomes is in the directory with an attribute.")
            _show(rows, outcomes, self._queue)
            change = pb.ApplyConfigurationRequest(
                tenant=self._tenant,
                values=[table_value(self._queue, rows)],
                comment=f"scores of {self._queue} from {sum(o.contacts for o in outcomes)} contacts",
            )
            await apply_request(stub, change, None, dry_run=dry_run, yes=yes)
        except ServiceError as error:
            raise failure(error, None, self._address) from error
        finally:
            await channels.close()


def _show(rows: Sequence[Row], outcomes: Sequence[Outcome], queue: str) -> None:
    contacts = sum(outcome.contacts for outcome in outcomes)
    console = Console()
    console.print(f"Queue {queue}: {contacts} contacts with {len({o.agent_id for o in outcomes})} agents.")
    table = Table(box=None, header_style="bold")
    for name in ("segment", "attribute", "value"):
        table.add_column(name)
    for name in ("contacts", "service", "sales", "service points", "sales points"):
        table.add_column(name, justify="right")
    for row in rows:
        means = (f"{row.mean_service:.1f}", f"{row.mean_sales:.2f}")
        points = (f"{row.service:+d}", f"{row.sales:+d}")
        table.add_row(row.segment or "(all)", row.attribute, row.value, str(row.contacts), *means, *points)
    console.print(table)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
