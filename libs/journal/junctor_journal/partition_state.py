"""One partition's state: the fold, the inputs seen, the places read to. Made by owners, made again by followers."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.apply import Fold, refusal
from junctor_journal.errors import JournalError
from junctor_journal.input_window import InputWindow, Seen
from junctor_journal.message_types import unpack
from junctor_journal.record import EpochPair, chain_hash, encode, pack, type_of

log = logging.getLogger(__name__)

HASH_EVERY = 1_000
FORMAT = 2
_TICK = pb.Tick.DESCRIPTOR.full_name
_WINDOW_CHUNK = 1_000


class Position(NamedTuple):
    """The last input applied from a topic: its offset, the entry that it became, its id and when it was made (Unix ms).
    Where the record was no input, the id and time are those of the input before it."""

    offset: int
    seq: int
    input_id: str
    made_at: int


_NOWHERE = Position(-1, 0, "", 0)
Source = tuple[str, str]
"""A site, and a topic of its Kafka; the partition is the journal's own."""


class Reign(NamedTuple):
    """Whose entries they are."""

    epoch: EpochPair
    owner_id: int


class Unreadable(NamedTuple):
    """Why a record is no input."""

    reason: str
    error: str
    key: bytes
    value: bytes
    attempts: int


class Made(NamedTuple):
    """An entry that an owner decided on this very state: what it wrote, and what that is made of, so that it need not be
    parsed when it is read back."""

    value: bytes
    record: pb.JournalRecord
    messages: Sequence[Message]


@dataclass(slots=True)
class _Decided:
    """`messages`: the events before they were packed."""

    outcome: pb.Outcome
    events: list[Any]
    messages: Sequence[Message] = ()
    dead: pb.DeadLetter | None = None


