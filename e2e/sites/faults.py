"""What befalls two sites: one fault at a time, drawn by a seed, held for a while and healed. The harness is spared.

A site's disk is full when its processes may write no file any more (setrlimit(2), RLIMIT_FSIZE: each write fails, as with
ENOSPC). Its clock is shifted by libfaketime (Debian: `faketime`), the wall clock alone; the others have their own.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from junctor_local.two_sites import NAMES, WITNESS, TwoSites
from junctor_local.two_sites_plan import other

from e2e.sites.link import Link

_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
_CLOCK = "clock"
"""A file of each site's folder, in which its services run."""
ROUND_TRIP, LOSS = 0.25, 0.01


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `until`: monotonic seconds, before the first thing done and after the last."""

    kind: str
    where: str
    at: float
    until: float


def shiftable_clock() -> dict[str, str]:
    """Settings of services whose wall clock `Faults` may shift. FileNotFoundError without the library."""
    library = next((path for path in _LIBRARIES if Path(path).exists()), None)
    if library is None:
        raise FileNotFoundError(
            "libfaketime is missing, which shifts a process's clock. On Debian: apt-get install faketime"
        )
    return {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": _CLOCK,
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # With its own reckoning of monotonic waits they end at once, and threads spin.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


class Faults:
    """Draws and does them. The same seed draws the same faults for the same lengths of time."""

    def __init__(
        self, sites: TwoSites, link: Link, leave: Callable[[str, str], None], seed: int, longest: float = 10.0
    ) -> None:
        """`leave`: is told where the people of a site go instead. `longest`: seconds for which a fault is held."""
        self.sites, self.link, self._leave = sites, link, leave
        self.done: list[Fault] = []
        self._chance = random.Random(seed)
        self._longest = longest
        self._kinds: dict[str, Callable[[str], Coroutine[Any, Any, str]]] = {
            "a process is killed": self._kill,
            "Kafka is killed": self._kafka,
            "a site is killed": self._site,
            "a site's services are killed": self._services,
            "a process is stopped for a while": self._pause,
            "the link is cut": self._cut,
            "the witness is away": self._witness,
            "the link is slow": self._slow,
            "a disk is full": self._disk,
            "a clock is shifted": self._clock,
        }
        for name in NAMES:
            self._shift(name, 0.0)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What may happen."""
        return tuple(self._kinds)

    async def one(self, kind: str | None = None, site: str | None = None) -> Fault:
        """The next fault, or one of a kind, at a site, from its beginning to its end."""
        drawn, place = self._chance.choice(self.kinds), self._chance.choice(NAMES)
        kind, site = kind or drawn, site or place
        began = time.monotonic()
        where = await self._kinds[kind](site)
        self.done.append(Fault(kind, where, began, time.monotonic()))
        return self.done[-1]

    def seconds(self, least: float, most: float) -> float:
        """Drawn like the faults."""
        return self._chance.uniform(least, most)

    async def _hold(self) -> None:
        await asyncio.sleep(self.seconds(1.0, self._longest))

    async def _kill(self, site: str) -> str:
        name = self._chance.choice(["router", "directory", "mirror", "voter", WITNESS])
        await (self.sites.witness.child.kill() if name == WITNESS else self.sites[site].kill(name))
        return name if name == WITNESS else f"{site}: {name}"

    async def _kafka(self, site: str) -> str:
        await self.sites[site].kill("kafka")
        return site

    async def _site(self, site: str) -> str:
        await self.sites.kill(site)
        self._leave(site, other(site))
        await self._hold()
        await self.sites.restart(site)
        self._leave(site, site)
        return site

    async def _services(self, site: str) -> str:
        """All but its Kafka, which the other site can still ask."""
        place = self.sites[site]
        parts = [name for name in place.components if name != "kafka"]
        await asyncio.gather(*(place.stop_component(name, kill=True) for name in parts))
        self._leave(site, other(site))
        await self._hold()
        await asyncio.gather(*(place.start_component(name) for name in parts))
        self._leave(site, site)
        return site

    async def _pause(self, site: str) -> str:
        name = self._chance.choice(["router", "kafka", "voter", "mirror"])
        pid = self.sites[site].pid(name)
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
        await self._hold()
        if pid is not None and self.sites[site].pid(name) == pid:
            os.kill(pid, signal.SIGCONT)
        return f"{site}: {name}"

    async def _cut(self, site: str) -> str:
        """The witness is reached by both, by one, or by none."""
        away = self._chance.choice([(), (site,), NAMES])
        pairs = [NAMES, *((name, WITNESS) for name in away)]
        for pair in pairs:
            self.link.cut(*pair)
        await self._hold()
        for pair in pairs:
            self.link.mend(*pair)
        return f"witness away from {' and '.join(away) or 'none'}"

    async def _witness(self, site: str) -> str:
        for name in NAMES:
            self.link.cut(name, WITNESS)
        await self._hold()
        for name in NAMES:
            self.link.mend(name, WITNESS)
        return WITNESS

    async def _slow(self, site: str) -> str:
        pairs = [NAMES, (site, WITNESS)]
        for pair in pairs:
            self.link.slow(*pair, round_trip=ROUND_TRIP, loss=LOSS)
        await self._hold()
        for pair in pairs:
            self.link.slow(*pair, round_trip=0.0)
        return f"{ROUND_TRIP * 1_000:.0f} ms, {LOSS:.0%} lost"

    async def _disk(self, site: str) -> str:
        pids = [pid for name in self.sites[site].components if (pid := self.sites[site].pid(name))]
        for pid in pids:
            _may_write(pid, False)
        await self._hold()
        for pid in pids:
            _may_write(pid, True)
        return site

    async def _clock(self, site: str) -> str:
        by = self._chance.choice([-1, 1]) * self.seconds(0.6, 45.0)
        self._shift(site, by)
        await self._hold()
        self._shift(site, 0.0)
        return f"{site} by {by:+.1f} s"

    def _shift(self, site: str, by: float) -> None:
        path = self.sites[site].directory / _CLOCK
        partial = path.with_suffix(".new")
        partial.write_text(f"{by:+.3f}\n", encoding="ascii")
        partial.replace(path)


def _may_write(pid: int, may: bool) -> None:
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if may else 1, hard))
    except ProcessLookupError:
        return
