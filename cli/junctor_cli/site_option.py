"""The option --site of commands that act on a local site, and the site that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from junctor_local import places, site_state, two_sites_plan
from junctor_local.site_state import SiteState

DEFAULT = "a"


def site_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--site NAME`, as the argument `site`."""
    return click.option(
        "--site", metavar="NAME", default=DEFAULT, envvar="JUNCTOR_SITE", show_default=True, help="Which local site."
    )(function)


def directory(site: str) -> Path:
    """The site's folder. ClickException for a name that is no folder's name."""
    if not site.replace("-", "").replace("_", "").isalnum():
        raise click.ClickException(f"{site!r} is not a site's name: letters, digits, - and _")
    return places.site_directory(site)


def kept_state(site: str) -> SiteState | None:
    """The site's last state, running or not; None if it was never started."""
    try:
        return site_state.read(directory(site))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def refuse_one_of_two(site: str) -> None:
    """ClickException where the site is one of two: alone it would not find its keys, and lead without asking."""
    folder = directory(site)
    if two_sites_plan.of_two(folder):
        raise click.ClickException(
            f"Site {site} is one of two: start both with `junctor up --sites`, take another --site, or remove {folder.parent}."
        )


def running(site: str) -> SiteState:
    """The state of a site that is up; ClickException that says how to start it otherwise."""
    state = kept_state(site)
    if state is None or not state.up:
        raise click.ClickException(f"Site {site} is not up. Start it with `junctor up`.")
    return state
