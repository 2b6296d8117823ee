"""`python -m bench [FIGURE ...]`: measures, prints, and keeps each figure in `bench/results/`. Exits 1 if one is missed."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
import time

from junctor_service.run import loop_factory

from bench import machine, results_file, router

FIGURES = {
    "log": "input to outcome read back at 2,000 inputs/s; inputs/s of one owner beside a bare loop",
    "memory": "memory of the idle site",
    "site_memory": "memory of two idle sites with all that lies between them",
    "calls": "INVITE to 200; last digit to the agent's phone",
    "rows": "event to ClickHouse row, during calls",
    "register": "a lost site, or a hand-over, to the other site's grants",
    "mirror": "append at one site to read at the other",
    "sites": "a site of two is lost: first assignment by the other, what is lost",
    "demo": "wall time of a warm `make demo` and of `make test-unit`",
    **router.PARTS,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = "; ".join(f"{name}: {about}" for name, about in FIGURES.items()) + "; router: all that begin with it"
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"which ones (all) - {known}")
    parser.add_argument("--calls", type=int, default=200, help="how many calls (200)")
    parser.add_argument("--together", type=int, default=3, help="calls at a time (3)")
    parser.add_argument(
        "--ahead", action="store_true", help="calls, router, sites: ahead of what else runs on the machine (root)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="sites: how often a site is lost (3)")
    parser.add_argument("--cold", action="store_true", help="demo: in a fresh clone with nothing downloaded")
    parser.add_argument("--tests", action="store_true", help="demo: the time of `make test` too")
    parser.add_argument("--discard", action="store_true", help="keep nothing in bench/results")
    given = parser.parse_args()
    if "router" in given.figures:
        given.figures = [name for name in given.figures if name != "router"] + list(router.PARTS)
    unknown = [name for name in given.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no figure is called {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    wanted = given.figures or list(FIGURES)
    if "calls" in wanted and "rows" in wanted:
        wanted.remove("rows")  # measured in the same run
    missed = 0
    for name in wanted:
        missed += _measure(name, given)
    return 1 if missed else 0


def _measure(name: str, given: argparse.Namespace) -> int:
    print(f"{name}: {FIGURES[name]} ...", flush=True)
    before, paces = machine.description(), [machine.pace_ms()]
    use, began = machine.Use.now(), time.monotonic()
    module = importlib.import_module("bench.calls" if name == "rows" else f"bench.{name}")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        found = runner.run(module.measure(given))
    before |= use.until_now() | {"pace_ms": [*paces, machine.pace_ms()]}
    missed = 0
    for result in found:
        print(results_file.printed(result.rows), flush=True)
        if not given.discard:
            page = results_file.keep(result, before, time.monotonic() - began)
            print(f"  kept in bench/results/{page.name}")
        missed += len(result.missed)
    return missed


if __name__ == "__main__":
    sys.exit(main())
