"""A fold made of many small aggregates, one per stream, each written as pure `decide` and `evolve` on a frozen dataclass."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from google.protobuf.any_pb2 import Any as PackedEvent
from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.apply import Applied, Due, refusal
from junctor_journal.mapping import Mapping
from junctor_journal.message_types import unpack
from junctor_journal.record import pack
from junctor_journal.state_codec import StateCodec
from junctor_journal.timers import Timers

log = logging.getLogger(__name__)

State = TypeVar("State")
StreamKey = tuple[str, str]
Recorded = Sequence[PackedEvent] | None
_TICK = pb.Tick.DESCRIPTOR
_CHUNK = 200
_HASH_BYTES = 16
_HASH_RANGE = 1 << (8 * _HASH_BYTES)
STUCK_AFTER_MS = 1_000
BROKEN_AFTER_MS = 60_000


class Rejected(Exception):
    """The command cannot apply to this state. Becomes the input's recorded refusal. `code`: gRPC status name, lower case."""

    def __init__(self, message: str, code: str = "failed_precondition", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Decision:
    """Events, and a response (a domain value or the message itself) where the empty one is not enough.

    `state`, where given, is the stream's state after the command: `evolve` is then not asked. It is for domains whose
    inputs hold what their events do not say (a SIP dialog's bytes)."""

    events: Sequence[Any] = ()
    response: Any | None = None
    state: Any | None = None


def _no_evolve(state: Any, event: Any) -> Any:
    raise TypeError("a domain without evolve gives the state with each Decision")


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[State]):
    """`tick`: what `decide` is given when `next_due` has passed. `rejected`: the domain's own exception of the shape of
    `Rejected` (attributes `code` and `retryable` are optional there). `state`: the class of the state.

    `beside(command, look)` gives the command to decide instead, by what other streams of the same partition hold: `look`
    takes tenant and stream. Pure, as `decide`."""

    initial: Callable[[str, str], State]
    decide: Callable[[State, Any, int], Any]
    state: type[State]
    evolve: Callable[[State, Any], State] = _no_evolve
    next_due: Callable[[State], int | None] = lambda state: None
    is_live: Callable[[State], bool] = lambda state: True
    tick: Any = None
    rejected: type[Exception] = Rejected
    beside: Callable[[Any, Callable[[str, str], State | None]], Any] | None = None


