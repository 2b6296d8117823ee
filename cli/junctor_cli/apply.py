"""`junctor apply`: the tenant file's configuration comes into force, after a look at what would change."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from junctor.directory.v1 import directory_pb2 as pb
from junctor.directory.v1 import directory_pb2_grpc
from junctor_local import tokens
from junctor_service.client import Channels, rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7
from junctor_service.token_source import StaticToken

from junctor_cli import configuration_diff, tenant_file
from junctor_cli.connections import connections
from junctor_cli.site_option import directory, running, site_option
from junctor_cli.tenant_file import Mistake, TenantFile

_SECONDS = 30.0


def directory_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --address and --token of the directory."""
    address = click.option(
        "--address", envvar="JUNCTOR_DIRECTORY_ADDRESS", help="The directory, host:port; the local site's if not given."
    )
    token = click.option(
        "--token", envvar="JUNCTOR_TOKEN", help="An administrator's token; made with the local site's key if not given."
    )
    return address(token(function))


@click.command()
@click.option("-f", "--file", "path", type=click.Path(path_type=Path), help="The tenant file (YAML).")
@click.option("--revert", type=click.IntRange(min=1), metavar="REVISION", help="Undo a revision instead.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--prune", is_flag=True, help="Delete what the file does not name.")
@click.option("--tenant", default="demo", show_default=True, help="Whose configuration.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--comment", default="", help="What for; shown in the list of revisions.")
@directory_option
@site_option
def command(
    path: Path | None,
    revert: int | None,
    dry_run: bool,
    prune: bool,
    tenant: str,
    yes: bool,
    comment: str,
    address: str | None,
    token: str | None,
    site: str,
) -> None:
    """Apply a tenant file: all of it or nothing. Passwords of phones leave this machine as hashes only.

    Exit status 0 if it is in force (or nothing would change), 1 if it was refused, 2 for a wrong command line.
    """
    if (path is None) == (revert is None):
        raise click.UsageError("Give a file (-f tenant.yaml) or a revision to undo (--revert N).")
    if revert is not None and dry_run:
        raise click.UsageError("--dry-run goes with a file; `junctor apply --revert` asks before it undoes.")
    address = address or running(site).addresses["directory"]
    token = token or token_of(site, tenant)
    file = _read(path) if path is not None else None
    asyncio.run(_Apply(address, token, tenant, yes=yes).run(file, revert, dry_run, prune, comment))


class _Apply:
    def __init__(self, address: str, token: str, tenant: str, *, yes: bool) -> None:
        self._address = address
        self._token = token
        self._tenant = tenant
        self._yes = yes

    async def run(self, file: TenantFile | None, revert: int | None, dry_run: bool, prune: bool, comment: str) -> None:
        channels = Channels(StaticToken(self._token), settings=connections())
        stub: directory_pb2_grpc.DirectoryServiceAsyncStub = directory_pb2_grpc.DirectoryServiceStub(
            channels.channel(self._address)
        )
        try:
            if file is not None:
                request = pb.ApplyConfigurationRequest(
                    tenant=self._tenant, values=file.values, prune=prune, comment=comment
                )
                await apply_request(stub, request, file, dry_run=dry_run, yes=self._yes)
            elif revert is not None:
                await self._revert(stub, revert)
        except ServiceError as error:
            raise failure(error, file, self._address) from error
        finally:
            await channels.close()

    async def _revert(self, stub: directory_pb2_grpc.DirectoryServiceAsyncStub, revision: int) -> None:
        _ask(f"Undo revision {revision} in {self._tenant}?", self._yes)
        request = pb.RevertConfigurationRequest(request_id=uuid7(), tenant=self._tenant, revision=revision)
        done = await rpc(stub.RevertConfiguration(request, timeout=_SECONDS))
        _show(done.changes, done.warnings, None)
        click.echo(f"Revision {revision} is undone: {self._tenant} is at revision {done.revision}.")


async def apply_request(
    stub: directory_pb2_grpc.DirectoryServiceAsyncStub,
    request: pb.ApplyConfigurationRequest,
    file: TenantFile | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Shows what the request would change, asks, and makes it. Raises `ServiceError` where the directory refuses."""
    request.request_id = uuid7()
    request.dry_run = True
    found = await rpc(stub.ApplyConfiguration(request, timeout=_SECONDS))
    _show(found.changes, found.warnings, file)
    if not found.changes:
        click.echo(f"Nothing to change: {request.tenant} is at revision {found.revision}.")
        return
    if dry_run:
        click.echo(f"{_count(found.changes)} would be made; this was a dry run.")
        return
    _ask(f"Make {_count(found.changes)} in {request.tenant}?", yes)
    request.dry_run = False
    request.request_id = uuid7()
    request.base_revision = found.revision
    done = await rpc(stub.ApplyConfiguration(request, timeout=_SECONDS))
    click.echo(f"{_count(done.changes)} made: {request.tenant} is at revision {done.revision}.")


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: add --yes to go on or --dry-run to look only.")
    click.confirm(question, abort=True)


def _read(path: Path) -> TenantFile:
    try:
        return tenant_file.read(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror or error}") from error
    except Mistake as mistake:
        raise click.ClickException("\n".join(mistake.sentences)) from mistake


def token_of(site: str, tenant: str) -> str:
    """An administrator's, made with the local site's key; ClickException where there is none."""
    folder = directory(site) / "issuer"
    if not folder.exists():
        raise click.ClickException("There is no token: give --token or set JUNCTOR_TOKEN.")
    person = os.environ.get("USER") or "junctor-cli"
    return tokens.mint(tokens.signing_key(folder), person, tenant, ["administrator"], lifetime=600)


def _show(changes: Sequence[pb.Change], warnings: Sequence[pb.ConfigurationWarning], file: TenantFile | None) -> None:
    for line in configuration_diff.lines(changes):
        click.echo(line)
    for warning in warnings:
        where = f"{file.place(warning.field)}: " if file is not None and file.has(warning.field) else ""
        click.secho(f"{where}Warning: {warning.text}.", fg="yellow", err=True)


def failure(error: ServiceError, file: TenantFile | None, address: str) -> click.ClickException:
    """What the directory refuses, with the lines of the file."""
    if file is not None and error.fields:
        lines = [f"{file.place(v.field)}: {v.description} ({v.field})" for v in error.fields]
        return click.ClickException("\n".join(lines))
    if error.code is Code.UNAVAILABLE:
        return click.ClickException(f"The directory at {address} does not answer: {error.message} Is the site up?")
    return click.ClickException(error.message)


def _count(changes: Sequence[pb.Change]) -> str:
    return f"{len(changes)} change{'s' if len(changes) != 1 else ''}"
