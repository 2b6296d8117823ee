"""The one way to read a journal: which records count. The verdict on a record depends only on the records before it.

R1 A claim of a higher epoch opens a reign; any other claim (twin, repeat, late) is void.
R2 An entry counts only in the current reign, by epoch and owner id, and while the journal is not cut.
R3 Its sequence is the next one and its `previous_hash` the chain's; a lower sequence is a repeat. A gap or a wrong
   hash cuts the journal: everything is void until the next claim, for the owner as well.
R4 Nothing else decides: no time, no acknowledgement, no offset.
R5 Entries of an ended site epoch beyond its cut are void. One pass can only know a cut before it has read those
   entries where they come later (a mirror) or where it was told (`cuts`). A reader that took entries which an
   `EpochStarted` then voids answers REWIND: its user rebuilds from a snapshot at or before the cut, with `cuts`.
   Joining the journals of two sites (entries up to the cut in one topic, the rest in the other) is the caller's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum, auto

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.record import EpochPair, chain_hash, decode, pair

log = logging.getLogger(__name__)


class Verdict(Enum):
    CLAIMED = auto()
    """A new reign began."""
    VALID = auto()
    """The next entry: it counts."""
    VOID = auto()
    """It does not count."""
    CUT = auto()
    """A gap or a broken chain: void, and so is all that follows until the next claim. To be alarmed."""
    EPOCH = auto()
    """A site epoch began where the journal stands."""
    REWIND = auto()
    """A site epoch began before entries that this reader took as valid: rebuild with `cuts`. To be alarmed."""
    SEALED = auto()
    """The owner ended its reign by its own will."""


@dataclass(slots=True)
class ReaderPlace:
    """Where a reader stands: all that its verdicts depend on."""

    epoch: EpochPair = EpochPair()  # noqa: RUF009
    owner_id: int = 0
    seq: int = 0
    hash: bytes = b""
    cut: bool = True
    address: str = ""
    cuts: dict[int, int] = field(default_factory=dict)


class JournalReader:
    def __init__(self, place: ReaderPlace | None = None) -> None:
        self.place = place or ReaderPlace()
        self.void = 0
        self.repeats = 0
        self.gaps = 0
        self.claims = 0
        self.record: pb.JournalRecord = pb.JournalRecord()

    def see(self, value: bytes | None) -> Verdict:
        """The verdict on the next record. `record` then holds it, parsed."""
        record = decode(value)
        if record is None or value is None:
            self.record = pb.JournalRecord()
            self.void += 1
            return Verdict.VOID
        self.record = record
        match record.WhichOneof("kind"):
            case "entry":
                return self._entry(record.entry, value)
            case "owner_started":
                return self._claim(record.owner_started)
            case "epoch_started":
                return self._epoch(record.epoch_started)
            case "sealed":
                return self._seal(record.sealed)
            case _:
                self.void += 1
                return Verdict.VOID

    def reigns(self, epoch: EpochPair, owner_id: int) -> bool:
        """Whether this owner's records count at the present place."""
        place = self.place
        return place.owner_id == owner_id and place.epoch == epoch and not place.cut

    def _claim(self, claim: pb.OwnerStarted) -> Verdict:
        place, epoch = self.place, pair(claim.epoch)
        if epoch <= place.epoch:
            self.void += 1
            return Verdict.VOID
        place.epoch, place.owner_id, place.address, place.cut = epoch, claim.owner_id, claim.address, False
        self.claims += 1
        return Verdict.CLAIMED

    def _entry(self, entry: pb.Entry, value: bytes) -> Verdict:
        place = self.place
        epoch = entry.epoch
        if entry.owner_id != place.owner_id or place.cut or pair(epoch) != place.epoch:
            self.void += 1
            return Verdict.VOID
        if entry.seq <= place.seq:
            self.repeats += 1
            return Verdict.VOID
        if entry.seq > place.cuts.get(epoch.site_epoch, entry.seq):
            self.void += 1
            return Verdict.VOID
        if entry.seq != place.seq + 1 or entry.previous_hash != place.hash:
            return self._cut("a journal has a gap or a broken chain", entry.seq)
        place.seq = entry.seq
        place.hash = chain_hash(place.hash, value)
        return Verdict.VALID

    def _epoch(self, started: pb.EpochStarted) -> Verdict:
        place = self.place
        if not self.reigns(pair(started.epoch), started.owner_id):
            self.void += 1
            return Verdict.VOID
        if place.cuts.get(started.previous_site_epoch) == started.cut_seq and place.seq > started.cut_seq:
            self.repeats += 1
            return Verdict.VOID
        if place.seq > started.cut_seq:
            place.cuts[started.previous_site_epoch] = started.cut_seq
            place.cut = True
            log.error(
                "decisions beyond the cut of an ended site epoch were applied",
                extra={"seq": place.seq, "cut_seq": started.cut_seq},
            )
            return Verdict.REWIND
        if place.seq < started.cut_seq or place.hash != started.cut_hash:
            return self._cut("a journal lacks entries up to the cut of an ended site epoch", started.cut_seq)
        place.cuts[started.previous_site_epoch] = started.cut_seq
        return Verdict.EPOCH

    def _seal(self, sealed: pb.Sealed) -> Verdict:
        place = self.place
        if not self.reigns(pair(sealed.epoch), sealed.owner_id):
            self.void += 1
            return Verdict.VOID
        if sealed.seq != place.seq or sealed.hash != place.hash:
            return self._cut("a journal was sealed at another place", sealed.seq)
        place.cut = True
        return Verdict.SEALED

    def _cut(self, message: str, seq: int) -> Verdict:
        place = self.place
        place.cut = True
        self.gaps += 1
        log.error(message, extra={"seq": seq, "last_seq": place.seq, "epoch": list(place.epoch)})
        return Verdict.CUT
