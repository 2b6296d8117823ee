"""The one who decides for a partition, for as long as the log says so.

O1 Start from the follower's state, read to the journal's present end.
O2 A new producer per reign. Its first record is the claim, under a random id: the site epoch is the one granted to this
   site (S1), the owner epoch one above the highest read in it. Where a journal shows a higher site epoch, it follows.
O3 Read on to the own claim. If it does not count there, the race is lost; else the state at that very record is the base.
   The first owner of a site epoch adopts the newest one that began, in whichever journal, and writes `EpochStarted`
   behind its last entry here (`take_over`); the state at that record is then the base.
O4 Inputs are read again from behind the highest offset that the state has applied; lower ones, and seen ids, are skipped.
O5 Apply, append in batches; `now` never goes back. What comes while one is being written goes into the next: the appends
   are pipelined only where more waits than one takes.
O6 Effects are the follower's: they are made of what was read back.
O7 An append that failed or took too long, a higher claim, a cut: drop the state, abandon the producer, start at O1.
   After a higher claim, wait two heartbeats first. Never claim while the assignment is in doubt or gone.
O8 Once the grant is not confirmed any more, take no input and append nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from google.protobuf.message import DecodeError
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.apply import Due
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, NotOwner, Overtaken, Restoring
from junctor_journal.follower import Follower
from junctor_journal.leadership import Grant, Leadership
from junctor_journal.log import Appender, Log, NewRecord, Record
from junctor_journal.outcome import Outcome, outcome_of
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.partition_state import PartitionState, Reign, Unreadable
from junctor_journal.record import EpochPair, encode, pack, tick_id
from junctor_journal.resume import resume_offsets
from junctor_journal.take_over import HandoverFailed, HigherSiteEpoch, TakeOver

log = logging.getLogger(__name__)

ATTEMPTS_HEADER = "junctor-attempts"


class Phase(Enum):
    FOLLOWING = "following"
    """Its site does not lead the partition."""
    FENCING = "fencing"
    """Writes its claim."""
    RESTORING = "restoring"
    """Reads on to its claim, and begins a new site epoch."""
    READY = "ready"
    """Applies inputs. Only then."""
    DRAINING = "draining"
    """Takes nothing new; what it was given is written and read back."""
    DEAD = "dead"
    """Will never own again."""


class OwnerListener(Protocol):
    """`owner_follows`: this process stands by in a site that does not lead. `owner_gone`: the owner is closed."""

    def owner_follows(self, partition: int) -> None: ...

    def owner_ready(self, partition: int) -> None: ...

    def owner_lost(self, partition: int) -> None: ...

    def owner_gone(self, partition: int) -> None: ...


class _Local(NamedTuple):
    input: pb.Input


class Owner:
    """Reigns again and again until it is retired. `sources`: the inputs topics. `clock` gives Unix milliseconds."""

    def __init__(
        self,
        partition: int,
        log: Log,
        follower: Follower,
        settings: OwnerSettings,
        leadership: Leadership,
        take_over: TakeOver,
        sources: Sequence[str],
        listener: OwnerListener,
        clock: Callable[[], int],
    ) -> None:
        self.partition = partition
        self.phase = Phase.FENCING
        self.reign: Reign | None = None
        self.state: PartitionState | None = None
        self.reigns = 0
        self._log = log
        self._follower = follower
        self._settings = settings
        self._leadership = leadership
        self._take_over = take_over
        self._sources = sources
        self._listener = listener
        self._clock = clock
        self._key = str(partition).encode()
        self._retired = False
        self._doubt = False
        self._sought = False
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._records: deque[Record] = deque()
        self._local: deque[_Local] = deque()
        self._submitted: dict[asyncio.Future[Outcome], str] = {}
        self._grant: Grant | None = None
        self._granted = asyncio.Event()
        self._claim: asyncio.Future[bool] | None = None
        self._claimed = False
        self._stands_by = False
        self._begun: asyncio.Future[None] | None = None
        self._seal: asyncio.Future[None] | None = None
        self._resume: dict[str, int] = {}
        self._appender: Appender | None = None
        self._failure: Exception | None = None
        self._written: set[Awaitable[int]] = set()
        self._ticks_after = 0

    # -- what others tell it --

    def start(self) -> None:
        self._task = asyncio.create_task(self._live(), name=f"own {self._follower.topic}/{self.partition}")

    def doubt(self, doubtful: bool) -> None:
        """While the assignment is in doubt (a rebalance), it goes on, but claims nothing."""
        self._doubt = doubtful
        self._wake.set()

    @property
    def doubtful(self) -> bool:
        """Whether its assignment is in doubt."""
        return self._doubt

    def grant_changed(self) -> None:
        """The leadership says something else than before, or a journal shows another site epoch."""
        self._granted.set()
        self._wake.set()

    def retire(self) -> None:
        """At once: applies and claims nothing more. `close` must follow."""
        self._retired = True
        if self.phase is not Phase.DRAINING:
            self._end(NotOwner(f"partition {self.partition} is given up"))

    async def drain(self, deadline: float) -> None:
        """Takes nothing new, applies what was submitted here, waits until it is read back; at most `deadline` seconds."""
        state = self.state
        if self.phase is not Phase.READY or state is None:
            return
        self.phase = Phase.DRAINING
        self._records.clear()
        self._wake.set()
        until = asyncio.get_running_loop().time() + deadline
        while self._failure is None and asyncio.get_running_loop().time() < until:
            if not self._local and self._follower.position(self.partition) >= state.seq:
                return
            await asyncio.sleep(0.01)

    async def hand_over(self, to_site: str, deadline: float) -> None:
        """Drains, seals the journal as its last record, and passes the lead on at that entry.

        Raises `NotOwner`; `DeadlineExceeded` where it was not sealed in time, then it leads on; `LogUnavailable` where
        the register did not answer: it leads on unless the lead turns out to have been passed on.
        """
        if self.phase is not Phase.READY or self.state is None or self.reign is None or self._grant is None:
            raise NotOwner(f"partition {self.partition} is {self.phase.value} here")
        grant, reign = self._grant, self.reign
        self._seal = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(deadline):
                await self.drain(deadline)
                state = self.state
                if self._failure is not None or state is None or self._appender is None:
                    raise NotOwner(f"partition {self.partition} was lost before it was sealed")
                sealed = pb.Sealed(
                    epoch=reign.epoch.to_proto(),
                    owner_id=reign.owner_id,
                    seq=state.seq,
                    hash=state.hash,
                    state_hash=state.state_hash(),
                    to_site=to_site,
                )
                await self._appender.append([NewRecord(self._key, encode(pb.JournalRecord(sealed=sealed)))])
                await self._seal
            await self._leadership.hand_over(self.partition, grant.site_epoch, to_site, sealed.seq, sealed.hash)
        except TimeoutError as error:
            raise DeadlineExceeded(f"partition {self.partition} was not sealed in time") from error
        finally:
            self._seal = None
            self._end(NotOwner(f"partition {self.partition} is handed over"))

    async def close(self) -> None:
        self.retire()
        self.phase = Phase.DEAD
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._listener.owner_gone(self.partition)

    @property
    def backlog(self) -> int:
        """How many records wait to be applied."""
        return len(self._records)

    def wants_seek(self) -> bool:
        """True when it has become ready and its sources must be read from `resume_at` on."""
        return self.phase is Phase.READY and not self._sought

    def resume_at(self, topic: str, partition: int) -> int:
        """The offset to read that source from."""
        applied = -1 if self.state is None else self.state.position((self._settings.site, topic))
        return max(applied + 1, self._resume.get(topic, 0))

    def sought(self) -> None:
        """The sources are read from `resume_at` on, from now on."""
        self._records.clear()
        self._sought = True

    def unsought(self) -> None:
        """Its sources are read by nobody now: what comes is ignored until they are sought again."""
        self._records.clear()
        self._sought = False

    def put_batch(self, records: Sequence[Record]) -> None:
        """Records of the inputs topic, in order. Ignored unless ready and sought: they are read again then."""
        if self._sought and self.phase is Phase.READY:
            self._records.extend(records)
            self._wake.set()

    def submit(self, input: pb.Input) -> asyncio.Future[Outcome]:
        """An input made in this process; the outcome comes when its record is read back.

        Raises `NotOwner` here, or from the future when the partition is lost meanwhile. A retry with the same id helps.
        """
        if self.phase is not Phase.READY:
            raise NotOwner(f"partition {self.partition} is {self.phase.value} here")
        seen = self._follower.seen(self.partition, input.id)
        if seen is not None:
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            future.set_result(outcome_of(pb.Outcome.FromString(seen.outcome), self.partition, seen.seq))
            return future
        future = self._follower.waiters.wait(input.id)
        self._submitted[future] = input.id
        future.add_done_callback(self._forget)
        self._local.append(_Local(input))
        self._wake.set()
        return future

    # -- what the journal tells it --

    def on_claim(self, claim: pb.OwnerStarted, won: bool) -> None:
        """A claim in the own journal."""
        mine = self.reign is not None and claim.owner_id == self.reign.owner_id
        if mine and self._claim is not None and not self._claim.done():
            self._claimed = won
            if won and self._follower.place(self.partition).begun == claim.epoch.site_epoch:
                self.state = self._follower.lend(self.partition)
            self._claim.set_result(won)
        elif won and not mine and self._claimed:
            self._end(Overtaken(f"partition {self.partition} has a higher claim"))

    def on_epoch(self, started: pb.EpochStarted) -> bool:
        """A site epoch began, here or in another site; the followed state is behind it. True where this owner began it."""
        if self.reign is None or not self._claimed:
            return False
        if started.owner_id == self.reign.owner_id and self._begun is not None and not self._begun.done():
            self.state = self._follower.lend(self.partition)
            self._begun.set_result(None)
            return True
        if started.epoch.site_epoch > self.reign.epoch.site:
            self._end(Overtaken(f"partition {self.partition} has a higher site epoch"))
        return False

    def on_seal(self, sealed: pb.Sealed) -> None:
        mine = self.reign is not None and sealed.owner_id == self.reign.owner_id
        if mine and self._seal is not None and not self._seal.done():
            self._seal.set_result(None)

    def on_cut(self) -> None:
        if self._claimed:
            self._end(LogUnavailable(f"the journal of partition {self.partition} was cut"))

    def is_mine(self, entry: EntryRead) -> bool:
        reign = self.reign
        return (
            reign is not None
            and self.phase in {Phase.READY, Phase.DRAINING}
            and entry.record.owner_id == reign.owner_id
        )

    # -- reigns --

    async def _live(self) -> None:
        failures = 0
        while not self._retired:
            began = asyncio.get_running_loop().time()
            wait = 0.0
            try:
                await self._until_certain()
                await self._reign()
            except asyncio.CancelledError:
                raise
            except Overtaken as error:
                wait = self._settings.reclaim_after * (1 + random.random() / 2)  # noqa: S311
                self._report("a partition was overtaken", error)
            except (HigherSiteEpoch, HandoverFailed) as error:
                self._report("a grant is given up", error)
                await self._give_up()
            except (NotOwner, LogUnavailable, Restoring) as error:
                self._report("a reign ended", error)
            except Exception:
                log.exception("a reign failed", extra={"partition": self.partition})
            failures = 0 if asyncio.get_running_loop().time() - began > 10 else failures + 1
            backoff = min(self._settings.backoff_limit, self._settings.backoff * 2**failures)
            if not self._retired:
                await asyncio.sleep(wait or backoff * (0.5 + random.random()))  # noqa: S311

    async def _until_certain(self) -> None:
        while self._doubt:
            self._wake.clear()
            await self._wake.wait()

    async def _reign(self) -> None:
        appender: Appender | None = None
        was_ready = False
        try:
            self._failure, self._sought, self._claimed = None, False, False
            self._grant = await self._await_grant()
            self.phase = Phase.FENCING
            self._appender = appender = await self._log.appender(self._follower.topic, self.partition)
            if self._doubt or self._retired or not self._may(self._grant):
                return
            claim = await self._claim_journal(appender, self._grant)
            if self.state is None:
                await self._begin(appender, self._grant, claim)
            assert self.state is not None
            self._resume = await resume_offsets(
                self._log, self._settings.site, self._sources, self.partition, self.state
            )
            if self._failure is not None:
                raise self._failure
            self.phase = Phase.READY
            self.reigns += 1
            was_ready = True
            log.info("partition owned", extra={"topic": self._follower.topic, "partition": self.partition})
            self._listener.owner_ready(self.partition)
            await self._serve(appender)
        finally:
            self._drop()
            if was_ready:
                self._stands_by = False
                self._listener.owner_lost(self.partition)
            if appender is not None:
                await asyncio.shield(appender.abandon())

    async def _await_grant(self) -> Grant:
        """The grant to claim under; until there is one, this site follows."""
        while True:
            self._granted.clear()
            grant = self._leadership.granted(self.partition)
            if grant is not None and self._may(grant):
                await self._follower.reach_end(self.partition)
                if not self._is_anothers(grant.site_epoch):
                    return grant
                self._leadership.seen(self.partition, self._follower.highest_site_epoch(self.partition))
                await self._leadership.give_up(self.partition, grant.site_epoch)
            self.phase = Phase.FOLLOWING
            if not self._stands_by:
                await self._follower.reach_end(self.partition)
                self._stands_by = True
                self._listener.owner_follows(self.partition)
            await self._granted.wait()

    def _is_anothers(self, site_epoch: int) -> bool:
        """Whether a journal shows a higher site epoch (S1), or this one under another site's name."""
        if self._follower.highest_site_epoch(self.partition) > site_epoch:
            return True
        for topic in self._follower.topics:
            place = self._follower.place_in(self.partition, topic)
            if place.epoch.site == site_epoch and place.site != self._settings.site:
                log.critical(
                    "a site epoch is granted to this site that another one has claimed; is its name right?",
                    extra={"partition": self.partition, "site_epoch": site_epoch, "claimed_by": place.site},
                )
                return True
        return False

    def _may(self, grant: Grant) -> bool:
        """Whether that grant is still good (O8)."""
        partition, now = self.partition, asyncio.get_running_loop().time()
        return now < self._leadership.confirmed_until(partition) and self._leadership.granted(partition) == grant

    async def _give_up(self) -> None:
        if self._grant is not None:
            self._leadership.seen(self.partition, self._follower.highest_site_epoch(self.partition))
            await self._leadership.give_up(self.partition, self._grant.site_epoch)

    async def _claim_journal(self, appender: Appender, grant: Grant) -> pb.OwnerStarted:
        before = self._follower.place(self.partition).epoch
        site_epoch = grant.site_epoch
        epoch = EpochPair(site_epoch, before.owner + 1 if site_epoch == before.site else 1)
        self.reign = Reign(epoch, secrets.randbits(63) | 1)
        claim = pb.OwnerStarted(
            epoch=epoch.to_proto(),
            owner_id=self.reign.owner_id,
            address=self._settings.address,
            site=self._settings.site,
            claimed_at=self._clock(),
        )
        self._claim = asyncio.get_running_loop().create_future()
        self.phase = Phase.RESTORING
        written = await appender.append([NewRecord(self._key, encode(pb.JournalRecord(owner_started=claim)))])
        try:
            async with asyncio.timeout(self._settings.claim_timeout):
                await written
                won = await self._claim
        except TimeoutError as error:
            raise LogUnavailable("a claim was not read back in time") from error
        if not won:
            raise NotOwner("another claim of the same epoch came first")
        if self._failure is not None:
            raise self._failure
        return claim

    async def _begin(self, appender: Appender, grant: Grant, claim: pb.OwnerStarted) -> None:
        """Reads on to where the newest site epoch ends, begins the granted one there, and waits to read that back."""
        reign = self.reign
        assert reign is not None
        await self._take_over.read_on(self.partition, grant, claim)
        self._begun = asyncio.get_running_loop().create_future()
        self._follower.hold(self.partition, grant.site_epoch)
        try:
            if self._failure is not None:
                raise self._failure
            if not self._may(grant):
                raise NotOwner("the lead is not confirmed")
            state = self._follower.state(self.partition)
            now = max(self._clock(), state.now)
            started = pb.EpochStarted(
                epoch=reign.epoch.to_proto(),
                owner_id=reign.owner_id,
                previous_site_epoch=state.site_epoch,
                cut_seq=state.seq,
                cut_hash=state.hash,
                reissued=state.reissued(grant.site_epoch, now),
                now=now,
                partition=self.partition,
                site=self._settings.site,
            )
            written = await appender.append([NewRecord(self._key, encode(pb.JournalRecord(epoch_started=started)))])
            try:
                async with asyncio.timeout(self._settings.claim_timeout):
                    await written
                    await self._begun
            except TimeoutError as error:
                raise LogUnavailable("the beginning of a site epoch was not read back in time") from error
        finally:
            self._follower.release(self.partition)

    async def _serve(self, appender: Appender) -> None:
        state, reign, grant = self.state, self.reign, self._grant
        assert state is not None
        assert reign is not None
        assert grant is not None
        while True:
            if self._failure is not None:
                raise self._failure
            if not self._may(grant):
                raise NotOwner("the lead is not confirmed")
            self._wake.clear()
            if self._written and len(self._records) < self._settings.batch_inputs:
                await self._wake.wait()
                continue
            values = self._apply_some(state, reign)
            if values:
                if not self._may(grant):
                    raise NotOwner("the lead is not confirmed")
                now = state.now
                written = await appender.append([NewRecord(self._key, value, (), now) for value in values])
                self._watch(written)
                continue
            if not self._records and not self._local and not self._wake.is_set():
                await self._sleep(state)

    async def _sleep(self, state: PartitionState) -> None:
        due = self._due(state)
        if due is None or self.phase is not Phase.READY:
            await self._wake.wait()
            return
        seconds = max(due.at, self._ticks_after) - self._clock()
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds / 1000):
                await self._wake.wait()
        except TimeoutError:
            return

    def _apply_some(self, state: PartitionState, reign: Reign) -> list[bytes]:
        clock = self._clock()
        values: list[bytes] = []
        size = 0
        self._apply_ticks(state, reign, clock, values)
        while self._local and size < self._settings.batch_bytes:
            local = self._local.popleft()
            if local.input.id not in state.window:
                values.append(state.take(reign, local.input, None, clock))
                size += len(values[-1])
        room = self._settings.batch_inputs
        while self._records and room > 0 and size < self._settings.batch_bytes:
            room -= 1
            value = self._apply_record(state, reign, self._records.popleft(), clock)
            if value is not None:
                values.append(value)
                size += len(value)
        return values

    def _apply_record(self, state: PartitionState, reign: Reign, record: Record, clock: int) -> bytes | None:
        site = self._settings.site
        if record.offset <= state.position((site, record.topic)):
            return None
        source = pb.Coordinates(topic=record.topic, partition=record.partition, offset=record.offset, site=site)
        attempts = _attempts(record)
        try:
            input = pb.Input.FromString(record.value or b"")
            if not input.id or not input.HasField("body"):
                raise ValueError("an input has an id and a body")
        except (DecodeError, ValueError) as error:
            why = Unreadable(
                f"no input: {error}", type(error).__name__, record.key or b"", record.value or b"", attempts
            )
            return state.take_unreadable(reign, why, source, clock)
        if input.id in state.window:
            return None
        return state.take(reign, input, source, clock, attempts)

    def _apply_ticks(self, state: PartitionState, reign: Reign, clock: int, values: list[bytes]) -> None:
        if self.phase is not Phase.READY or clock < self._ticks_after:
            return
        for _ in range(self._settings.batch_inputs):
            due = self._due(state)
            if due is None or due.at > clock:
                return
            if self._settings.timers_wait is not None and self._settings.timers_wait(self.partition):
                self._ticks_after = clock + self._settings.stuck_timer_ms
                return
            correlation_id, traceparent = self._settings.correlate(due.stream)
            tick = pb.Input(
                correlation_id=correlation_id,
                traceparent=traceparent,
                id=tick_id(self._follower.topic, self.partition, state.seq + 1),
                tenant=due.tenant,
                stream=due.stream,
                site=self._settings.site,
                body=pack(pb.Tick()),
                made_at=clock,
            )
            values.append(state.take(reign, tick, None, clock))
            if self._due(state) == due:
                log.error("a timer did not move forward", extra={"partition": self.partition, "due": due.at})
                self._ticks_after = clock + self._settings.stuck_timer_ms
                return

    def _due(self, state: PartitionState) -> Due | None:
        due = state.fold.next_due()
        return Due(due) if isinstance(due, int) else due

    def _watch(self, written: Awaitable[int]) -> None:
        future = asyncio.ensure_future(written)
        self._written.add(future)
        future.add_done_callback(self._acknowledged)

    def _acknowledged(self, future: asyncio.Future[int]) -> None:
        self._written.discard(future)
        self._wake.set()
        if not future.cancelled() and (error := future.exception()) is not None:
            self._end(LogUnavailable(f"an append failed: {error}"))

    def _end(self, why: Exception) -> None:
        if self._failure is None:
            self._failure = why
        for awaited in (self._claim, self._begun, self._seal):
            if awaited is not None and not awaited.done():
                awaited.set_exception(why)
                awaited.exception()
        self._wake.set()

    def _drop(self) -> None:
        if self.state is not None:
            self._follower.give_back(self.partition, self.state)
        self.state = self.reign = self._claim = self._begun = self._appender = None
        self._sought = self._claimed = False
        self._records.clear()
        self._local.clear()
        if self.phase not in {Phase.DEAD, Phase.FOLLOWING}:
            self.phase = Phase.FENCING
        submitted, self._submitted = self._submitted, {}
        for future, input_id in submitted.items():
            self._follower.waiters.forget(input_id, future)
            if not future.done():
                future.set_exception(NotOwner(f"partition {self.partition} was lost before the record was read back"))

    def _forget(self, future: asyncio.Future[Outcome]) -> None:
        input_id = self._submitted.pop(future, None)
        if input_id is not None:
            self._follower.waiters.forget(input_id, future)

    def _report(self, message: str, error: Exception) -> None:
        log.warning(message, extra={"topic": self._follower.topic, "partition": self.partition, "reason": str(error)})


def _attempts(record: Record) -> int:
    for name, value in record.headers:
        if name == ATTEMPTS_HEADER and value.isdigit():
            return int(value)
    return 0
