"""A world in virtual time for the lease: processes with clocks of their own, voters, and a network that fails.

Nothing in it knows the rules of the lease; `World.judge` states what must hold from outside.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from junctor_register.holdings import Versioned
from junctor_register.rounds import Ask, Rounds
from junctor_register.rules import Seat
from junctor_register.voter import MemoryVoter

VOTERS = ("a", "b", "witness")


@dataclass
class Faults:
    """What the network does now. `cut`: pairs of site and voter that do not hear each other."""

    loss: float = 0.0
    repeat: float = 0.0
    delay: float = 0.01
    cut: set[tuple[str, str]] = field(default_factory=set)


class Process:
    """One process of a site. Its clock runs at `rate` and began at `offset`."""

    def __init__(self, world: World, name: str, seat: Seat, rate: float, offset: float) -> None:
        self.world = world
        self.name = name
        self.site = seat.site
        self.seat = seat
        self.rate = rate
        self.offset = offset
        self.rounds = Rounds(seat)
        self.life = 0
        self.up = True
        self.paused_until = 0.0
        self.journal: dict[int, int] = {}
        self._round = 0
        self._open: set[str] = set()

    def local(self) -> float:
        return self.world.now * self.rate + self.offset

    def true(self, local: float) -> float:
        return (local - self.offset) / self.rate

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Runs after so many seconds of the own clock, when it is not paused, in this life only."""
        life = self.life

        def run() -> None:
            if self.life != life or not self.up:
                return
            if self.world.now < self.paused_until:
                self.world.at(self.paused_until, run)
                return
            action()

        self.world.at(self.world.now + seconds / self.rate, run)

    def start(self) -> None:
        self.life += 1
        self.up = True
        self.rounds = Rounds(self.seat)
        self.after(0.0, self.begin)

    def kill(self) -> None:
        """Its grants end with it; the site's other processes and the voters know nothing of it."""
        self.up = False
        self.life += 1

    def begin(self) -> None:
        for partition, epoch in self.journal.items():
            self.rounds.journal_shows(partition, epoch)
        self._round += 1
        number = self._round
        self._open = set(VOTERS)
        began = self.local()
        for ask in self.rounds.begin(began):
            self.send(ask, number)
        self.after(self.seat.times.round, lambda: self.end(number, began))

    def send(self, ask: Ask, number: int) -> None:
        def answered(found: Versioned, written: bool) -> None:
            def take() -> None:
                if number != self._round or ask.voter not in self._open:
                    return
                more = self.rounds.heard(ask.voter, found, written, self.local())
                if more is not None:
                    self.send(more, number)
                    return
                self._open.discard(ask.voter)
                if not self._open:
                    self.end(number, self.local())

            self.after(0.0, take)

        self.world.ask(self, ask, answered)

    def end(self, number: int, began: float) -> None:
        if number != self._round or self._open is None:
            return
        self._round += 1
        again = self.rounds.conclude(self.local())
        self.world.judge(self)
        waits = 0.0 if again else self.seat.times.renewal * self.world.chance.uniform(0.5, 1.0)
        self.after(waits, self.begin)


class World:
    """Virtual time. Everything that happens is decided by `seed`."""

    def __init__(self, seed: int, partitions: int = 1) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self.partitions = tuple(range(partitions))
        self.faults = Faults()
        self.voters: dict[str, MemoryVoter] = {name: MemoryVoter() for name in VOTERS}
        self.down: set[str] = set()
        self.processes: list[Process] = []
        self.granted: dict[tuple[int, int], str] = {}
        self.violations: list[str] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def process(self, site: str, rate: float = 1.0, offset: float = 0.0, **seat: object) -> Process:
        name = f"{site}{sum(p.site == site for p in self.processes)}"
        given = Seat(site, f"kafka-{site}", VOTERS, self.partitions, **seat)  # type: ignore[arg-type]
        made = Process(self, name, given, rate, offset)
        self.processes.append(made)
        made.start()
        return made

    def at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (max(moment, self.now), next(self._order), action))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Goes on for so long, or until it is true: then True."""
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            moment, _, action = heapq.heappop(self._agenda)
            self.now = moment
            action()
            if until():
                return True
        self.now = end
        return until()

    def ask(self, process: Process, ask: Ask, answered: Callable[[Versioned, bool], None]) -> None:
        times = 2 if self.chance.random() < self.faults.repeat else 1
        for _ in range(times):
            if self._lost(process.site, ask.voter):
                continue
            self.at(self.now + self._delay(), lambda: self._arrive(process, ask, answered))

    def _arrive(self, process: Process, ask: Ask, answered: Callable[[Versioned, bool], None]) -> None:
        if ask.voter in self.down:
            return
        voter = self.voters[ask.voter]
        if ask.value is None:
            found, written = voter.write_now(Versioned().value, "never").now, False
        else:
            answer = voter.write_now(ask.value, ask.version)
            found, written = answer.now, answer.written
        if not self._lost(process.site, ask.voter):
            self.at(self.now + self._delay(), lambda: answered(found, written))

    def _lost(self, site: str, voter: str) -> bool:
        return (site, voter) in self.faults.cut or self.chance.random() < self.faults.loss

    def _delay(self) -> float:
        return self.chance.expovariate(1 / self.faults.delay)

    def leaders(self, partition: int) -> Mapping[str, int]:
        """The sites whose grant is good now, with the epoch."""
        found = {}
        for process in self.processes:
            held = process.rounds.grant(partition, process.local()) if process.up else None
            if held is not None:
                found[process.site] = held.epoch
        return found

    def judge(self, process: Process) -> None:
        """Grants begin when a round ends, so any two that overlap are both good at the end of some round."""
        for partition in self.partitions:
            leaders = self.leaders(partition)
            if len(leaders) > 1:
                self.violations.append(f"{self.now:.3f}: partition {partition} is held by {leaders}")
            held = process.rounds.grant(partition, process.local())
            if held is not None:
                first = self.granted.setdefault((partition, held.epoch), process.site)
                if first != process.site:
                    self.violations.append(f"epoch {held.epoch} was granted to {first} and to {process.site}")
                for other in self.processes:
                    if other.site == process.site:
                        other.journal[partition] = max(held.epoch, other.journal.get(partition, 0))

    def cut(self, *pairs: str) -> None:
        """Cuts links, each given as "site-voter"; those that were cut before and are not named are whole again."""
        self.faults.cut = {(site, voter) for site, _, voter in (pair.partition("-") for pair in pairs)}

    def holders(self) -> dict[int, str]:
        """Who holds each partition now; partitions that nobody holds are left out."""
        return {p: site for p in self.partitions for site in self.leaders(p)}
