"""Runs TLC on TwoSites.tla: `check.py [--long] [--scratch DIR] --tlc JAR [NAME ...]`.

The naive variants must be violated, the protocol must not; exit code 1 otherwise. No run exhausts the states: a pass
says "not violated within", never "proved". The whole trace of a violation is in DIR/NAME.out. Needs Java.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from runs import LONG, NAIVE, PROTOCOL, SHORT, Run

HERE = Path(__file__).parent
STATES = re.compile(r"([\d,]+) states (?:generated|checked)(?:[^\n]*?([\d,]+) distinct)?")
STEP = re.compile(r"^State \d+: <(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Result:
    """`states` as TLC counts them: distinct ones of a breadth-first run, all of random ones."""

    run: Run
    violated: str
    states: str
    seconds: float
    steps: tuple[str, ...]
    error: str

    @property
    def as_expected(self) -> bool:
        return not self.error and self.violated == self.run.violated


def write_configuration(run: Run, scratch: Path) -> str:
    """A module that sets the switches, and its configuration. Returns the module's name."""
    unknown = run.switches.keys() - PROTOCOL.keys()
    if unknown:
        raise ValueError(f"{run.name}: no such switch: {', '.join(sorted(unknown))}")
    module = f"Run_{run.name}"
    values = PROTOCOL | run.switches
    defined = "\n".join(f"set_{name} == {value}" for name, value in values.items())
    (scratch / f"{module}.tla").write_text(f"---- MODULE {module} ----\nEXTENDS TwoSites\n{defined}\n====\n")
    set_to = "\n".join(f"  {name} <- set_{name}" for name in values)
    (scratch / f"{module}.cfg").write_text(
        f"SPECIFICATION Spec\nCHECK_DEADLOCK FALSE\nCONSTANTS\n{set_to}\nINVARIANTS {run.invariants}\n"
    )
    return module


def check(run: Run, scratch: Path, jar: Path, seconds: int) -> Result:
    for source in HERE.glob("*.tla"):
        (scratch / source.name).write_bytes(source.read_bytes())
    module = write_configuration(run, scratch)
    random_runs = ["-simulate", "-depth", str(run.depth)] if run.depth else []
    command = [
        *(
            "nice",
            "-n",
            "19",
            "java",
            "-Xmx1g",
            "-XX:+UseSerialGC",
            f"-Djava.io.tmpdir={scratch}",
            "-cp",
            str(jar),
            "tlc2.TLC",
            "-workers",
            "1",
        ),
        *("-metadir", str(scratch / f"states-{run.name}"), "-lncheck", "final", *random_runs),
        *("-config", f"{module}.cfg", f"{module}.tla"),
    ]
    began = time.monotonic()
    log = scratch / f"{run.name}.out"
    with log.open("w") as out, subprocess.Popen(command, cwd=scratch, stdout=out, stderr=subprocess.STDOUT) as tlc:
        try:
            tlc.wait(seconds)
        except subprocess.TimeoutExpired:
            tlc.terminate()
    shutil.rmtree(scratch / f"states-{run.name}", ignore_errors=True)
    return read(run, log.read_text(), time.monotonic() - began)


def read(run: Run, said: str, seconds: float) -> Result:
    """What TLC said."""
    violated = re.search(r"Invariant (\w+) is violated", said)
    states = STATES.findall(said) or [("none", "")]
    error = "" if violated else "; ".join(line for line in said.splitlines() if line.startswith("Error"))
    if not violated and states[-1][0] == "none":
        error = error or "TLC counted no states"
    steps = tuple(STEP.findall(said)[1:]) if violated else ()
    return Result(run, violated[1] if violated else "", states[-1][1] or states[-1][0], seconds, steps, error)


def told(result: Result) -> str:
    if result.error:
        outcome = result.error
    elif result.violated:
        outcome = f"{result.violated} violated in {len(result.steps)} steps"
    else:
        outcome = "not violated within"
    sign = "ok  " if result.as_expected else "BAD "
    line = (
        f"{sign} {result.run.name:16} {result.states:>12} states {result.seconds:4.0f} s  {outcome}: {result.run.says}"
    )
    return line + (f"\n       {' '.join(result.steps)}" if result.steps else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tlc", type=Path, required=True, help="the jar of TLC")
    parser.add_argument("--scratch", type=Path, required=True, help="where configurations, logs and states are written")
    parser.add_argument("--long", action="store_true", help="the long runs too")
    parser.add_argument("names", nargs="*", help="only these runs")
    options = parser.parse_args()
    runs = (*NAIVE, *SHORT, *(LONG if options.long else ()))
    known = {run.name: run for run in (*NAIVE, *SHORT, *LONG)}
    if unknown := set(options.names) - known.keys():
        parser.error(f"no such run: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in options.names] or runs
    options.scratch.mkdir(parents=True, exist_ok=True)
    bad = 0
    for run in chosen:
        result = check(run, options.scratch.resolve(), options.tlc.resolve(), run.seconds)
        bad += not result.as_expected
        sys.stdout.write(told(result) + "\n")
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
