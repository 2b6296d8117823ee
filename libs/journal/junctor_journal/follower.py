"""Follows all partitions of a service's journal with one consumer: applies each valid entry again and compares.

What others make from the journal (effects, outcomes, owners' base states, relays, snapshots) they make from here, so
nothing is ever made from a record that was not read back.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.chain_reader import ChainPlace, ChainReader, JournalPlace, Reading
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, Restoring
from junctor_journal.input_window import Seen
from junctor_journal.lineage import Lineage
from junctor_journal.log import Log, Record, Tail, TopicPartition
from junctor_journal.outcome import OutcomeWaiters
from junctor_journal.partition_state import Made, PartitionState
from junctor_journal.reader import ReaderPlace, Verdict
from junctor_journal.snapshot import Snapshot, newest_snapshots

log = logging.getLogger(__name__)

_CHECKPOINT_EVERY = 500
_CHECKPOINTS = 2_000
_MAX_RECORDS = 500
_RETRY_SECONDS = 0.5
_LARGE_BYTES = 1_000_000
"""A larger snapshot is loaded in a thread: the loop goes on joining the group and answering meanwhile."""


class FollowerListener(Protocol):
    """Called in the journal's order, in the follower's loop: must not block. An exception is logged and goes no further."""

    def on_entry(self, entry: EntryRead) -> None: ...

    def on_claim(self, partition: int, topic: str, claim: pb.OwnerStarted, won: bool) -> None:
        """`topic`: the journal it lies in. `won` is false for a claim that does not count there. The state is as it was
        before the claim."""
        ...

    def on_epoch(self, partition: int, topic: str, started: pb.EpochStarted) -> None:
        """A site epoch began in that journal; the state is as it is after it."""
        ...

    def on_seal(self, partition: int, topic: str, sealed: pb.Sealed, equal: bool) -> None:
        """The owner in that journal passed the lead on. `equal`: the state here is the one that it sealed."""
        ...

    def on_cut(self, partition: int, topic: str) -> None:
        """That journal was cut: whoever reigned there reigns no more."""
        ...

    def on_rewind(self, partition: int) -> None:
        """Entries that were told do not count any more: the state is built again, and entries are told again from
        before them. Whoever reigned reigns no more."""
        ...

    def on_rebuilt(self, partition: int) -> None:
        """After `on_rewind`: the state is one that counts, though perhaps an earlier one; entries follow."""
        ...

    def on_divergence(self, partition: int, seq: int, differing: Sequence[str]) -> None:
        """This process computes something else than the record says: a defect. To be alarmed."""
        ...


@dataclass(slots=True)
class _Followed:
    """`ends`: where the journals ended when the partition was restored. `told`: entries up to this one are read a second
    time, and the listeners have heard of them. `void`: the state holds what does not count; it is built again."""

    chain: ChainReader
    state: PartitionState
    ends: dict[str, int]
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    checkpoints: deque[ChainPlace] = field(default_factory=lambda: deque(maxlen=_CHECKPOINTS))
    waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    places: dict[int, asyncio.Future[ChainPlace]] = field(default_factory=dict)
    told: int = 0
    void: bool = False
    divergences: int = 0


class Follower:
    """`mirrored`: the topics in which other sites' journals of this service lie here, empty where there is one site."""

    def __init__(self, service: str, log: Log, new_fold: Callable[[], Fold], mirrored: Sequence[str] = ()) -> None:
        self.service = service
        self.topic = topics.journal(service)
        self.new_fold = new_fold
        self.waiters = OutcomeWaiters()
        self.partitions = 0
        self.topics = (self.topic, *mirrored)
        self._log = log
        self._listeners: list[FollowerListener] = []
        self._followed: dict[int, _Followed] = {}
        self._begin: dict[TopicPartition, int] = {}
        self._rewound: set[int] = set()
        self._tail: Tail | None = None
        self._task: asyncio.Task[None] | None = None
        self._restored = asyncio.Event()
        self._ready = False
        self._moved: asyncio.Event = asyncio.Event()
        self._order = itertools.count()

    def listen(self, listener: FollowerListener) -> None:
        self._listeners.append(listener)

    @property
    def ready(self) -> bool:
        """True once every partition was read to the end that it had at the start."""
        if not self._ready:
            self._ready = self._restored.is_set() and all(f.caught_up.is_set() for f in self._followed.values())
        return self._ready

    async def start(self) -> None:
        """Starts to restore and follow in the background; `wait_ready` waits for it."""
        self._task = asyncio.create_task(self._run(), name=f"follow {self.topic}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._close_tail()

    async def wait_ready(self) -> None:
        await self._restored.wait()
        for followed in self._followed.values():
            await followed.caught_up.wait()

    def state(self, partition: int) -> PartitionState:
        """Read only. Raises `Restoring` before there is one."""
        return self._get(partition).state

    def position(self, partition: int) -> int:
        """The last entry that was read. Raises `Restoring`."""
        return self._get(partition).state.read

    def seen(self, partition: int, input_id: str) -> Seen | None:
        """An input that was applied and read back. Raises `Restoring`."""
        state = self._get(partition).state
        found = state.window.get(input_id)
        return found if found is not None and found.seq <= state.read else None

    def lend(self, partition: int) -> PartitionState:
        """The state for an owner to decide on, where its claim or its site epoch was just read: a copy, or, where the fold
        has no cheap ones, the followed state itself until `give_back`."""
        state = self._get(partition).state
        if hasattr(state.fold, "copy"):
            return state.copy()
        state.ahead = deque()
        return state

    def give_back(self, partition: int, state: PartitionState) -> None:
        """The owner's reign is over. A state that holds what was not read back is built again from the journal."""
        followed = self._followed.get(partition)
        if followed is not None and followed.state is state:
            self._take_back(partition, followed)

    async def confirmed(self, partition: int, deadline: float) -> None:
        """Waits until all that the state holds now is read back. Raises `LogUnavailable` where it never will be,
        `DeadlineExceeded`, `Restoring`: what was read from the state may then be untrue; ask again."""
        await self.wait_position(partition, self._get(partition).state.seq, deadline)

    async def place_at(self, partition: int, seq: int) -> ChainPlace:
        """The chain's place at that entry: the last one read, or one still to come. Raises `LogUnavailable`."""
        followed = self._get(partition)
        if followed.chain.seq == seq:
            return followed.chain.place()
        future = followed.places.setdefault(seq, asyncio.get_running_loop().create_future())
        return await asyncio.shield(future)

    def place(self, partition: int) -> ReaderPlace:
        """Where the own journal stands. Raises `Restoring` before there is one."""
        return self._get(partition).chain.place_in(self.topic)

    def place_in(self, partition: int, topic: str) -> ReaderPlace:
        """Where one of the journals stands, own or mirrored. Raises `Restoring`."""
        return self._get(partition).chain.place_in(topic)

    def leading_place(self, partition: int) -> ReaderPlace:
        """Where the journal stands whose entries count now, in whichever site. Raises `Restoring`."""
        followed = self._get(partition)
        begun = followed.chain.lineage.begun(followed.chain.site_epoch)
        return followed.chain.place_in(self.topic if begun is None else begun.topic)

    def chain(self, partition: int) -> ChainReader:
        """Read only. Raises `Restoring`."""
        return self._get(partition).chain

    def lineage(self, partition: int) -> Lineage:
        """The site epochs known. Read only. Raises `Restoring`."""
        return self._get(partition).chain.lineage

    def highest_site_epoch(self, partition: int) -> int:
        """That any of the journals shows, begun or only claimed. Raises `Restoring`."""
        return self._get(partition).chain.highest

    def chain_place(self, partition: int) -> ChainPlace:
        """What `state` holds, and where the journals go on. Raises `Restoring`."""
        return self._get(partition).chain.place()

    def next_offset(self, partition: int, topic: str) -> int:
        return self._get(partition).chain.next_offset(topic)

    def divergences(self, partition: int) -> int:
        return self._get(partition).divergences

    def hold(self, partition: int, site_epoch: int) -> None:
        """Nothing of the partition counts here until that site epoch, or a higher one, began, or until `release`."""
        self._get(partition).chain.hold(site_epoch)

    def release(self, partition: int) -> None:
        followed = self._get(partition)
        self._take(partition, followed, followed.chain.release())
        self._seek([partition])

    async def reach_end(self, partition: int) -> None:
        """Waits until all that the partition's journals hold now is read. Raises `LogUnavailable`."""
        await self._restored.wait()
        while partition in self._rewound:
            await self.moved()
        await self._get(partition).caught_up.wait()
        ends = await self._log.end_offsets([TopicPartition(topic, partition) for topic in self.topics])
        while any(self._get(partition).chain.next_offset(tp.topic) < end for tp, end in ends.items()):
            await self.moved()

    async def moved(self) -> None:
        """Waits for the next records of any journal."""
        self._moved.clear()
        await self._moved.wait()

    async def wait_position(self, partition: int, seq: int, deadline: float) -> None:
        """Waits until that entry is read here. Raises `DeadlineExceeded` after `deadline` seconds, `LogUnavailable` where
        the state is built again."""
        followed = self._get(partition)
        if followed.state.read >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(followed.waiting, (seq, next(self._order), future))
        done, _ = await asyncio.wait((future,), timeout=deadline)
        if not done:
            future.cancel()
            raise DeadlineExceeded(f"entry {seq} of partition {partition} was not read in time")
        future.result()

    def checkpoint(self, partition: int, site_epoch: int, seq: int) -> ChainPlace:
        """A place on the chain at or before that entry: to read entries again."""
        followed = self._get(partition)
        known = followed.chain.lineage
        for place in reversed(followed.checkpoints):
            at = (place.site_epoch, place.seq)
            if at <= (site_epoch, seq) and (not place.site_epoch or known.counts(*at)):
                return replace(place, begun=known.known())
        begin = {topic: JournalPlace(self._begin_of(topic, partition), ReaderPlace()) for topic in self.topics}
        return ChainPlace(journals=begin, begun=known.known())

    async def _run(self) -> None:
        while True:
            try:
                await self._restore()
                await self._follow()
            except asyncio.CancelledError:
                raise
            except LogUnavailable as error:
                log.warning("a journal cannot be followed now", extra={"topic": self.topic, "error": str(error)})
            except Exception:
                log.exception("following a journal failed", extra={"topic": self.topic})
            await self._close_tail()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _restore(self) -> None:
        """From the snapshots where there is no state yet; where there is, reading goes on."""
        count = await self._count()
        tps = [TopicPartition(topic, partition) for topic in self.topics for partition in range(count)]
        missing = [partition for partition in range(count) if partition not in self._followed]
        self._begin, end = await self._log.begin_offsets(tps), await self._log.end_offsets(tps)
        snapshots = await newest_snapshots(self._log, self.service, missing) if missing else {}
        if snapshots:
            log.info("snapshots read", extra={"topic": self.topic, "partitions": sorted(snapshots)})
        for partition in missing:
            ends = {topic: end[TopicPartition(topic, partition)] for topic in self.topics}
            self._followed[partition] = await self._restored_from(partition, snapshots.pop(partition, None), ends)
        self._tail = await self._log.tail(
            {tp: self._followed[tp.partition].chain.next_offset(tp.topic) for tp in tps}, wait_ms=500
        )
        self.partitions = count
        for partition, followed in self._followed.items():
            self._mark(partition, followed)
        self._restored.set()

    async def _count(self) -> int:
        counts = {topic: await self._log.partitions(topic) for topic in self.topics}
        for topic, count in counts.items():
            if count == 0:
                raise LogUnavailable(f"there is no topic {topic}")
        if len(set(counts.values())) > 1:
            raise LogUnavailable(f"the journals differ in their partitions: {counts}")
        return counts[self.topic]

    async def _restored_from(self, partition: int, snapshot: Snapshot | None, ends: dict[str, int]) -> _Followed:
        state = PartitionState(self.service, self.new_fold())
        begin = {topic: self._begin_of(topic, partition) for topic in self.topics}
        place: ChainPlace | None = None
        if snapshot is not None:
            try:
                await _loaded(state, snapshot.pieces)
                place = _within(snapshot.place, begin, ends)
            except Exception:
                log.exception("a snapshot cannot be loaded", extra={"topic": self.topic, "seq": snapshot.place.seq})
                state = PartitionState(self.service, self.new_fold())
        chain = ChainReader(self.topics, place, begin, held=len(self.topics) > 1)
        followed = _Followed(chain, state, ends)
        followed.checkpoints.append(chain.place())
        return followed

    async def _follow(self) -> None:
        assert self._tail is not None
        while True:
            found = await self._tail.getmany(timeout_ms=1_000, max_records=_MAX_RECORDS)
            for tp, records in found.items():
                self._see(tp, self._followed[tp.partition], records)
            if found:
                if len(self.topics) > 1:
                    self._seek({tp.partition for tp in found})
                self._moved.set()
                await asyncio.sleep(0)
            for partition in list(self._rewound):
                await self._rebuild(partition)
                self._moved.set()

    def _see(self, tp: TopicPartition, followed: _Followed, records: Sequence[Record]) -> None:
        topic, partition = tp
        chain = followed.chain
        for record in records:
            if followed.void:
                return
            readings = chain.see(topic, record.value, record.offset, _known(followed.state, record.value))
            if readings:
                self._take(partition, followed, readings)
        if not followed.caught_up.is_set():
            self._mark(partition, followed)

    def _take(self, partition: int, followed: _Followed, readings: Sequence[Reading]) -> None:
        for reading in readings:
            verdict = reading.verdict
            if verdict is Verdict.VALID:
                self._entry(partition, followed, reading)
            elif verdict is Verdict.EPOCH:
                self._take_back(partition, followed)
                if not followed.void:
                    self._epoch(partition, followed, reading)
            elif verdict is Verdict.SEALED:
                sealed = reading.record.sealed
                state = followed.state
                equal = (state.seq, state.hash) == (sealed.seq, sealed.hash) and state.state_hash() == sealed.state_hash
                self._tell("on_seal", partition, reading.topic, sealed, equal)
            elif verdict is Verdict.CUT:
                if reading.topic == self.topic:
                    self._take_back(partition, followed)
                self._tell("on_cut", partition, reading.topic)
            elif verdict is Verdict.REWIND:
                followed.state.ahead = None
                self._rewound.add(partition)
                self._tell("on_rewind", partition)
            else:
                claim = reading.record.owner_started
                if verdict is Verdict.CLAIMED and reading.topic == self.topic:
                    self._take_back(partition, followed)
                self._tell("on_claim", partition, reading.topic, claim, verdict is Verdict.CLAIMED)
            if followed.void:
                return

    def _entry(self, partition: int, followed: _Followed, reading: Reading) -> None:
        entry = reading.record.entry
        made, differing = self._replayed(partition, followed, entry, reading.value)
        read = EntryRead(partition, entry, reading.offset, reading.topic, None if made is None else made.messages)
        if differing:
            self._diverged(partition, followed, entry.seq, differing)
        if entry.seq % _CHECKPOINT_EVERY == 0:
            followed.checkpoints.append(followed.chain.place())
        asked = followed.places.pop(entry.seq, None)
        if asked is not None and followed.chain.seq == entry.seq:
            asked.set_result(followed.chain.place())
        elif asked is not None:
            _fail(asked, LogUnavailable("entries came together"))
        if entry.seq > followed.told:
            self._tell("on_entry", read)
        self.waiters.resolve(read.input.id, entry.outcome, partition, entry.seq)
        while followed.waiting and followed.waiting[0][0] <= entry.seq:
            future = heapq.heappop(followed.waiting)[2]
            if not future.done():
                future.set_result(None)

    def _replayed(
        self, partition: int, followed: _Followed, entry: pb.Entry, value: bytes
    ) -> tuple[Made | None, list[str]]:
        """What differs when the entry is applied again. Where the owner decided on this very state it was applied
        already: what was read back must be what it wrote."""
        state = followed.state
        if state.ahead is not None:
            if state.ahead and (made := state.ahead.popleft()).value == value:
                return made, []
            self._voided(partition, followed, entry.seq)
            self._tell("on_cut", partition, self.topic)
            return None, ["the record that was written"]
        try:
            return None, state.replay(entry, value)
        except Exception as error:
            log.exception("a replay failed", extra={"partition": partition, "seq": entry.seq})
            return None, [f"replay failed: {error!r}"]

    def _take_back(self, partition: int, followed: _Followed) -> None:
        """From the owner, whose reign is over."""
        read = followed.state.read
        ahead, followed.state.ahead = followed.state.ahead, None
        if ahead:
            self._voided(partition, followed, read)

    def _voided(self, partition: int, followed: _Followed, told: int) -> None:
        """The state holds what does not count: it is built again, from the snapshot and the journal."""
        log.info("a state is built again", extra={"topic": self.topic, "partition": partition})
        followed.state.ahead = None
        followed.void, followed.told = True, max(told, followed.told)
        self._rewound.add(partition)
        error = LogUnavailable("the state that was read does not count; it is built again")
        for _, _, waiting in followed.waiting:
            _fail(waiting, error)
        for place in followed.places.values():
            _fail(place, error)
        followed.waiting.clear()

    def _epoch(self, partition: int, followed: _Followed, reading: Reading) -> None:
        started = reading.record.epoch_started
        try:
            differing = followed.state.begin(started)
        except Exception as error:
            log.exception("a site epoch could not be begun", extra={"partition": partition})
            differing = [f"begin failed: {error!r}"]
        if differing:
            self._diverged(partition, followed, started.cut_seq, differing)
        self._tell("on_epoch", partition, reading.topic, started)

    def _diverged(self, partition: int, followed: _Followed, seq: int, differing: Sequence[str]) -> None:
        followed.divergences += 1
        log.error(
            "a replay differs from the journal",
            extra={"topic": self.topic, "partition": partition, "seq": seq, "differing": differing},
        )
        self._tell("on_divergence", partition, seq, differing)

    def _seek(self, partitions: Iterable[int]) -> None:
        if self._tail is None:
            return
        for partition in partitions:
            for topic, offset in self._followed[partition].chain.seeks().items():
                self._tail.seek(TopicPartition(topic, partition), offset)

    async def _rebuild(self, partition: int) -> None:
        """From the newest snapshot that counts by what is known now, or from the beginning."""
        assert self._tail is not None
        was = self._followed[partition]
        known = was.chain.lineage
        found = await newest_snapshots(
            self._log, self.service, [partition], lambda place: known.counts(place.site_epoch, place.seq)
        )
        ends = {topic: was.chain.next_offset(topic) for topic in self.topics}
        rebuilt = await self._restored_from(partition, found.get(partition), ends)
        begin = {topic: self._begin_of(topic, partition) for topic in self.topics}
        rebuilt.chain = was.chain.rebuilt(rebuilt.chain.place() if rebuilt.state.seq else None, begin)
        rebuilt.waiting, rebuilt.divergences = was.waiting, was.divergences
        rebuilt.told = was.told if was.void else 0
        self._rewound.discard(partition)
        self._followed[partition] = rebuilt
        for topic in self.topics:
            self._tail.seek(TopicPartition(topic, partition), rebuilt.chain.next_offset(topic))
        log.warning("a partition is read again", extra={"partition": partition, "from_seq": rebuilt.state.seq})
        self._tell("on_rebuilt", partition)
        self._take(partition, rebuilt, rebuilt.chain.release())
        self._mark(partition, rebuilt)

    def _mark(self, partition: int, followed: _Followed) -> None:
        """With several journals the first entry counts only when all ends were seen: till then a later site epoch might
        leave it out."""
        if not followed.caught_up.is_set() and all(
            followed.chain.next_offset(topic) >= end for topic, end in followed.ends.items()
        ):
            followed.caught_up.set()
            if followed.chain.seq:
                log.info("journal read to its end", extra={"partition": partition, "seq": followed.chain.seq})
            if len(self.topics) > 1:
                self._take(partition, followed, followed.chain.release())
                self._seek([partition])

    def _begin_of(self, topic: str, partition: int) -> int:
        return self._begin.get(TopicPartition(topic, partition), 0)

    def _tell(self, method: str, *arguments: object) -> None:
        for listener in self._listeners:
            try:
                getattr(listener, method)(*arguments)
            except Exception:
                log.exception("a listener of the journal failed", extra={"call": method})

    def _get(self, partition: int) -> _Followed:
        followed = self._followed.get(partition)
        if followed is None or followed.void:
            raise Restoring(f"partition {partition} of {self.topic} is not read yet")
        return followed

    async def _close_tail(self) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            await tail.close()


async def _loaded(state: PartitionState, pieces: Sequence[bytes]) -> None:
    size = sum(map(len, pieces))
    if size < _LARGE_BYTES:
        state.load(pieces)
        return
    began = time.monotonic()
    await asyncio.to_thread(state.load, pieces)
    took = round(time.monotonic() - began, 2)
    log.info("snapshot loaded", extra={"seq": state.seq, "bytes": size, "seconds": took})


def _known(state: PartitionState, value: bytes | None) -> pb.JournalRecord | None:
    """The record, where it is the next that this process itself wrote."""
    ahead = state.ahead
    return ahead[0].record if ahead and ahead[0].value == value else None


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()


def _within(place: ChainPlace, begin: Mapping[str, int], ends: Mapping[str, int]) -> ChainPlace:
    """The place; a journal that does not have its offset any more is read from its beginning."""
    journals = {
        topic: at if begin[topic] <= at.next_offset <= ends[topic] else replace(at, next_offset=begin[topic])
        for topic, at in place.journals.items()
        if topic in begin
    }
    return replace(place, journals=journals)
