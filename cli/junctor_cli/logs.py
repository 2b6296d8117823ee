"""`junctor logs`: what a site's components wrote."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import click

from junctor_cli.site_option import directory, kept_state, site_option


@click.command()
@click.argument("component", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True, help="How many of the last lines."
)
@site_option
def command(component: str | None, follow: bool, lines: int, site: str) -> None:
    """Print the log of COMPONENT, or of all, each line with its component's name before it."""
    files = _files(site, component)
    opened = {name: path.open(errors="replace") for name, path in files.items() if path.exists()}
    for name, file in opened.items():
        # The whole file is read: logs of a local site are small, and reading leaves the position at the end.
        for line in file.read().splitlines()[-lines:] if lines else ():
            click.echo(_shown(name, line, component is None))
        file.seek(0, 2)
    if follow:
        for name, line in _following(opened):
            click.echo(_shown(name, line, component is None))


def _files(site: str, component: str | None) -> dict[str, Path]:
    state = kept_state(site)
    if state is None:
        raise click.ClickException(f"Site {site} was never started. Start it with `junctor up`.")
    files = {name: Path(known.log) for name, known in state.components.items()}
    files["supervisor"] = directory(site) / "supervisor.log"
    if component is None:
        return files
    if component not in files:
        raise click.ClickException(f"Site {site} has no component {component}; it has {', '.join(files)}.")
    return {component: files[component]}


def _following(files: Mapping[str, TextIO]) -> Iterator[tuple[str, str]]:
    partial = dict.fromkeys(files, "")
    while True:
        silent = True
        for name, file in files.items():
            text = partial[name] + file.read()
            *whole, partial[name] = text.split("\n")
            for line in whole:
                silent = False
                yield name, line
        if silent:
            time.sleep(0.2)


def _shown(name: str, line: str, named: bool) -> str:
    return f"{name:<12} {line}" if named else line
