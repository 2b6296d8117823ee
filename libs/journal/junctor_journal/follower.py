"""Follows all partitions of a service's journal with one consumer: applies each valid entry again and compares.

What others make from the journal (effects, outcomes, owners' base states, relays, snapshots) they make from here, so
nothing is ever made from a record that was not read back.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, Restoring
from junctor_journal.log import Log, Record, Tail, TopicPartition
from junctor_journal.outcome import OutcomeWaiters
from junctor_journal.partition_state import PartitionState
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict
from junctor_journal.snapshot import Snapshot, newest_snapshots

log = logging.getLogger(__name__)

_CHECKPOINT_EVERY = 500
_CHECKPOINTS = 2_000
_MAX_RECORDS = 500
_RETRY_SECONDS = 0.5


class FollowerListener(Protocol):
    """Called in the journal's order, in the follower's loop: must not block. An exception is logged and goes no further."""

    def on_entry(self, entry: EntryRead) -> None: ...

    def on_claim(self, partition: int, claim: pb.OwnerStarted, won: bool) -> None:
        """`won` is false for a claim that does not count. The state is as it was before the claim."""
        ...

    def on_cut(self, partition: int) -> None:
        """The journal was cut, sealed, or must be read again: whoever reigned reigns no more."""
        ...

    def on_divergence(self, entry: EntryRead, differing: Sequence[str]) -> None:
        """This process computes something else than the record says: a defect. To be alarmed."""
        ...


@dataclass(slots=True)
class _Followed:
    """`next_offset`: of the record after the last one seen. `end`: where the partition ended when it was restored."""

    reader: JournalReader
    state: PartitionState
    next_offset: int
    end: int
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    checkpoints: deque[tuple[int, ReaderPlace]] = field(default_factory=lambda: deque(maxlen=_CHECKPOINTS))
    waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    divergences: int = 0


class Follower:
    def __init__(self, service: str, log: Log, new_fold: Callable[[], Fold]) -> None:
        self.service = service
        self.topic = topics.journal(service)
        self.new_fold = new_fold
        self.waiters = OutcomeWaiters()
        self.partitions = 0
        self._log = log
        self._listeners: list[FollowerListener] = []
        self._followed: dict[int, _Followed] = {}
        self._tail: Tail | None = None
        self._task: asyncio.Task[None] | None = None
        self._restored = asyncio.Event()
        self._moved: asyncio.Event = asyncio.Event()
        self._order = itertools.count()

    def listen(self, listener: FollowerListener) -> None:
        self._listeners.append(listener)

    @property
    def ready(self) -> bool:
        """True once every partition was read to the end that it had at the start."""
        return self._restored.is_set() and all(f.caught_up.is_set() for f in self._followed.values())

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

    def place(self, partition: int) -> ReaderPlace:
        """Where the journal stands. Raises `Restoring` before there is one."""
        return self._get(partition).reader.place

    def next_offset(self, partition: int) -> int:
        return self._get(partition).next_offset

    def divergences(self, partition: int) -> int:
        return self._get(partition).divergences

    async def reach_end(self, partition: int) -> None:
        """Waits until all that the partition holds now is followed. Raises `LogUnavailable`."""
        await self._restored.wait()
        await self._get(partition).caught_up.wait()
        tp = TopicPartition(self.topic, partition)
        end = (await self._log.end_offsets([tp]))[tp]
        while self._get(partition).next_offset < end:
            self._moved.clear()
            await self._moved.wait()

    async def wait_position(self, partition: int, seq: int, deadline: float) -> None:
        """Waits until that entry is applied here. Raises `DeadlineExceeded` after `deadline` seconds."""
        followed = self._get(partition)
        if followed.reader.place.seq >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(followed.waiting, (seq, next(self._order), future))
        done, _ = await asyncio.wait((future,), timeout=deadline)
        if not done:
            future.cancel()
            raise DeadlineExceeded(f"entry {seq} of partition {partition} was not read in time")

    def checkpoint(self, partition: int, seq: int) -> tuple[int, ReaderPlace]:
        """An offset and the reader's place there, at or before that sequence: to read entries again."""
        for offset, place in reversed(self._get(partition).checkpoints):
            if place.seq <= seq:
                return offset, replace(place, cuts=dict(place.cuts))
        return 0, ReaderPlace()

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
        count = await self._log.partitions(self.topic)
        if count == 0:
            raise LogUnavailable(f"there is no topic {self.topic}")
        tps = [TopicPartition(self.topic, partition) for partition in range(count)]
        missing = [tp.partition for tp in tps if tp.partition not in self._followed]
        begin, end = await self._log.begin_offsets(tps), await self._log.end_offsets(tps)
        snapshots = await newest_snapshots(self._log, self.service, missing) if missing else {}
        for partition in missing:
            tp = TopicPartition(self.topic, partition)
            self._followed[partition] = self._restored_from(snapshots.get(partition), begin[tp], end[tp])
        self._tail = await self._log.tail({tp: self._followed[tp.partition].next_offset for tp in tps}, wait_ms=500)
        self.partitions = count
        for followed in self._followed.values():
            _mark(followed)
        self._restored.set()

    def _restored_from(self, snapshot: Snapshot | None, begin: int, end: int) -> _Followed:
        state = PartitionState(self.service, self.new_fold())
        followed = _Followed(JournalReader(), state, begin, end)
        if snapshot is not None:
            try:
                state.load(snapshot.pieces)
            except Exception:
                log.exception("a snapshot cannot be loaded", extra={"topic": self.topic, "seq": snapshot.place.seq})
                followed.state = PartitionState(self.service, self.new_fold())
            else:
                followed.reader = JournalReader(snapshot.place)
                if begin <= snapshot.next_offset <= end:
                    followed.next_offset = snapshot.next_offset
        place = followed.reader.place
        followed.checkpoints.append((followed.next_offset, replace(place, cuts=dict(place.cuts))))
        return followed

    async def _follow(self) -> None:
        assert self._tail is not None
        while True:
            found = await self._tail.getmany(timeout_ms=1_000, max_records=_MAX_RECORDS)
            for tp, records in found.items():
                self._see(tp, self._followed[tp.partition], records)
            if found:
                self._moved.set()
                await asyncio.sleep(0)

    def _see(self, tp: TopicPartition, followed: _Followed, records: Sequence[Record]) -> None:
        partition = tp.partition
        for record in records:
            followed.next_offset = record.offset + 1
            verdict = followed.reader.see(record.value)
            if verdict is Verdict.VALID:
                self._entry(partition, followed, record)
            elif verdict is Verdict.CLAIMED:
                self._tell("on_claim", partition, followed.reader.record.owner_started, True)
            elif verdict in {Verdict.CUT, Verdict.SEALED}:
                self._tell("on_cut", partition)
            elif verdict is Verdict.REWIND:
                self._rewind(tp, followed)
                return
            elif followed.reader.record.HasField("owner_started"):
                self._tell("on_claim", partition, followed.reader.record.owner_started, False)
        _mark(followed)

    def _entry(self, partition: int, followed: _Followed, record: Record) -> None:
        entry = followed.reader.record.entry
        read = EntryRead(partition, entry, record.offset)
        try:
            differing = followed.state.replay(entry, record.value or b"")
        except Exception as error:
            log.exception("a replay failed", extra={"partition": partition, "seq": entry.seq})
            differing = [f"replay failed: {error!r}"]
        if differing:
            followed.divergences += 1
            log.error(
                "a replay differs from the journal",
                extra={"topic": self.topic, "partition": partition, "seq": entry.seq, "differing": differing},
            )
            self._tell("on_divergence", read, differing)
        if entry.seq % _CHECKPOINT_EVERY == 0:
            place = followed.reader.place
            followed.checkpoints.append((followed.next_offset, replace(place, cuts=dict(place.cuts))))
        self._tell("on_entry", read)
        self.waiters.resolve(entry.input.id, entry.outcome, partition, entry.seq)
        while followed.waiting and followed.waiting[0][0] <= entry.seq:
            future = heapq.heappop(followed.waiting)[2]
            if not future.done():
                future.set_result(None)

    def _rewind(self, tp: TopicPartition, followed: _Followed) -> None:
        assert self._tail is not None
        place = ReaderPlace(cuts=followed.reader.place.cuts)
        rebuilt = _Followed(
            JournalReader(place), PartitionState(self.service, self.new_fold()), 0, followed.next_offset
        )
        rebuilt.waiting = followed.waiting
        rebuilt.checkpoints.append((0, replace(place, cuts=dict(place.cuts))))
        self._followed[tp.partition] = rebuilt
        self._tail.seek(tp, 0)
        self._tell("on_cut", tp.partition)

    def _tell(self, method: str, *arguments: object) -> None:
        for listener in self._listeners:
            try:
                getattr(listener, method)(*arguments)
            except Exception:
                log.exception("a listener of the journal failed", extra={"call": method})

    def _get(self, partition: int) -> _Followed:
        followed = self._followed.get(partition)
        if followed is None:
            raise Restoring(f"partition {partition} of {self.topic} is not read yet")
        return followed

    async def _close_tail(self) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            await tail.close()


def _mark(followed: _Followed) -> None:
    if followed.next_offset >= followed.end:
        followed.caught_up.set()
