"""The machine that a figure was measured on, and what ran beside it; no names and no paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from junctor_local import places
from junctor_local.prerequisites import is_optimised
from junctor_router.domain import matching

PACKAGES = ("aiokafka", "faust-streaming", "grpcio", "protobuf", "uvloop", "clickhouse-driver", "aiosipua")


def description() -> dict[str, Any]:
    """As it is now: `load_average` of the last 1, 5 and 15 minutes is what was running before the measurement."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()} {'optimised' if is_optimised() else 'plain'}",
        "router": "compiled" if matching.__file__.endswith(".so") else "interpreted",
        "java": _java(),
        "kafka": _kafka(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "niceness": os.nice(0),
    }


@dataclass(frozen=True, slots=True)
class Use:
    """CPU seconds of the whole machine: `busy` of `total`; `stolen`: in which the host gave a core that had work to
    others (proc(5), steal); `waited`: in which some task waited for a core (PSI)."""

    busy: float
    stolen: float
    total: float
    waited: float | None
    at: float

    @classmethod
    def now(cls) -> Use:
        times = psutil.cpu_times()
        total = sum(times[:8])  # guest time is part of user time
        busy = total - times.idle - times.iowait
        return cls(busy, getattr(times, "steal", 0.0), total, _pressure(), time.monotonic())

    def until_now(self) -> dict[str, float]:
        """Percent since then."""
        now = Use.now()
        total = max(0.01, now.total - self.total)
        found = {
            "cpu_busy_percent": round(100 * (now.busy - self.busy) / total, 1),
            "cpu_stolen_percent": round(100 * (now.stolen - self.stolen) / total, 1),
        }
        if self.waited is not None and now.waited is not None:
            found["cpu_waited_percent"] = round(100 * (now.waited - self.waited) / max(0.01, now.at - self.at), 1)
        return found


def pace_ms() -> float:
    """Milliseconds of a core that a fixed loop takes, the least of five: how fast the machine is at this moment.

    On a shared host the same code takes more than twice as long in one minute as in another, and no count of the kernel shows it.
    """
    return round(min(_loop_ms() for _ in range(5)), 1)


def _loop_ms() -> float:
    began, total = time.thread_time(), 0
    for number in range(1_000_000):
        total += number
    return 1000 * (time.thread_time() - began)


def _pressure() -> float | None:
    """Seconds, of /proc/pressure/cpu; None where the kernel does not tell."""
    try:
        found = re.search(r"^some .*total=(\d+)", Path("/proc/pressure/cpu").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) / 1e6 if found else None


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _java() -> str:
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "([^"]+)"', done.stderr)
    return found.group(1) if found else "unknown"


def _kafka() -> str:
    found = [
        re.search(r"kafka-clients-([\d.]+)\.jar", jar.name) for jar in places.kafka_jars().glob("kafka-clients-*.jar")
    ]
    return next((match.group(1) for match in found if match), "unknown")


def _commit() -> str:
    """Of the work tree; with a `+` where files were changed since."""
    root = places.repository()
    head = subprocess.run(
        ["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    if head.returncode:
        return "unknown"
    changed = subprocess.run(
        ["git", "-C", root, "status", "--porcelain", "--", "libs", "services", "local", "cli"],
        capture_output=True,
        text=True,
        check=False,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
