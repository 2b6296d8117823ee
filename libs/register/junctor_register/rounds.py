"""The lease as one process keeps it: rounds of reads and compare-and-swaps at the voters, and what follows from them.

Sans I/O: `begin` says what to ask, `heard` takes an answer and may ask again, `conclude` ends the round. Times are seconds
of the process's own monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from junctor_register.holdings import Holding, Register, Release, SealedAt, Versioned
from junctor_register.rules import Seat, attempt, held_epoch, refuted, replaceable, stale_epoch
from junctor_register.sightings import Sightings


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask one voter: a write of `value` in the place of `version`, or a read where `value` is None."""

    voter: str
    value: Register | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A grant: the epoch, until when it is good, and where another site had sealed what it continues."""

    epoch: int
    until: float
    took_over: SealedAt | None = None


class Rounds:
    """The state of one process. A grant is good only until its `until`; who acts on it looks at the clock each time."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.seen = Sightings(seat.partitions)
        self._floors: dict[int, int] = {}
        self._held: dict[int, Held] = {}
        self._attempts: dict[int, Holding] = {}
        self._tried: dict[int, int] = {}
        self._letting_go: dict[int, tuple[int, Release]] = {}
        self._let_go: dict[int, int] = {}
        self._began = -math.inf
        self._heard: set[str] = set()
        self._asked: dict[str, dict[int, int]] = {}
        self._confirmed: dict[str, dict[int, int]] = {}

    # -- what the process may do --

    def grant(self, partition: int, now: float) -> Held | None:
        """What this site holds now, None where it holds nothing that is good at `now`."""
        held = self._held.get(partition)
        return held if held is not None and now < held.until else None

    def refusals(self) -> list[str]:
        """Why this site does not lead what it otherwise could: a sentence for a person each."""
        site, found = self.seat.site, []
        for voter, other in self._others_of_our_name():
            found.append(
                f"Voter {voter} knows site {site} as another installation ({other}, this one is {self.seat.identity}): "
                f"this site leads nothing. Start it with its own name, or, if its Kafka cluster was replaced, forget the old one."
            )
        for partition in self.seat.partitions:
            floor = self._floors.get(partition, 0)
            stale = stale_epoch(self.seat, self.seen, partition, floor)
            if stale:
                found.append(
                    f"The register grants partition {partition} to site {site} under epoch {stale}, but a journal shows epoch "
                    f"{floor}: that grant is stale, and the site waits for a new one."
                )
        return found

    # -- what others tell it --

    def journal_shows(self, partition: int, epoch: int) -> None:
        """A journal, own or mirrored, has this site epoch: a lower one is stale, the next one acquired is higher."""
        self._floors[partition] = max(epoch, self._floors.get(partition, 0))

    def let_go(self, partition: int, epoch: int, release: Release) -> bool:
        """From now on nothing is held; the next rounds tell the voters. False, and nothing, if that epoch is not held."""
        held = self._held.get(partition)
        if held is None or held.epoch != epoch:
            return False
        del self._held[partition]
        self._attempts.pop(partition, None)
        self._let_go[partition] = epoch
        self._letting_go[partition] = (epoch, release)
        return True

    def is_let_go(self, partition: int) -> bool:
        """Whether a majority of voters no longer names what `let_go` gave up."""
        return partition not in self._letting_go

    # -- rounds --

    def begin(self, now: float) -> list[Ask]:
        """A new round: one question for each voter. Answers to earlier rounds must not be given to `heard` any more."""
        self._began = now
        self._heard = set()
        self._asked = {}
        self._confirmed = {}
        return [self._question(voter, now) for voter in self.seat.voters]

    def heard(self, voter: str, found: Versioned, written: bool, now: float) -> Ask | None:
        """A voter's answer to this round's question: `written` if it was a write that was carried out.

        Gives the next question to it: a write after a read or a conflict showed something to change; None: no more.
        """
        self.seen.saw(voter, found, now)
        self._heard.add(voter)
        if written:
            self._confirmed[voter] = self._asked.get(voter, {})
            return None
        question = self._question(voter, now)
        return question if question.value is not None else None

    def conclude(self, now: float) -> bool:
        """Ends the round with the answers that came. True if the next one is to begin at once: something is to be written."""
        self.seen.fresh = frozenset(self._heard)
        tried, self._attempts = set(self._attempts), {}
        if self._others_of_our_name():
            self._held = {}
            return False
        before = set(self._held)
        for partition in self.seat.partitions:
            self._settle(partition, now)
            self._plan(partition, now)
        # A second try waits for the next round: a voter that refuses writes must not be asked without end.
        found = {partition for partition in self._held.keys() - before if self._held[partition].until == -math.inf}
        return bool(found or self._attempts.keys() - tried)

    def _settle(self, partition: int, now: float) -> None:
        """What the site holds after this round."""
        counted: dict[int, int] = {}
        for confirmed in self._confirmed.values():
            if partition in confirmed:
                counted[confirmed[partition]] = counted.get(confirmed[partition], 0) + 1
        floor = self._floors.get(partition, 0)
        before = self._held.get(partition)
        epoch = held_epoch(self.seat, self.seen, partition, floor)
        letting_go = self._letting_go.get(partition)
        if letting_go is not None and refuted(self.seat, self.seen, partition, letting_go[0]):
            del self._letting_go[partition]
        if epoch and epoch > self._let_go.get(partition, 0):
            good = counted.get(epoch, 0) >= self._needed(partition, epoch)
            known = before.until if before is not None and before.epoch == epoch else -math.inf
            until = self._began + self.seat.times.validity if good else known
            self._held[partition] = Held(epoch, until, self._took_over(partition, epoch))
        elif before is not None and (
            now >= before.until or before.epoch < floor or refuted(self.seat, self.seen, partition, before.epoch)
        ):
            del self._held[partition]

    def _plan(self, partition: int, now: float) -> None:
        """What the next round tries."""
        held = self._held.get(partition)
        floor, tried = self._floors.get(partition, 0), self._tried.get(partition, 0)
        new = attempt(self.seat, self.seen, partition, held.epoch if held else 0, floor, tried, now)
        if new is not None and partition not in self._letting_go:
            self._attempts[partition] = new
            self._tried[partition] = new.epoch

    def _needed(self, partition: int, epoch: int) -> int:
        appointed = any(
            found is not None and found.appointed and found.names(epoch, self.seat.site)
            for found in self.seen.fresh_holdings(partition).values()
        )
        return 1 if appointed else self.seat.majority

    def _took_over(self, partition: int, epoch: int) -> SealedAt | None:
        for found in self.seen.fresh_holdings(partition).values():
            if found is not None and found.names(epoch, self.seat.site):
                return found.took_over
        return None

    def _others_of_our_name(self) -> Iterable[tuple[str, str]]:
        known = ((voter, self.seen.of(voter).value.sites.get(self.seat.site)) for voter in self.seat.voters)
        return [
            (voter, other) for voter, other in known if other not in {None, self.seat.identity} and other is not None
        ]

    # -- one voter's object --

    def _question(self, voter: str, now: float) -> Ask:
        """A write of what this round changes at the voter, from what was last seen of it; a read if that is nothing."""
        self._asked[voter] = {}
        if not self.seen.knows(voter) or self._others_of_our_name():
            return Ask(voter)
        found = self.seen.of(voter)
        changed = {
            partition: new
            for partition in self.seat.partitions
            if (new := self._changed(voter, partition, now)) is not None
        }
        self._asked[voter] = {
            partition: new.epoch for partition, new in changed.items() if new.names(new.epoch, self.seat.site)
        }
        named = found.value.sites.get(self.seat.site) == self.seat.identity
        if not changed and named:
            return Ask(voter)
        return Ask(
            voter, found.value.with_partitions(changed).with_site(self.seat.site, self.seat.identity), found.version
        )

    def _changed(self, voter: str, partition: int, now: float) -> Holding | None:
        site, found = self.seat.site, self.seen.at(voter, partition)
        if partition in self._letting_go:
            epoch, release = self._letting_go[partition]
            return replace(found, release=release) if found is not None and found.names(epoch, site) else None
        new = self._attempts.get(partition)
        if new is not None:
            if found is not None and found.names(new.epoch, site):
                return replace(found, renewed=found.renewed + 1)
            floor = self._floors.get(partition, 0)
            free = new.appointed or replaceable(self.seat, self.seen, voter, partition, floor, now)
            if free and (found is None or found.epoch < new.epoch):
                return new
        held = self._held.get(partition)
        if held is None:
            return None
        if found is not None and found.names(held.epoch, site):
            return replace(
                found, renewed=found.renewed + 1, appointed=found.appointed and not self._settled(partition, held)
            )
        if found is not None and (found.epoch > held.epoch or (found.epoch == held.epoch and found.holder == site)):
            return None
        return Holding(held.epoch, site, took_over=held.took_over, appointed=self._needed(partition, held.epoch) == 1)

    def _settled(self, partition: int, held: Held) -> bool:
        """Whether an appointment may end because a majority names the site anyway."""
        known = self.seen.fresh_holdings(partition).values()
        named = sum(found is not None and found.names(held.epoch, self.seat.site) for found in known)
        return self.seat.automatic and named >= self.seat.majority
