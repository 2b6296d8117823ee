"""What one process saw of the voters, and since when each holding has stood still. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from junctor_register.holdings import Holding, Versioned


class Sightings:
    """The last object seen of each voter, and for each holding the moment at which it was first seen as it is.

    The moment is taken when an answer came in, so the holding is at least that old: the wait for the time to live can only
    be too long.
    """

    def __init__(self, partitions: Iterable[int]) -> None:
        self._partitions = tuple(partitions)
        self._seen: dict[str, Versioned] = {}
        self._since: dict[tuple[str, int], float] = {}
        self.fresh: frozenset[str] = frozenset()
        """The voters that answered in the last round."""

    def saw(self, voter: str, found: Versioned, now: float) -> None:
        """A voter's answer came in at `now`."""
        before = self._seen.get(voter)
        for partition in self._partitions:
            holding = found.value.partitions.get(partition)
            if before is None or before.value.partitions.get(partition) != holding:
                self._since[voter, partition] = now
        self._seen[voter] = found

    def of(self, voter: str) -> Versioned:
        """The last that was seen of a voter; an empty one before the first answer."""
        return self._seen.get(voter, Versioned())

    def knows(self, voter: str) -> bool:
        """Whether it ever answered."""
        return voter in self._seen

    def at(self, voter: str, partition: int) -> Holding | None:
        """A partition's holding at a voter, as last seen."""
        return self.of(voter).value.partitions.get(partition)

    def still_for(self, voter: str, partition: int, now: float) -> float:
        """For how long the holding has been seen unchanged; 0 before the first answer."""
        return now - self._since.get((voter, partition), now)

    def fresh_holdings(self, partition: int) -> Mapping[str, Holding | None]:
        """A partition's holdings at the voters that answered in the last round."""
        return {voter: self.at(voter, partition) for voter in sorted(self.fresh)}

    def highest(self, partition: int) -> int:
        """The highest epoch that any voter was ever seen to hold."""
        found = (self.at(voter, partition) for voter in self._seen)
        return max((holding.epoch for holding in found if holding is not None), default=0)
