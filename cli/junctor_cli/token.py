"""`junctor token`: makes a token with the local site's key."""

import click
from junctor_local import tokens

from junctor_cli.site_option import directory, site_option


@click.command()
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(tokens.ROLES), help="May be repeated.")
@click.option("--tenant", default="demo", show_default=True, help='"*" for a service: every tenant.')
@click.option("--agent", help="The agent that the bearer is; needed with the role agent.")
@click.option("--subject", help="Who the bearer is; the agent or the first role if not given.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True, max=24 * 30),
    default=8.0,
    show_default=True,
    help="How long it is valid.",
)
@site_option
def command(
    roles: tuple[str, ...], tenant: str, agent: str | None, subject: str | None, hours: float, site: str
) -> None:
    """Print a token; with it any client may call the site's gRPC and HTTP interfaces."""
    folder = directory(site) / "issuer"
    if not folder.exists():
        raise click.ClickException(f"Site {site} has no key yet. Start it once with `junctor up`.")
    try:
        made = tokens.mint(tokens.signing_key(folder), subject or agent or roles[0], tenant, roles, agent, hours * 3600)
    except tokens.BadClaim as error:
        raise click.UsageError(str(error)) from error
    click.echo(made)
