"""Reads the journals of one partition together, one topic for each site: the entries that count (S2), in their order.

With one journal each record is judged as it comes. With two, an entry may lie in a journal that is read ahead of the
other: it waits in a queue until all before it came. A full queue is let go: its journal is then looked through for site
epochs only, and read again from there when the queue is used up (`seeks`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.lineage import Begun, Lineage
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict

log = logging.getLogger(__name__)

QUEUED = 5_000
"""Entries of one journal that may wait for the other."""


class Reading(NamedTuple):
    """A verdict, and the record that it is about. VALID and EPOCH come in the chain's order, claims, cuts and seals as
    they lie in their topic, VOID for claims only. REWIND: use this reader no more, `rebuilt` says how to go on.

    `hash` is the chain's after the record. `value` is empty but for entries."""

    verdict: Verdict
    topic: str
    record: pb.JournalRecord
    value: bytes = b""
    offset: int = -1
    hash: bytes = b""


@dataclass(frozen=True, slots=True)
class JournalPlace:
    next_offset: int
    place: ReaderPlace


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """Where a chain is read to, and from where each journal goes on."""

    site_epoch: int = 0
    seq: int = 0
    hash: bytes = b""
    journals: Mapping[str, JournalPlace] = field(default_factory=dict)
    begun: tuple[Begun, ...] = ()


class _Journal:
    __slots__ = ("left_out", "let_go", "next_offset", "queue", "reader", "safe", "topic")

    def __init__(self, topic: str, at: JournalPlace) -> None:
        self.topic = topic
        self.reader = JournalReader(replace(at.place))
        self.next_offset = at.next_offset
        self.queue: deque[Reading] = deque()
        self.safe: JournalPlace | None = None
        """Where the queue's first entry is read again."""
        self.let_go: JournalPlace | None = None
        """Where the first entry that was let go is read again."""
        self.left_out: dict[int, tuple[int, JournalPlace]] = {}
        """By site epoch, the first entry that was dropped as void, and where it is read again."""

    def leave_out(self, entry: pb.Entry, at: JournalPlace) -> None:
        self.left_out.setdefault(entry.epoch.site_epoch, (entry.seq, at))

    def place(self, site_epoch: int) -> JournalPlace:
        """For a chain in that site epoch: what was left out of it, or of a later one, may yet be taken in again."""
        found = [at for epoch, (_, at) in self.left_out.items() if epoch >= site_epoch]
        if self.queue and self.safe is not None:
            found.append(self.safe)
        else:
            found.append(self.let_go or JournalPlace(self.next_offset, replace(self.reader.place)))
        return min(found, key=lambda at: at.next_offset)