class PartitionState:
    def __init__(self, service: str, fold: Fold, window: InputWindow | None = None) -> None:
        self.service = service
        self.fold = fold
        self.window = window or InputWindow()
        self.site_epoch = 0
        self.seq = 0
        self.now = 0
        self.hash = b""
        self.sources: dict[Source, Position] = {}
        self.ahead: deque[Made] | None = None
        """Where an owner decides on this very state: its entries that are not read back yet."""
        self._replay = getattr(fold, "replay", None)

    def take(
        self, reign: Reign, input: pb.Input, source: pb.Coordinates | None, clock: int, attempts: int = 0
    ) -> bytes:
        """Applies an input that is not in the window, and gives the journal record that says so."""
        now = max(clock, self.now)
        decided = self._decide(input, now)
        if decided.dead is not None:
            decided.dead.attempts = attempts
            if source is not None:
                decided.dead.source.CopyFrom(source)
        return self._record(reign, input, source, now, decided)

    def take_unreadable(self, reign: Reign, why: Unreadable, source: pb.Coordinates, clock: int) -> bytes:
        """Passes over a record that is no input, and gives the journal record that keeps it as a dead letter."""
        now = max(clock, self.now)
        dead = self._letter(why.reason, why.error, now)
        dead.source.CopyFrom(source)
        dead.key, dead.value, dead.attempts = why.key, why.value, why.attempts
        outcome = pb.Outcome(refusal=refusal("invalid_argument", why.reason))
        return self._record(reign, None, source, now, _Decided(outcome, [], dead=dead))

    def replay(self, entry: pb.Entry, value: bytes) -> list[str]:
        """Applies a valid entry as it was applied first. What differs, in words; empty where nothing does."""
        differing: list[str] = []
        if not entry.HasField("dead"):
            differing = self._apply_again(entry)
        self._advance(entry, value)
        if entry.state_hash and entry.state_hash != self.state_hash():
            differing.append("state hash")
        return differing

    def _apply_again(self, entry: pb.Entry) -> list[str]:
        differing: list[str] = []
        decided = self._decide(entry.input, entry.now, entry.events)
        if decided.dead is not None:
            differing.append(f"not applied: {decided.dead.reason}")
        elif decided.outcome != entry.outcome:
            differing.append("outcome")
        if decided.events != list(entry.events):
            differing.append("events")
        return differing

    def reissued(self, site_epoch: int, now: int) -> list[Any]:
        """What `begin` of that site epoch would issue again. Changes nothing."""
        reissue = getattr(self.fold, "reissue", None)
        return [] if reissue is None else [pack(message) for message in reissue(site_epoch, now)]

    def begin(self, started: pb.EpochStarted) -> list[str]:
        """A site epoch begins here. What this process would issue again otherwise, in words; empty where it is the same."""
        differing = (
            [] if self.reissued(started.epoch.site_epoch, started.now) == list(started.reissued) else ["reissued"]
        )
        begin = getattr(self.fold, "begin", None)
        if begin is not None:
            begin(started.epoch.site_epoch, started.now, [unpack(packed) for packed in started.reissued])
        self.site_epoch = started.epoch.site_epoch
        self.now = max(self.now, started.now)
        return differing

    @property
    def read(self) -> int:
        """The last entry that was read back."""
        return self.seq - len(self.ahead) if self.ahead else self.seq

    def position(self, source: Source) -> int:
        """The highest offset of that source that is applied; -1 for none."""
        found = self.sources.get(source)
        return -1 if found is None else found.offset

    def state_hash(self) -> bytes:
        """Of the whole state, before the entry that carries it is counted in."""
        digest = hashlib.blake2b(self.fold.hash(), digest_size=16)
        digest.update(f"{self.now} {len(self.window)}".encode())
        return digest.digest()

    def dump(self) -> Iterator[bytes]:
        """The state now, in pieces; may be taken slowly while the state goes on."""
        window = self.window.items()
        head = msgspec.msgpack.encode(
            {
                "site_epoch": self.site_epoch,
                "seq": self.seq,
                "now": self.now,
                "hash": self.hash,
                "sources": [(*source, *position) for source, position in self.sources.items()],
            }
        )
        fold = self.fold.dump()
        return _pieces(head, window, fold)

    def load(self, chunks: Iterable[bytes]) -> None:
        items: list[tuple[str, Seen]] = []
        parts: list[bytes] = []
        for chunk in chunks:
            kind, body = chunk[:1], chunk[1:]
            if kind == b"H":
                head = msgspec.msgpack.decode(body)
                self.site_epoch, self.seq = head["site_epoch"], head["seq"]
                self.now, self.hash = head["now"], head["hash"]
                self.sources = {(site, topic): Position(*rest) for site, topic, *rest in head["sources"]}
            elif kind == b"W":
                items.extend((name, Seen(*seen)) for name, *seen in msgspec.msgpack.decode(body))
            elif kind == b"F":
                parts.append(body)
            else:
                raise ValueError(f"a snapshot chunk of unknown kind {kind!r}")
        self.window.load(items)
        self.fold.load(parts)

    def copy(self) -> PartitionState:
        """Of a state whose fold has cheap copies."""
        copied = PartitionState(self.service, self.fold.copy(), self.window.copy())  # type: ignore[attr-defined]
        copied.site_epoch, copied.seq, copied.now, copied.hash = self.site_epoch, self.seq, self.now, self.hash
        copied.sources = self.sources.copy()
        return copied

    def _decide(self, input: pb.Input, now: int, recorded: Sequence[Any] | None = None) -> _Decided:
        try:
            if not input.id:
                raise ValueError("an input without an id")
            replay = None if recorded is None else self._replay
            if replay is None:
                applied = self.fold.apply(input, unpack(input.body), now)
            else:
                applied = replay(input, unpack(input.body), now, recorded)
            if applied.refusal is not None:
                return _Decided(pb.Outcome(refusal=applied.refusal), [])
            outcome = pb.Outcome() if applied.response is None else pb.Outcome(response=pack(applied.response))
            return _Decided(outcome, [pack(event) for event in applied.events], applied.events)
        except Exception as error:
            reason = str(error) if isinstance(error, JournalError) else f"{type(error).__name__}: {error}"
            dead = self._letter(reason[:1_000], type(error).__name__, now)
            dead.key, dead.value = f"{input.tenant}/{input.stream}".encode(), input.SerializeToString()
            log.exception(
                "an input could not be applied", extra={"input_id": input.id, "input_type": type_of(input.body)}
            )
            return _Decided(pb.Outcome(refusal=refusal("internal", reason[:1_000])), [], dead=dead)

    def _letter(self, reason: str, error: str, now: int) -> pb.DeadLetter:
        return pb.DeadLetter(reason=reason, error=error, dead_at=now, service=self.service)

    def _record(
        self, reign: Reign, input: pb.Input | None, source: pb.Coordinates | None, now: int, decided: _Decided
    ) -> bytes:
        record = pb.JournalRecord()
        entry, seq = record.entry, self.seq + 1
        epoch = entry.epoch
        epoch.site_epoch, epoch.owner_epoch = reign.epoch
        entry.owner_id, entry.seq, entry.previous_hash, entry.now = reign.owner_id, seq, self.hash, now
        if source is not None:
            entry.source.CopyFrom(source)
        if input is not None:
            entry.input.CopyFrom(input)
        entry.outcome.CopyFrom(decided.outcome)
        entry.events.extend(decided.events)
        if decided.dead is not None:
            entry.dead.CopyFrom(decided.dead)
        self._count(seq, now, source, input, decided.outcome if decided.dead is None else None)
        if seq % HASH_EVERY == 0:
            entry.state_hash = self.state_hash()
        value = encode(record)
        self.hash = chain_hash(self.hash, value)
        if self.ahead is not None:
            self.ahead.append(Made(value, record, decided.messages))
        return value

    def _advance(self, entry: pb.Entry, value: bytes) -> None:
        source = entry.source if entry.HasField("source") else None
        outcome = None if entry.HasField("dead") else entry.outcome
        self._count(entry.seq, entry.now, source, entry.input, outcome)
        self.hash = chain_hash(self.hash, value)

    def _count(
        self, seq: int, now: int, source: pb.Coordinates | None, input: pb.Input | None, outcome: pb.Outcome | None
    ) -> None:
        """`outcome`: of an input that was applied."""
        self.seq, self.now = seq, now
        id = "" if input is None else input.id
        if source is not None:
            key = (source.site, source.topic)
            if input is not None and id:
                self.sources[key] = Position(source.offset, seq, id, input.made_at)
            else:
                last = self.sources.get(key, _NOWHERE)
                self.sources[key] = Position(source.offset, seq, last.input_id, last.made_at)
        if outcome is not None and input is not None and type_of(input.body) != _TICK:
            self.window.add(id, Seen(now, seq, outcome.SerializeToString()))


def _pieces(head: bytes, window: list[tuple[str, Seen]], fold: Iterable[bytes]) -> Iterator[bytes]:
    yield b"H" + head
    for start in range(0, len(window), _WINDOW_CHUNK):
        yield b"W" + msgspec.msgpack.encode([(name, *seen) for name, seen in window[start : start + _WINDOW_CHUNK]])
    for chunk in fold:
        yield b"F" + chunk
