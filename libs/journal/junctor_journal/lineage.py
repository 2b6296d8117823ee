"""Which site epochs count (S2): the newest that began, the one that it names up to the cut, that one's own, and so on.

All other site epochs are void as a whole, and so are a counting one's entries beyond the cut. Void is relative to the
newest `EpochStarted` known: a later one may take back in what an earlier one left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from junctor.journal.v1 import journal_pb2 as pb

log = logging.getLogger(__name__)


class Begun(NamedTuple):
    """A site epoch that began, and the topic of the journal in which its entries lie."""

    started: pb.EpochStarted
    topic: str

    @property
    def site_epoch(self) -> int:
        return self.started.epoch.site_epoch


class Lineage:
    """`newest` is 0 before any site epoch began. `complete` is false while the chain names one that is not known yet:
    then nobody can say what counts."""

    def __init__(self, begun: Iterable[Begun] = ()) -> None:
        self.newest = 0
        self.complete = True
        self._begun: dict[int, Begun] = {}
        self._next: dict[int, Begun] = {}
        for one in begun:
            self._take(one)
        self._link()

    def add(self, begun: Begun) -> bool:
        """False where it was known."""
        if not self._take(begun):
            return False
        self._link()
        return True

    def known(self) -> tuple[Begun, ...]:
        return tuple(self._begun[epoch] for epoch in sorted(self._begun))

    def begun(self, site_epoch: int) -> Begun | None:
        return self._begun.get(site_epoch)

    def after(self, site_epoch: int) -> Begun | None:
        """The one that continues it on the chain; None for the newest, and for those not on the chain. 0: the first."""
        return self._next.get(site_epoch)

    def chain(self) -> tuple[Begun, ...]:
        """The site epochs that count, the oldest first; as far back as they are known."""
        found = [self._next[epoch] for epoch in self._next]
        return tuple(sorted(found, key=lambda begun: begun.site_epoch))

    def counts(self, site_epoch: int, seq: int) -> bool:
        """Whether an entry of that site epoch and sequence is on the chain."""
        after = self._next.get(site_epoch)
        if after is None:
            return site_epoch == self.newest
        return seq <= after.started.cut_seq

    def _take(self, begun: Begun) -> bool:
        known = self._begun.get(begun.site_epoch)
        if known is None:
            self._begun[begun.site_epoch] = begun
            return True
        if known.topic != begun.topic:
            log.critical(
                "one site epoch began in two journals",
                extra={"site_epoch": begun.site_epoch, "topics": [known.topic, begun.topic]},
            )
        return False

    def _link(self) -> None:
        self._next = {}
        self.newest = max(self._begun, default=0)
        self.complete = True
        at = self._begun.get(self.newest)
        while at is not None:
            previous = at.started.previous_site_epoch
            self._next[previous] = at
            if previous == 0:
                return
            at = self._begun.get(previous)
            self.complete = at is not None
