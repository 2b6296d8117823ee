"""One partition's state: the fold, the inputs seen, the places read to. Made by owners, made again by followers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from google.protobuf.any_pb2 import Any
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.apply import Fold, refusal
from junctor_journal.errors import JournalError
from junctor_journal.input_window import InputWindow, Seen
from junctor_journal.message_types import unpack
from junctor_journal.record import EpochPair, chain_hash, encode_entry, pack, type_of

log = logging.getLogger(__name__)

HASH_EVERY = 1_000
FORMAT = 1
_TICK = pb.Tick.DESCRIPTOR.full_name
_WINDOW_CHUNK = 1_000

Source = tuple[str, int]


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


@dataclass(slots=True)
class _Decided:
    outcome: pb.Outcome
    events: list[Any]
    dead: pb.DeadLetter | None = None


class PartitionState:
    def __init__(self, service: str, fold: Fold, window: InputWindow | None = None) -> None:
        self.service = service
        self.fold = fold
        self.window = window or InputWindow()
        self.seq = 0
        self.now = 0
        self.hash = b""
        self.sources: dict[Source, int] = {}
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
        return self._record(reign, None, source, now, _Decided(outcome, [], dead))

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

    def position(self, source: Source) -> int:
        """The highest offset of that source that is applied; -1 for none."""
        return self.sources.get(source, -1)

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
                "seq": self.seq,
                "now": self.now,
                "hash": self.hash,
                "sources": [(topic, partition, offset) for (topic, partition), offset in self.sources.items()],
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
                self.seq, self.now, self.hash = head["seq"], head["now"], head["hash"]
                self.sources = {(topic, partition): offset for topic, partition, offset in head["sources"]}
            elif kind == b"W":
                items.extend((name, Seen(*seen)) for name, *seen in msgspec.msgpack.decode(body))
            elif kind == b"F":
                parts.append(body)
            else:
                raise ValueError(f"a snapshot chunk of unknown kind {kind!r}")
        self.window.load(items)
        self.fold.load(parts)

    def copy(self, new_fold: Callable[[], Fold]) -> PartitionState:
        copied = PartitionState(self.service, _copy_fold(self.fold, new_fold), self.window.copy())
        copied.seq, copied.now, copied.hash, copied.sources = self.seq, self.now, self.hash, self.sources.copy()
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
            outcome = pb.Outcome()
            if applied.response is not None:
                outcome.response.CopyFrom(pack(applied.response))
            return _Decided(outcome, [pack(event) for event in applied.events])
        except Exception as error:
            reason = str(error) if isinstance(error, JournalError) else f"{type(error).__name__}: {error}"
            dead = self._letter(reason[:1_000], type(error).__name__, now)
            dead.key, dead.value = f"{input.tenant}/{input.stream}".encode(), input.SerializeToString()
            log.exception(
                "an input could not be applied", extra={"input_id": input.id, "input_type": type_of(input.body)}
            )
            return _Decided(pb.Outcome(refusal=refusal("internal", reason[:1_000])), [], dead)

    def _letter(self, reason: str, error: str, now: int) -> pb.DeadLetter:
        return pb.DeadLetter(reason=reason, error=error, dead_at=now, service=self.service)

    def _record(
        self, reign: Reign, input: pb.Input | None, source: pb.Coordinates | None, now: int, decided: _Decided
    ) -> bytes:
        entry = pb.Entry(
            epoch=reign.epoch.to_proto(),
            owner_id=reign.owner_id,
            seq=self.seq + 1,
            previous_hash=self.hash,
            now=now,
            source=source,
            input=input,
            outcome=decided.outcome,
            events=decided.events,
            dead=decided.dead,
        )
        self._count(entry)
        if entry.seq % HASH_EVERY == 0:
            entry.state_hash = self.state_hash()
        value = encode_entry(entry)
        self.hash = chain_hash(self.hash, value)
        return value

    def _advance(self, entry: pb.Entry, value: bytes) -> None:
        self._count(entry)
        self.hash = chain_hash(self.hash, value)

    def _count(self, entry: pb.Entry) -> None:
        self.seq, self.now = entry.seq, entry.now
        if entry.HasField("source"):
            source = entry.source
            self.sources[source.topic, source.partition] = source.offset
        if not entry.HasField("dead") and type_of(entry.input.body) != _TICK:
            self.window.add(entry.input.id, Seen(entry.now, entry.seq, entry.outcome.SerializeToString()))


def _pieces(head: bytes, window: list[tuple[str, Seen]], fold: Iterable[bytes]) -> Iterator[bytes]:
    yield b"H" + head
    for start in range(0, len(window), _WINDOW_CHUNK):
        yield b"W" + msgspec.msgpack.encode([(name, *seen) for name, seen in window[start : start + _WINDOW_CHUNK]])
    for chunk in fold:
        yield b"F" + chunk


def _copy_fold(fold: Fold, new_fold: Callable[[], Fold]) -> Fold:
    copy: Callable[[], Fold] | None = getattr(fold, "copy", None)
    if copy is not None:
        return copy()
    copied = new_fold()
    copied.load(fold.dump())
    return copied