class AggregateFold(Generic[State]):
    """Streams are created by their first event and dropped when `is_live` is false."""

    def __init__(self, aggregate: Aggregate[State], mapping: Mapping) -> None:
        self._aggregate = aggregate
        self._mapping = mapping
        self._codec = StateCodec(aggregate.state)
        self._states: dict[StreamKey, State] = {}
        self._timers = Timers()
        self._hashes: dict[StreamKey, int] = {}
        self._changed: set[StreamKey] = set()
        self._sum = 0

    def get(self, tenant: str, stream: str) -> State | None:
        return self._states.get((tenant, stream))

    def streams(self) -> ReadOnly[StreamKey, State]:
        """All live states by (tenant, stream). Not a copy."""
        return self._states

    def apply(self, input: pb.Input, body: Message, now: int) -> Applied:
        key = (input.tenant, input.stream)
        if body.DESCRIPTOR is _TICK:
            return self._tick(key, now, None)
        return self._apply(key, body, now, None)

    def replay(self, input: pb.Input, body: Message, now: int, recorded: Sequence[PackedEvent]) -> Applied:
        """As `apply`. Where today's code decides otherwise than the record, the state follows the record."""
        key = (input.tenant, input.stream)
        if body.DESCRIPTOR is _TICK:
            return self._tick(key, now, recorded)
        try:
            return self._apply(key, body, now, recorded)
        except Exception:
            self._adopt(key, recorded)
            raise

    def _apply(self, key: StreamKey, body: Message, now: int, recorded: Recorded) -> Applied:
        command = self._mapping.to_domain(body)
        if self._aggregate.beside is not None:
            command = self._aggregate.beside(command, self.get)
        try:
            events, response, after = self._decide(key, command, now)
        except self._aggregate.rejected as error:
            self._adopt(key, recorded or ())
            return Applied(refusal=_refusal(error))
        messages = [self._mapping.to_message(event) for event in events]
        answer = self._mapping.to_response(body.DESCRIPTOR.name.removesuffix("Request"), response)
        self._follow(key, events, after, messages, recorded)
        return Applied(response=answer, events=messages)

    def next_due(self) -> Due | None:
        first = self._timers.first()
        if first is None:
            return None
        at, (tenant, stream) = first
        return Due(at, tenant, stream)

    def dump(self) -> Iterable[bytes]:
        items = list(self._states.items())
        timers = [(at, *key) for key, at in self._timers.items()]
        return self._pieces(items, timers)

    def load(self, chunks: Iterable[bytes]) -> None:
        self._states.clear()
        self._timers = Timers()
        self._hashes.clear()
        self._sum = 0
        for chunk in chunks:
            content = msgspec.msgpack.decode(chunk)
            for tenant, stream, plain in content.get("states", ()):
                self._states[tenant, stream] = self._codec.from_plain(plain)
            for at, tenant, stream in content.get("timers", ()):
                self._timers.set((tenant, stream), at)
        self._changed = set(self._states)

    def hash(self) -> bytes:
        """Sum of the streams' hashes: only those that changed since the last call are computed."""
        for key in self._changed:
            self._sum -= self._hashes.pop(key, 0)
            state = self._states.get(key)
            if state is not None:
                found = self._hashes[key] = self._hash_of(key, state)
                self._sum += found
        self._changed.clear()
        return (self._sum % _HASH_RANGE).to_bytes(_HASH_BYTES, "big")

    def copy(self) -> AggregateFold[State]:
        copied = AggregateFold(self._aggregate, self._mapping)
        copied._states = self._states.copy()
        copied._timers = self._timers.copy()
        copied._hashes = self._hashes.copy()
        copied._changed = self._changed.copy()
        copied._sum = self._sum
        return copied

    def _decide(self, key: StreamKey, command: Any, now: int) -> tuple[list[Any], Any, Any]:
        state = self._states.get(key)
        if state is None:
            state = self._aggregate.initial(*key)
        decided = self._aggregate.decide(state, command, now)
        if decided is None:
            return [], None, None
        if hasattr(decided, "events"):
            return list(decided.events), decided.response, getattr(decided, "state", None)
        return list(decided), None, None

    def _follow(
        self, key: StreamKey, events: Sequence[Any], after: Any, messages: Sequence[Message], recorded: Recorded
    ) -> None:
        evolves = self._aggregate.evolve is not _no_evolve
        if recorded is not None and evolves and [pack(message) for message in messages] != list(recorded):
            self._adopt(key, recorded)
        else:
            self._evolve(key, events, after)

    def _adopt(self, key: StreamKey, recorded: Sequence[PackedEvent]) -> None:
        if recorded and self._aggregate.evolve is not _no_evolve:
            self._evolve(key, [self._mapping.to_domain(unpack(packed)) for packed in recorded])

    def _tick(self, key: StreamKey, now: int, recorded: Recorded) -> Applied:
        if key not in self._states:
            self._timers.set(key, None)
            return Applied()
        try:
            events, _, after = self._decide(key, self._aggregate.tick, now)
            messages = [self._mapping.to_message(event) for event in events]
            self._follow(key, events, after, messages, recorded)
        except Exception as error:
            self._timers.set(key, now + BROKEN_AFTER_MS)
            if not isinstance(error, self._aggregate.rejected):
                log.exception("a timer could not be applied", extra={"tenant": key[0], "stream": key[1]})
            return Applied(refusal=refusal("internal", f"{type(error).__name__}: {error}"))
        due = self._timers.get(key)
        if due is not None and due <= now:
            log.error("a timer did not move forward", extra={"tenant": key[0], "stream": key[1]})
            self._timers.set(key, now + STUCK_AFTER_MS)
        return Applied(events=messages)

    def _evolve(self, key: StreamKey, events: Sequence[Any], state: Any = None) -> None:
        aggregate = self._aggregate
        if state is None:
            if not events:
                return
            state = self._states.get(key) or aggregate.initial(*key)
            for event in events:
                state = aggregate.evolve(state, event)
        live = aggregate.is_live(state)
        due = aggregate.next_due(state) if live else None
        if live:
            self._states[key] = state
        else:
            self._states.pop(key, None)
        self._timers.set(key, due)
        self._changed.add(key)

    def _pieces(self, items: list[tuple[StreamKey, State]], timers: list[tuple[int, str, str]]) -> Iterator[bytes]:
        for start in range(0, len(items), _CHUNK):
            states = [(*key, self._codec.to_plain(state)) for key, state in items[start : start + _CHUNK]]
            yield msgspec.msgpack.encode({"states": states})
        for start in range(0, len(timers), _CHUNK * 10):
            yield msgspec.msgpack.encode({"timers": timers[start : start + _CHUNK * 10]})

    def _hash_of(self, key: StreamKey, state: State) -> int:
        digest = hashlib.blake2b("/".join(key).encode(), digest_size=_HASH_BYTES)
        digest.update(self._codec.canonical(state))
        return int.from_bytes(digest.digest(), "big")


def _refusal(error: Exception) -> Any:
    return refusal(
        getattr(error, "code", "failed_precondition"),
        str(getattr(error, "message", "") or error),
        bool(getattr(error, "retryable", False)),
    )
