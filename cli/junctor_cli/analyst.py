"""ClickHouse as an analyst sees it: the local site's, or the one that JUNCTOR_CLICKHOUSE names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException
from junctor_local import clickhouse_configuration
from junctor_local.clickhouse_configuration import ANALYST, DATABASE
from junctor_service.setting_values import parse_host_port

from junctor_cli.site_option import running, site_option

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns' names and rows."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


class Analyst:
    """Asks ClickHouse. A question that fails is a ClickException with ClickHouse's own words."""

    def __init__(self, host: str, port: int, user: str, password: str, database: str = DATABASE) -> None:
        self._connection = {"host": host, "port": port, "user": user, "password": password, "database": database}

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        client = Client(**self._connection, connect_timeout=5, send_receive_timeout=_SECONDS)
        try:
            rows, columns = client.execute(sql, dict(parameters) if parameters else None, with_column_types=True)
        except ServerException as error:
            raise click.ClickException(f"ClickHouse refuses: {_words(error)}") from error
        except (Error, OSError, EOFError) as error:
            address = f"{self._connection['host']}:{self._connection['port']}"
            raise click.ClickException(f"ClickHouse at {address} does not answer ({type(error).__name__}).") from error
        finally:
            client.disconnect()
        return Answer(tuple(name for name, _ in columns), rows)


def analyst_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --site, --clickhouse, --user and the password's variable: `analyst_of` makes an `Analyst` of them."""
    for option in (
        click.option(
            "--clickhouse", envvar="JUNCTOR_CLICKHOUSE", metavar="HOST:PORT", help="Native port of another ClickHouse."
        ),
        click.option("--user", envvar="JUNCTOR_CLICKHOUSE_USER", default=ANALYST, show_default=True, help="Its user."),
        click.option(
            "--password",
            envvar="JUNCTOR_CLICKHOUSE_PASSWORD",
            default="",
            help="Better given as JUNCTOR_CLICKHOUSE_PASSWORD.",
        ),
        site_option,
    ):
        function = option(function)
    return function


def analyst_of(site: str, clickhouse: str | None, user: str, password: str) -> Analyst:
    """The named ClickHouse's, or the running local site's with its own password."""
    if clickhouse:
        try:
            address = parse_host_port(clickhouse)
        except ValueError as error:
            raise click.UsageError(f"--clickhouse: {error} is not host:port.") from error
        return Analyst(address.host, address.port, user, password)
    state = running(site)
    host, _, port = state.addresses["clickhouse_native"].rpartition(":")
    known = clickhouse_configuration.passwords(Path(state.directory) / "clickhouse")
    return Analyst(host, int(port), ANALYST, known.analyst)


def _words(error: ServerException) -> str:
    return str(error.message).split("Stack trace:")[0].strip()
