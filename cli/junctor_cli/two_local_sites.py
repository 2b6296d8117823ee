"""Two sites on this machine with their witness, each a process of its own: one may be stopped or killed, and started again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import click
from junctor_local import health, places, site_state, two_sites_plan
from junctor_local.site_of_two import voter_settings
from junctor_local.site_state import ComponentState, SiteState
from junctor_local.two_sites_plan import NAMES, WITNESS, DifferentIssuers, Plan

from junctor_cli.site_option import directory, kept_state
from junctor_cli.site_start import READY_LIMIT, begin, print_addresses, started

ALL = (*NAMES, WITNESS)
_WITNESS_LIMIT = 60.0


def start(all_in_one: bool, ports_from: int | None) -> None:
    """Starts what of the three is not up and waits for it. ClickException where one does not come up."""
    up = [name for name in ALL if _up(name)]
    if len(up) == len(ALL):
        raise click.ClickException(
            "Both sites are up. See them with `junctor status --sites`, stop them with `junctor down --sites`."
        )
    if not up or ports_from is not None:
        _plan(up, ports_from)
    starting = {} if WITNESS in up else {WITNESS: _start_witness(_kept_plan())}
    options = ["--of-two"] + (["--all-in-one"] if all_in_one else [])
    down = [name for name in NAMES if name not in up]
    starting |= {name: begin(name, [*options, "--name", name, "--directory", str(directory(name))]) for name in down}
    try:
        for name in down:
            print_addresses(started(name, starting[name], 2 * READY_LIMIT))
    except BaseException:
        for process in starting.values():
            process.terminate()
        raise
    click.echo(
        "Two sites: `junctor status --sites`, `junctor site status`. `junctor down --site a` stops one of them, "
        "`junctor up --sites` brings it back, `junctor down --sites` stops all."
    )


def states() -> dict[str, SiteState]:
    """What is known of the two sites and the witness, those that were ever started, running or not."""
    return {name: state for name in ALL if (state := kept_state(name)) is not None}


def _up(name: str) -> bool:
    state = kept_state(name)
    if state is None or not state.up:
        return False
    if name != WITNESS and "voter" not in state.components:
        raise click.ClickException(
            f"Site {name} is up alone, process {state.supervisor.pid}: stop it first, `junctor down --site {name}`."
        )
    return True


def _plan(up: list[str], ports_from: int | None) -> None:
    if up:
        raise click.UsageError(f"{' and '.join(up)} of the two sites are up: their ports stay. Leave out --ports-from.")
    folder = places.site_directory("a").parent
    try:
        plan = two_sites_plan.stable_plan(folder, ports_from)
        two_sites_plan.share_issuer(folder)
    except (DifferentIssuers, ValueError) as error:
        raise click.ClickException(str(error)) from error
    two_sites_plan.keep(plan, folder)


def _kept_plan() -> Plan:
    plan = two_sites_plan.kept(places.site_directory("a").parent)
    if plan is None:
        raise click.ClickException(
            "The plan of the two sites is gone: stop both, `junctor down --sites`, and start again."
        )
    return plan


def _start_witness(plan: Plan) -> subprocess.Popen[bytes]:
    """In a third place: a process of its own, which no site's end takes with it."""
    folder = places.site_directory(WITNESS)
    folder.mkdir(parents=True, exist_ok=True)
    log, address = folder / "voter.log", plan.voter_address(WITNESS)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "junctor_local.witness"],
            env={**os.environ, **voter_settings(folder.parent, WITNESS, plan)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _settle(process, address, log)
    itself = site_state.process_state(process.pid)
    site_state.write(
        SiteState(
            site=WITNESS,
            directory=str(folder),
            supervisor=itself,
            phase="ready",
            components={"voter": ComponentState(itself, True, 0, address, str(log))},
            addresses={"voter": address},
        )
    )
    return process


def _settle(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Waits until it answers; it needs nobody else for that."""
    limit = time.monotonic() + _WITNESS_LIMIT
    while process.poll() is None and time.monotonic() < limit:
        if asyncio.run(health.serving(address)):
            return
        time.sleep(0.1)
    process.kill()
    process.wait()
    raise click.ClickException(f"The witness did not come up: see {log}.")
