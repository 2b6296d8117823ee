"""Runs pytest, and what failed once more, alone: `python -m junctor_testkit.twice PYTEST-ARGUMENTS`.

The tests use real brokers, processes and sockets; on a machine that is busy with other things one of them may pass its
limit. What passes alone is named as such in the output; what fails twice, or more than `MOST` failures, is a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 12
TESTS_FAILED, NOTHING_RUN = 1, 5


def main(arguments: list[str]) -> int:
    """The exit status of pytest: 0 where every test passed, at the second try at the latest."""
    with tempfile.TemporaryDirectory() as folder:
        cache = ["-p", "cacheprovider", "-o", f"cache_dir={folder}"]
        status = _pytest([*arguments, *cache])
        if status != TESTS_FAILED:
            return status
        failed = _failed(Path(folder))
        if not 0 < len(failed) <= MOST:
            return status
        print(f"\n{len(failed)} failed; run again, alone:", *failed, sep="\n  ", flush=True)
        again = [*_alone(arguments), *cache, "--last-failed", "--last-failed-no-failures=none"]
        status = _pytest(again)
        if status == 0:
            print(f"Passed when run alone, after a failure beside others: {', '.join(failed)}", flush=True)
        return TESTS_FAILED if status == NOTHING_RUN else status


def _alone(arguments: list[str]) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in ("-n", "--dist"):
            skip = True
        else:
            kept.append(argument)
    return kept


def _failed(cache: Path) -> list[str]:
    known = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(known.read_text(encoding="utf-8"))) if known.exists() else []


def _pytest(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
