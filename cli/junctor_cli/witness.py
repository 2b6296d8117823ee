"""`junctor witness`: a voter of the register of two sites, in the foreground until SIGTERM or Ctrl-C."""

import os
import sys
from pathlib import Path

import click


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where the sites reach it.")
@click.option(
    "--directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it keeps its votes. They must outlive it: an empty folder is a voter that forgot.",
)
@click.option(
    "--jwks", required=True, metavar="URL|FILE", help="The token issuer's public keys, as the sites have them."
)
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False), help="PEM: its certificate chain; with --key."
)
@click.option("--key", type=click.Path(exists=True, dir_okay=False), help="PEM: the certificate's key.")
@click.option("--authority", type=click.Path(exists=True, dir_okay=False), help="PEM: who signed the certificates.")
def command(
    listen: str, directory: Path, jwks: str, certificate: str | None, key: str | None, authority: str | None
) -> None:
    """The third voter of two sites, in a third place: about 70 MB, no Kafka, nothing of customers.

    Any setting of a service (JUNCTOR_..., JUNCTOR_WITNESS__...) may be given in the environment as well.
    """
    given = {
        "GRPC_LISTEN": listen,
        "STATE_DIR": str(directory),
        "JWKS": jwks,
        "GRPC_TLS_CERTIFICATE": certificate,
        "GRPC_TLS_KEY": key,
        "GRPC_TLS_AUTHORITY": authority,
    }
    named = {f"JUNCTOR_WITNESS__{name}": value for name, value in given.items() if value is not None}
    os.execve(sys.executable, [sys.executable, "-m", "junctor_local.witness"], {**os.environ, **named})  # noqa: S606 becomes the voter