class ChainReader:
    """`begin`: the first offset of each journal, where `at` names none. `held` until `release`: site epochs and entries
    wait. Holding until the ends are read spares a cold start from taking what a later site epoch left out."""

    def __init__(
        self,
        journals: Sequence[str],
        at: ChainPlace | None = None,
        begin: Mapping[str, int] | None = None,
        held: bool = False,
    ) -> None:
        at = at or ChainPlace()
        self.site_epoch = at.site_epoch
        self.seq = at.seq
        self.hash = at.hash
        self.lineage = Lineage(at.begun)
        self.void = 0
        self._held = held
        self._held_for = 0
        self._rewound = False
        self._broken_at = 0
        self._seeks: dict[str, int] = {}
        starts = begin or {}
        self._journals = {
            topic: _Journal(topic, at.journals.get(topic) or JournalPlace(starts.get(topic, 0), ReaderPlace()))
            for topic in journals
        }
        self._direct = False
        self._open()

    def see(
        self, topic: str, value: bytes | None, offset: int, known: pb.JournalRecord | None = None
    ) -> Sequence[Reading]:
        """What the next record of that journal leads to. Ignored while the topic is among the `seeks` not taken yet.
        `known`: the record, where the caller has it parsed."""
        if self._seeks and topic in self._seeks:
            return ()
        journal = self._journals[topic]
        reader = journal.reader
        verdict = reader.see(value, known)
        journal.next_offset = offset + 1
        if verdict is Verdict.VALID:
            place = reader.place
            reading = Reading(verdict, topic, reader.record, value or b"", offset, place.hash)
            if self._direct and place.begun == self.site_epoch and place.seq == self.seq + 1:
                self.seq, self.hash = place.seq, place.hash
                return (reading,)
            return self._later(journal, reading)
        if verdict is Verdict.EPOCH:
            return self._begun(Begun(reader.record.epoch_started, topic))
        if verdict is Verdict.VOID and not reader.record.HasField("owner_started"):
            return ()
        return (Reading(verdict, topic, reader.record, b"", offset),)

    def hold(self, site_epoch: int) -> None:
        """Nothing counts until that site epoch, or a higher one, began, or until `release`."""
        self._held_for = site_epoch
        self._held = True
        self._open()

    def release(self) -> Sequence[Reading]:
        """Ends a hold."""
        self._held, self._held_for = False, 0
        return self._settled()

    def place_in(self, topic: str) -> ReaderPlace:
        """Where that journal stands, whatever of it counts."""
        return self._journals[topic].reader.place

    def next_offset(self, topic: str) -> int:
        return self._journals[topic].next_offset

    def readers(self) -> Mapping[str, JournalReader]:
        return {topic: journal.reader for topic, journal in self._journals.items()}

    @property
    def highest(self) -> int:
        """The highest site epoch that any journal shows, by a claim or a beginning."""
        return max(self.lineage.newest, *(journal.reader.place.epoch.site for journal in self._journals.values()))

    @property
    def waiting(self) -> int:
        """Entries that wait for others."""
        return sum(len(journal.queue) for journal in self._journals.values())

    def place(self) -> ChainPlace:
        """To go on from later. Readings already given are not given again."""
        journals = {topic: journal.place(self.site_epoch) for topic, journal in self._journals.items()}
        return ChainPlace(self.site_epoch, self.seq, self.hash, journals, self.lineage.known())

    def rebuilt(self, base: ChainPlace | None, begin: Mapping[str, int]) -> ChainReader:
        """A reader for after REWIND, from a place that `counts`, or from the journals' beginnings, knowing what this one
        knows of site epochs."""
        base = replace(base or ChainPlace(), begun=self.lineage.known())
        return ChainReader(list(self._journals), base, begin)

    def seeks(self) -> Mapping[str, int]:
        """The topics that must be read from another offset from now on. To be asked after each batch of records."""
        found, self._seeks = self._seeks, {}
        return found

    def _begun(self, begun: Begun) -> Sequence[Reading]:
        if not self.lineage.add(begun):
            return ()
        if self._held_for and begun.site_epoch >= self._held_for:
            self._held, self._held_for = False, 0
        return self._settled()

    def _settled(self) -> Sequence[Reading]:
        if self._held or self._rewound or not self.lineage.complete:
            self._direct = False
            return ()
        if self._taken_in_again():
            self._rewound, self._direct = True, False
            return (Reading(Verdict.REWIND, "", pb.JournalRecord()),)
        if self.site_epoch and not self.lineage.counts(self.site_epoch, self.seq):
            self._rewound, self._direct = True, False
            log.error(
                "decisions that do not count any more were applied",
                extra={"site_epoch": self.site_epoch, "seq": self.seq, "newest": self.lineage.newest},
            )
            return (Reading(Verdict.REWIND, "", pb.JournalRecord()),)
        return self._forward()

    def _taken_in_again(self) -> bool:
        """Whether the newest site epoch counts what was left out before it was known."""
        return any(
            epoch >= self.site_epoch and self.lineage.counts(epoch, seq)
            for journal in self._journals.values()
            for epoch, (seq, _) in journal.left_out.items()
        )

    def _later(self, journal: _Journal, reading: Reading) -> Sequence[Reading]:
        """An entry that is not simply the next: passed, void, or ahead of the others."""
        if self._rewound or journal.let_go is not None:
            return ()
        entry = reading.record.entry
        before = replace(journal.reader.place, seq=entry.seq - 1, hash=entry.previous_hash)
        at = JournalPlace(reading.offset, before)
        if not self._pending(entry):
            if self._is_void(entry):
                journal.leave_out(entry, at)
            return ()
        if not journal.queue:
            journal.safe = at
        journal.queue.append(reading)
        if len(journal.queue) >= QUEUED:
            journal.let_go = JournalPlace(journal.next_offset, replace(journal.reader.place))
        if self._held or not self.lineage.complete:
            return ()
        return self._forward()

    def _pending(self, entry: pb.Entry) -> bool:
        """Whether it may still come to count. False for what is passed; void ones are counted. While held nothing is void:
        a site epoch that is yet to be read may take in again what an earlier one left out."""
        epoch, seq = entry.epoch.site_epoch, entry.seq
        if self._is_void(entry):
            self.void += 1
            return False
        return epoch > self.site_epoch or (epoch == self.site_epoch and seq > self.seq)

    def _is_void(self, entry: pb.Entry) -> bool:
        complete = self.lineage.complete and not self._held
        return complete and not self.lineage.counts(entry.epoch.site_epoch, entry.seq)

    def _drop_first(self, journal: _Journal) -> None:
        entry = journal.queue.popleft().record.entry
        if journal.safe is not None and self._is_void(entry):
            journal.leave_out(entry, journal.safe)

    def _forward(self) -> Sequence[Reading]:
        found: list[Reading] = []
        while True:
            after = self.lineage.after(self.site_epoch)
            if after is not None and self.seq == after.started.cut_seq:
                if self.hash != after.started.cut_hash:
                    found += self._broken(after)
                    break
                self.site_epoch = after.site_epoch
                found.append(Reading(Verdict.EPOCH, after.topic, pb.JournalRecord(epoch_started=after.started)))
                continue
            reading = self._next_entry()
            if reading is None:
                break
            self.seq, self.hash = reading.record.entry.seq, reading.hash
            found.append(reading)
        self._prune()
        self._open()
        return found

    def _broken(self, after: Begun) -> Sequence[Reading]:
        """Said once; nothing counts until a later site epoch goes on from elsewhere."""
        if self._broken_at == after.site_epoch:
            return ()
        self._broken_at = after.site_epoch
        log.critical("a site epoch goes on from an entry that is another here", extra={"site_epoch": after.site_epoch})
        return (Reading(Verdict.CUT, after.topic, pb.JournalRecord(epoch_started=after.started)),)

    def _next_entry(self) -> Reading | None:
        begun = self.lineage.begun(self.site_epoch)
        if begun is None:
            return None
        journal = self._journals[begun.topic]
        while journal.queue:
            entry = journal.queue[0].record.entry
            if self._pending(entry):
                is_next = entry.epoch.site_epoch == self.site_epoch and entry.seq == self.seq + 1
                return journal.queue.popleft() if is_next else None
            self._drop_first(journal)
        return None

    def _prune(self) -> None:
        """Drops what is passed; an empty queue that was let go is filled again."""
        for journal in self._journals.values():
            while journal.queue and not self._pending(journal.queue[0].record.entry):
                self._drop_first(journal)
            if not journal.queue and journal.let_go is not None:
                journal.reader = JournalReader(replace(journal.let_go.place))
                journal.next_offset = self._seeks[journal.topic] = journal.let_go.next_offset
                journal.let_go = None

    def _open(self) -> None:
        """`_direct`: an entry that is the next of the newest site epoch counts as it comes."""
        self._direct = (
            not (self._held or self._rewound) and self.lineage.complete and self.site_epoch == self.lineage.newest
        )
