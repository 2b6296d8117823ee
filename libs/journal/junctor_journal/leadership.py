"""Who may decide for a partition: the port to the register of two sites, and the answer where there is one site.

Rule S1 (docs/adr/0010): an owner claims only under a site epoch that was granted to its own site. Times are seconds on
the event loop's clock (`loop.time()`, monotonic); no wall clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Handover:
    """The place at which `from_site` sealed its journal when it passed the lead on: last entry and its chain hash."""

    from_site: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """`site_epoch` (1 or more) is granted to this site and never to another. `handover` is set where the lead was passed
    on by its holder, None where it was lost, or first taken."""

    site_epoch: int
    handover: Handover | None = None


class Leadership(Protocol):
    """What the register says to one site. Called in the event loop; but for the last two, at once and from memory."""

    def granted(self, partition: int) -> Grant | None:
        """What this site holds now; None where it is to follow. Never a grant whose `confirmed_until` has passed."""
        ...

    def confirmed_until(self, partition: int) -> float:
        """Until when the grant is good, moved forward by each confirmed round: from then on the owner takes no input and
        appends nothing. Minus infinity without a grant."""
        ...

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Calls the listener with each partition whose `granted` changed, an end of validity included. The returned
        function ends that."""
        ...

    def seen(self, partition: int, site_epoch: int) -> None:
        """A journal, own or mirrored, shows this site epoch: the next that is acquired must be higher."""
        ...

    async def give_up(self, partition: int, site_epoch: int) -> None:
        """The grant is not used (a higher site epoch is at work, or what was handed over did not come): whoever acquires
        next need not wait for the time to live. Does nothing where that epoch is not held. Never raises."""
        ...

    async def hand_over(self, partition: int, site_epoch: int, to_site: str, seq: int, hash: bytes) -> None:
        """Passes the lead on, after the journal was sealed there. From the call on this site holds nothing.

        Raises `LogUnavailable` where no majority was reached: then it is unknown whether the lead was passed on.
        """
        ...


class AlwaysLeader:
    """One site: it leads all partitions, for ever, under one site epoch."""

    def __init__(self, site_epoch: int = 1) -> None:
        self._grant = Grant(site_epoch)

    def granted(self, partition: int) -> Grant | None:
        return self._grant

    def confirmed_until(self, partition: int) -> float:
        return math.inf

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        return lambda: None

    def seen(self, partition: int, site_epoch: int) -> None:
        """Nothing: there is no other site."""

    async def give_up(self, partition: int, site_epoch: int) -> None:
        """Nothing: there is nobody to give it to."""

    async def hand_over(self, partition: int, site_epoch: int, to_site: str, seq: int, hash: bytes) -> None:
        raise ValueError(f"there is no site {to_site}: a single site passes nothing on")
