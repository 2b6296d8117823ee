"""When a holding may be replaced, and what follows from the voters' answers. Pure; docs/adr/0011 has the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from junctor_register.holdings import Holding, SealedAt
from junctor_register.sightings import Sightings
from junctor_register.times import Times


@dataclass(frozen=True, slots=True)
class Seat:
    """One process's place in the register.

    `site` is its site's name and `identity` what tells this installation from another of the same name. `voters` are all
    voters' names, in the same order everywhere. `preferred` partitions are this site's where nobody holds them. With
    `automatic` false (no witness) only a person moves a partition; the preferred ones are this site's from the first start.
    """

    site: str
    identity: str
    voters: tuple[str, ...]
    partitions: tuple[int, ...]
    preferred: frozenset[int] = frozenset()
    automatic: bool = True
    times: Times = field(default_factory=Times)

    @property
    def majority(self) -> int:
        """How many voters are more than half."""
        return len(self.voters) // 2 + 1


def replaceable(seat: Seat, seen: Sightings, voter: str, partition: int, floor: int, now: float) -> bool:
    """Whether this process may put a higher epoch of its site in the place of what a voter holds.

    At once: its own site's holding that is not stale (below `floor`, the highest epoch that a journal shows), and one that
    its holder let go for this site. Else only what was seen unchanged for the time to live. A voter that knows nothing of the
    partition (new, or it lost its disk) only where all voters answered: it may have forgotten a vote that counted.
    """
    holding = seen.at(voter, partition)
    if holding is None:
        return seen.fresh >= set(seat.voters) and seen.still_for(voter, partition, now) >= _wait(seat, seen, partition)
    if holding.release is not None:
        if holding.release.to_site == seat.site or (not holding.release.to_site and holding.holder != seat.site):
            return True
    elif holding.holder == seat.site and holding.epoch >= floor:
        return True
    return seen.still_for(voter, partition, now) >= _wait(seat, seen, partition)


def held_epoch(seat: Seat, seen: Sightings, partition: int, floor: int) -> int:
    """The epoch under which this site holds the partition, as a majority of the answers says; 0 for none.

    An appointment by a person needs one voter, stands above a majority of a lower epoch, and gives way to any higher one. An
    epoch below `floor` is stale: nobody leads under it.
    """
    holdings = _present(seen, partition)
    top = max((holding.epoch for holding in holdings.values()), default=0)
    for holding in holdings.values():
        if holding.holder != seat.site or holding.release is not None or holding.epoch < floor:
            continue
        named = sum(other.names(holding.epoch, seat.site) for other in holdings.values())
        if named >= seat.majority and not any(
            other.appointed and other.holder != seat.site and other.epoch > holding.epoch for other in holdings.values()
        ):
            return holding.epoch
        if holding.appointed and holding.epoch == top:
            return holding.epoch
    return 0


def stale_epoch(seat: Seat, seen: Sightings, partition: int, floor: int) -> int:
    """The epoch that a majority of the answers grants to this site although a journal shows a higher one; 0 for none."""
    epoch = held_epoch(seat, seen, partition, 0)
    return epoch if 0 < epoch < floor else 0


def refuted(seat: Seat, seen: Sightings, partition: int, epoch: int) -> bool:
    """Whether so many voters say otherwise that no majority can say that this site holds the partition under `epoch`."""
    against = sum(
        holding is None or not holding.names(epoch, seat.site) for holding in seen.fresh_holdings(partition).values()
    )
    appointed = any(h.appointed and h.names(epoch, seat.site) for h in _present(seen, partition).values())
    higher = any(holding.epoch > epoch for holding in _present(seen, partition).values())
    return higher if appointed else len(seat.voters) - against < seat.majority


def attempt(
    seat: Seat, seen: Sightings, partition: int, held: int, floor: int, tried: int, now: float
) -> Holding | None:
    """The holding to try to put at the voters now; None where this site holds the partition well, or may not have it.

    The epoch is one more than the highest of the voters, the journals (`floor`) and what this process `tried` before. A
    site that holds the partition tries a higher one where a minority has had another for the time to live: so views that
    differ are healed.
    """
    holdings = seen.fresh_holdings(partition)
    known = _present(seen, partition)
    epoch = 1 + max(seen.highest(partition), floor, tried)
    if not seat.automatic:
        first = partition in seat.preferred and seat.site in holdings and not known and not floor
        return Holding(epoch, seat.site, appointed=True) if first else None
    for voter, holding in known.items():
        renewed = seen.still_for(voter, partition, now) < seat.times.ttl
        if holding.appointed and holding.holder != seat.site and holding.epoch > held and renewed:
            return None
    free = [voter for voter in holdings if replaceable(seat, seen, voter, partition, floor, now)]
    if len(free) < seat.majority:
        return None
    if not held:
        return Holding(epoch, seat.site, took_over=_sealed_for(seat, known))
    for voter, holding in known.items():
        still = seen.still_for(voter, partition, now) >= seat.times.ttl
        if holding.epoch > held and voter in free and still:
            mine = next((h for h in known.values() if h.names(held, seat.site)), None)
            took_over = mine.took_over if mine is not None and floor < held else None
            return Holding(epoch, seat.site, took_over=took_over)
    return None


def _wait(seat: Seat, seen: Sightings, partition: int) -> float:
    """The time to live; longer for the second in turn where no other site holds the partition by a majority."""
    known = _present(seen, partition)
    if not known:
        return seat.times.ttl + (0.0 if partition in seat.preferred else seat.times.first)
    for holding in known.values():
        named = sum(other.names(holding.epoch, holding.holder) for other in known.values())
        if holding.holder != seat.site and named >= seat.majority:
            return seat.times.ttl
    return seat.times.ttl + (0.0 if partition in seat.preferred else seat.times.contest)


def _present(seen: Sightings, partition: int) -> Mapping[str, Holding]:
    return {voter: found for voter, found in seen.fresh_holdings(partition).items() if found is not None}


def _sealed_for(seat: Seat, holdings: Mapping[str, Holding]) -> SealedAt | None:
    """Where the journal was sealed for this site, if the highest holding was passed on to it."""
    top = max(holdings.values(), key=lambda holding: holding.epoch, default=None)
    release = top.release if top is not None else None
    return release.sealed_at if release is not None and release.to_site == seat.site else None
