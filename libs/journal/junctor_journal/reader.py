"""The one way to read a journal: which of its records count. The verdict on a record depends only on those before it.

R1 A claim of a higher epoch opens a reign; any other claim (twin, repeat, late) is void.
R2 An entry counts only in the current reign, by epoch and owner id, while the journal is not cut, and (S3) only after the
   `EpochStarted` of its site epoch. That record is the first one after a claim that begins a site epoch; it says behind
   which entry, of whichever journal, the entries go on. A second one of a site epoch is void.
R3 Its sequence is the next one and its `previous_hash` the chain's; a lower sequence is a repeat. A gap or a wrong
   hash cuts the journal: everything is void until the next claim, for the owner as well.
R4 Nothing else decides: no time, no acknowledgement, no offset.

One journal alone does not tell which site epochs count: `chain_reader` joins the journals of two sites (S2).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
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
    """A site epoch began."""
    REWIND = auto()
    """Of a chain of journals: a site epoch began before entries that were taken as valid. Read again from before them."""
    SEALED = auto()
    """The owner ended its reign by its own will."""


class Why(Enum):
    """Why a record is void."""

    UNREADABLE = "no record of a journal"
    LOWER_CLAIM = "a claim that is not above the one that reigns"
    NO_REIGN = "written by an owner that did not reign any more"
    AFTER_CUT = "written behind a gap or a seal"
    NOT_BEGUN = "written before its site epoch began"
    SECOND_BEGIN = "its site epoch had begun"
    REPEAT = "a repeat"


@dataclass(slots=True)
class ReaderPlace:
    """Where a reader stands: all that its verdicts depend on. `begun`: the last site epoch that began in this journal."""

    epoch: EpochPair = EpochPair()  # noqa: RUF009
    owner_id: int = 0
    seq: int = 0
    hash: bytes = b""
    cut: bool = True
    address: str = ""
    site: str = ""
    begun: int = 0


class JournalReader:
    def __init__(self, place: ReaderPlace | None = None) -> None:
        self.place = place or ReaderPlace()
        self.void = 0
        self.repeats = 0
        self.gaps = 0
        self.claims = 0
        self.record: pb.JournalRecord = pb.JournalRecord()
        self.why = Why.UNREADABLE

    def see(self, value: bytes | None, known: pb.JournalRecord | None = None) -> Verdict:
        """The verdict on the next record. `record` then holds it, parsed; `why` says what a void one lacks. `known`: what
        these very bytes are, where the caller knows."""
        record = decode(value) if known is None else known
        if record is None or value is None:
            self.record = pb.JournalRecord()
            return self._void(Why.UNREADABLE)
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
                return self._void(Why.UNREADABLE)

    def _claim(self, claim: pb.OwnerStarted) -> Verdict:
        place, epoch = self.place, pair(claim.epoch)
        if epoch <= place.epoch:
            return self._void(Why.LOWER_CLAIM)
        place.epoch, place.owner_id, place.cut = epoch, claim.owner_id, False
        place.address, place.site = claim.address, claim.site
        self.claims += 1
        return Verdict.CLAIMED

    def _entry(self, entry: pb.Entry, value: bytes) -> Verdict:
        place = self.place
        if entry.owner_id != place.owner_id or place.cut or pair(entry.epoch) != place.epoch:
            return self._outside(entry.owner_id, pair(entry.epoch))
        if place.begun != place.epoch.site:
            return self._void(Why.NOT_BEGUN)
        if entry.seq <= place.seq:
            self.repeats += 1
            self.why = Why.REPEAT
            return Verdict.VOID
        if entry.seq != place.seq + 1 or entry.previous_hash != place.hash:
            return self._cut("a journal has a gap or a broken chain", entry.seq)
        place.seq = entry.seq
        place.hash = chain_hash(place.hash, value)
        return Verdict.VALID

    def _epoch(self, started: pb.EpochStarted) -> Verdict:
        place, epoch = self.place, pair(started.epoch)
        if started.owner_id != place.owner_id or place.cut or epoch != place.epoch:
            return self._outside(started.owner_id, epoch)
        if place.begun >= epoch.site or started.previous_site_epoch >= epoch.site:
            return self._void(Why.SECOND_BEGIN)
        place.begun, place.seq, place.hash = epoch.site, started.cut_seq, started.cut_hash
        return Verdict.EPOCH

    def _seal(self, sealed: pb.Sealed) -> Verdict:
        place = self.place
        if sealed.owner_id != place.owner_id or place.cut or pair(sealed.epoch) != place.epoch:
            return self._outside(sealed.owner_id, pair(sealed.epoch))
        if sealed.seq != place.seq or sealed.hash != place.hash:
            return self._cut("a journal was sealed at another place", sealed.seq)
        place.cut = True
        return Verdict.SEALED

    def _outside(self, owner_id: int, epoch: EpochPair) -> Verdict:
        place = self.place
        return self._void(Why.AFTER_CUT if owner_id == place.owner_id and epoch == place.epoch else Why.NO_REIGN)

    def _void(self, why: Why) -> Verdict:
        self.void += 1
        self.why = why
        return Verdict.VOID

    def _cut(self, message: str, seq: int) -> Verdict:
        place = self.place
        place.cut = True
        self.gaps += 1
        self.why = Why.AFTER_CUT
        log.error(message, extra={"seq": seq, "last_seq": place.seq, "epoch": list(place.epoch)})
        return Verdict.CUT
