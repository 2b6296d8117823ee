"""A service's journal in one object per process: followed, owned where assigned, asked and told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, NotOwner, Restoring
from junctor_journal.far_site import FarSite
from junctor_journal.follower import Follower
from junctor_journal.inputs import Inputs
from junctor_journal.leadership import AlwaysLeader, Leadership
from junctor_journal.log import Log
from junctor_journal.outcome import Outcome, outcome_of
from junctor_journal.owner import Owner, Phase
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.owners import Owners
from junctor_journal.pump import GroupPump, Pump
from junctor_journal.relay import EpochRead, Relay
from junctor_journal.snapshots import Snapshots
from junctor_journal.take_over import TakeOver

log = logging.getLogger(__name__)


class Effects(Protocol):
    """What a service does because of its journal. Called in order, in the event loop: must not block; start tasks of
    your own. Effects are made at least once: derive ids from the entry. An exception is logged and goes no further."""

    def on_entry(self, partition: int, entry: EntryRead, mine: bool) -> None:
        """Each valid entry, in every process that follows, also while it restores. Act outside only where `mine`."""
        ...

    def on_ready(self, partition: int, fold: Fold) -> None:
        """This process owns the partition from here on: resume the effects that the state says are pending."""
        ...

    def on_lost(self, partition: int) -> None:
        """It owns it no more: whatever it does for it is another's now."""
        ...


@runtime_checkable
class SiteEffects(Effects, Protocol):
    """Of a service that two sites may lead."""

    def on_epoch(self, partition: int, started: pb.EpochStarted, mine: bool) -> None:
        """A site epoch began; the state holds what it issued again. Told in every process of both sites, also while it
        restores."""
        ...

    def on_rewind(self, partition: int) -> None:
        """Entries told last do not count any more; entries are told again from an earlier one on, of a state anew."""
        ...


@runtime_checkable
class StandbyEffects(Effects, Protocol):
    """Of a service that does something in each of two sites, whichever leads."""

    def on_follows(self, partition: int, fold: Fold) -> None:
        """This process stands by in a site that does not lead: `fold` is the followed state. Told again where that is made
        anew. `on_lost` ends it, or `on_ready`."""
        ...


class NoEffects:
    def on_entry(self, partition: int, entry: EntryRead, mine: bool) -> None:
        """Nothing."""

    def on_ready(self, partition: int, fold: Fold) -> None:
        """Nothing."""

    def on_lost(self, partition: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class TwoSites:
    """A partition is led by this site or the `other`, whose topics a mirror brings under its name (`b.junctor…`). `far` is
    the other's Kafka, None where it is not to be reached from here; whoever gives it starts and stops it."""

    leadership: Leadership
    other: str
    far: Log | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads a partition, by the journal: site epoch, site and gRPC address of the owner, and the last entry here.
    `begun_at` is when that site epoch began (Unix ms). `waiting`: entries read that wait for others to come."""

    partition: int
    site_epoch: int
    site: str
    address: str
    seq: int
    begun_at: int
    phase: Phase | None
    waiting: int


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """`address`: host:port of this process's gRPC server, told to others in claims. `instance_id`: stable across
    restarts of this process; names the group's static member. `snapshot_pause`: seconds from the beginning of a snapshot
    to that of the next. `relay`: publish events."""

    site: str = ""
    address: str = ""
    instance_id: str = ""
    snapshot_every: int = 5_000
    snapshot_pause: float = 5.0
    relay: bool = True
    owner: OwnerSettings = field(default_factory=OwnerSettings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ledger:
    """`route` gives the partition of an input (the router's directory); by default the stream's hash does. `sites`: where
    there are two.

    `on_divergence(partition, seq, differing)` is called where a replay differs from the journal: count it, alarm.
    """

    def __init__(
        self,
        service: str,
        log: Log,
        fold_factory: Callable[[], Fold],
        effects: Effects | None = None,
        *,
        settings: LedgerSettings | None = None,
        pump: Pump | None = None,
        clock: Callable[[], int] = _now_ms,
        route: Callable[[pb.Input], int] | None = None,
        on_divergence: Callable[[int, int, Sequence[str]], None] | None = None,
        sites: TwoSites | None = None,
    ) -> None:
        self.service = service
        self._log = log
        self._effects: Effects = NoEffects() if effects is None else effects
        self._settings = settings or LedgerSettings()
        self._pump: Pump = GroupPump() if pump is None else pump
        self._clock = clock
        self._route = route
        self._report_divergence = on_divergence
        self._leadership: Leadership = AlwaysLeader() if sites is None else sites.leadership
        others = () if sites is None else (sites.other,)
        mirrored = [topics.of_site(other, topics.journal(service)) for other in others]
        self._follower = Follower(service, log, fold_factory, mirrored)
        self._follower.listen(self)
        self._owner_settings = _owner_settings(self._settings)
        far = None if sites is None or sites.far is None else FarSite(sites.other, sites.far, log)
        self._take_over = TakeOver(self._follower, self._owner_settings, far)
        self._sources = [
            topics.inputs(service),
            *(topics.of_site(other, topics.inputs(service)) for other in others),
        ]
        self._owners = Owners(self._new_owner)
        self._relays: dict[int, Relay] = {}
        self._restart_relay: set[int] = set()
        self._standing_by: set[int] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._snapshots = Snapshots(
            service, log, self._follower, self._relayed, self._settings.snapshot_every, self._settings.snapshot_pause
        )
        self._inputs: Inputs | None = None
        self._unwatch: Sequence[Callable[[], None]] = ()

    async def start(self) -> None:
        """Starts in the background; `ready` tells when. Where Kafka is away it goes on trying."""
        self._unwatch = (self._log.watch(self._log_changed), self._leadership.watch(self._grant_changed))
        await self._follower.start()
        sources = self._sources
        group_id = f"junctor.{self.service}"
        await self._pump.start(self._log, sources, group_id, self._settings.instance_id, self._owners)

    async def stop(self, deadline: float = 10.0) -> None:
        """Drains what this process owns, at most `deadline` seconds, and ends."""
        await self._pump.stop()
        relays = list(self._relays.values())
        await self._owners.close(deadline)
        for relay in relays:
            await relay.drain(min(1.0, deadline))
        if self._ending:
            await asyncio.wait(self._ending)
        await self._snapshots.stop()
        await self._follower.stop()
        for end in self._unwatch:
            end()
        self._unwatch = ()
        self._follower.waiters.fail_all(LogUnavailable("this process stops"))

    @property
    def ready(self) -> bool:
        """Whether every partition's state is read and this process takes part. For the readiness probe."""
        return self._follower.ready and self._pump.ready

    async def wait_ready(self) -> None:
        while not self.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def command(self, input: pb.Input, deadline: float = 5.0) -> Outcome:
        """Appends the input and gives what its record, read back, says; a seen id gets the recorded outcome.

        Raises `LogUnavailable`, `DeadlineExceeded`, `Restoring`: retry with the same id. `RecordTooLarge`: do not.
        """
        inputs = self._ready_inputs()
        partition = inputs.partition_of(input)
        seen = self._follower.seen(partition, input.id)
        if seen is not None:
            return outcome_of(pb.Outcome.FromString(seen.outcome), partition, seen.seq)
        waiting = self._follower.waiters.wait(input.id)
        try:
            async with asyncio.timeout(deadline):
                await inputs.append(input)
                return await waiting
        except TimeoutError as error:
            raise DeadlineExceeded(f"input {input.id} was not applied in time") from error
        finally:
            self._follower.waiters.forget(input.id, waiting)
            _consume(waiting)

    async def tell(self, input: pb.Input) -> None:
        """Appends the input and does not wait for its outcome. Raises `LogUnavailable`, `Restoring`, `RecordTooLarge`."""
        await self._ready_inputs().append(input)

    async def append_inputs(self, inputs: Sequence[pb.Input]) -> None:
        """Appends the inputs, those of a partition in their order. Raises as `tell`: retry all, with the same ids."""
        await self._ready_inputs().append_many(inputs)

    async def submit(self, partition: int, input: pb.Input, deadline: float = 5.0) -> Outcome:
        """Gives an input straight to this process's owner. Raises `NotOwner`, `DeadlineExceeded`: retry with the same id."""
        owner = self._owners.get(partition)
        if owner is None:
            raise NotOwner(f"partition {partition} is not owned here")
        waiting = owner.submit(input)
        try:
            async with asyncio.timeout(deadline):
                return await waiting
        except TimeoutError as error:
            raise DeadlineExceeded(f"input {input.id} was not read back in time") from error

    def submit_nowait(self, partition: int, input: pb.Input) -> asyncio.Future[Outcome]:
        """As `submit`, without a deadline. Raises `NotOwner` at once, or from the future."""
        owner = self._owners.get(partition)
        if owner is None:
            raise NotOwner(f"partition {partition} is not owned here")
        return owner.submit(input)

    def partition_of(self, tenant: str, stream: str) -> int:
        """The partition of a stream. Raises `Restoring` before the topics are known."""
        return self._ready_inputs().partition_of(pb.Input(tenant=tenant, stream=stream))

    @property
    def partitions(self) -> int:
        """How many the journal has; 0 before it is known."""
        return self._follower.partitions

    def state(self, partition: int) -> Fold:
        """The followed state: read only, current to `position`; where this process owns the partition and its fold has no
        cheap copies, ahead of that: see `confirmed`. Raises `Restoring`."""
        return self._follower.state(partition).fold

    def position(self, partition: int) -> int:
        """The last entry that was read back."""
        return self._follower.position(partition)

    def decided(self, partition: int) -> int:
        """The last entry that `state` holds."""
        return self._follower.state(partition).seq

    async def confirmed(self, partition: int, deadline: float = 5.0) -> None:
        """Until all that `state` holds now is read back: to be awaited between reading from it and answering.

        Raises `LogUnavailable` where it never will be, `DeadlineExceeded`, `Restoring`: nothing may be answered then; ask
        again.
        """
        await self._follower.confirmed(partition, deadline)

    async def wait_position(self, partition: int, seq: int, deadline: float = 5.0) -> None:
        """Until `state` holds that entry. Raises `DeadlineExceeded` (a retry helps)."""
        await self._follower.wait_position(partition, seq, deadline)

    def owner_address(self, partition: int) -> str | None:
        """Where the partition's owner is reached, in whichever site, by its claim; None before the first one."""
        return self._follower.leading_place(partition).address or None

    def lead(self, partition: int) -> Lead:
        """Who leads the partition. Raises `Restoring`."""
        place = self._follower.leading_place(partition)
        chain = self._follower.chain(partition)
        begun = chain.lineage.begun(chain.site_epoch)
        owner = self._owners.get(partition)
        return Lead(
            partition,
            chain.site_epoch,
            "" if begun is None else begun.started.site,
            place.address,
            chain.seq,
            0 if begun is None else begun.started.now,
            None if owner is None else owner.phase,
            chain.waiting,
        )

    async def hand_over(self, partition: int, to_site: str, deadline: float = 5.0) -> None:
        """Seals the journal behind what was taken, and passes the lead to the other site (a planned shift).

        Raises `NotOwner`, `DeadlineExceeded`, `LogUnavailable`: it leads on, and a retry helps.
        """
        owner = self._owners.get(partition)
        if owner is None:
            raise NotOwner(f"partition {partition} is not owned here")
        await owner.hand_over(to_site, deadline)

    def owns(self, partition: int) -> bool:
        owner = self._owners.get(partition)
        return owner is not None and owner.phase is Phase.READY

    def owned(self) -> frozenset[int]:
        return frozenset(owner.partition for owner in self._owners.all() if owner.phase is Phase.READY)

    @property
    def deciding(self) -> bool:
        """Whether this process owns something and reads the inputs of all that it owns."""
        return bool(self._owners.all()) and self._owners.settled

    @property
    def follower(self) -> Follower:
        return self._follower

    @property
    def owners(self) -> Owners:
        return self._owners

    # -- what the follower and the owners tell --

    def on_entry(self, entry: EntryRead) -> None:
        partition = entry.partition
        owner = self._owners.get(partition)
        mine = owner is not None and owner.is_mine(entry)
        relay = self._relays.get(partition)
        if relay is not None:
            relay.push(entry)
            self._snapshots.on_entry(partition, entry.seq)
        self._effects.on_entry(partition, entry, mine)

    def on_claim(self, partition: int, topic: str, claim: pb.OwnerStarted, won: bool) -> None:
        self._leadership.seen(partition, claim.epoch.site_epoch)
        owner = self._owners.get(partition)
        if owner is not None and topic == self._follower.topic:
            owner.on_claim(claim, won)

    def on_epoch(self, partition: int, topic: str, started: pb.EpochStarted) -> None:
        self._leadership.seen(partition, started.epoch.site_epoch)
        owner = self._owners.get(partition)
        mine = owner is not None and owner.on_epoch(started)
        relay = self._relays.get(partition)
        if relay is not None:
            relay.push(EpochRead(started))
        if isinstance(self._effects, SiteEffects):
            self._effects.on_epoch(partition, started, mine)

    def on_seal(self, partition: int, topic: str, sealed: pb.Sealed, equal: bool) -> None:
        owner = self._owners.get(partition)
        if topic != self._follower.topic:
            if not equal:
                self._take_over.unequal[partition] = sealed.seq
        elif owner is not None:
            owner.on_seal(sealed)

    def on_cut(self, partition: int, topic: str) -> None:
        owner = self._owners.get(partition)
        if owner is not None and topic == self._follower.topic:
            owner.on_cut()

    def on_rewind(self, partition: int) -> None:
        owner = self._owners.get(partition)
        if owner is not None:
            owner.on_cut()
        if self._end_relay_of(partition):
            self._restart_relay.add(partition)
        if isinstance(self._effects, SiteEffects):
            self._effects.on_rewind(partition)

    def on_rebuilt(self, partition: int) -> None:
        if partition in self._restart_relay:
            self._restart_relay.discard(partition)
            self._start_relay(partition)
        if partition in self._standing_by:
            self._tell_follows(partition)

    def on_divergence(self, partition: int, seq: int, differing: Sequence[str]) -> None:
        if self._report_divergence is not None:
            self._report_divergence(partition, seq, differing)

    def owner_follows(self, partition: int) -> None:
        self._start_relay(partition)
        self._snapshots.begin(partition)
        self._standing_by.add(partition)
        self._tell_follows(partition)

    def owner_ready(self, partition: int) -> None:
        self._standing_by.discard(partition)
        self._start_relay(partition)
        self._snapshots.begin(partition)
        try:
            self._effects.on_ready(partition, self.state(partition))
        except Exception:
            log.exception("resuming effects failed", extra={"partition": partition})

    def owner_lost(self, partition: int) -> None:
        self._end_parts(partition)
        self._tell_lost(partition)

    def owner_gone(self, partition: int) -> None:
        self._end_parts(partition)
        if partition in self._standing_by:
            self._standing_by.discard(partition)
            self._tell_lost(partition)

    def _tell_follows(self, partition: int) -> None:
        if not isinstance(self._effects, StandbyEffects):
            return
        try:
            self._effects.on_follows(partition, self.state(partition))
        except Exception:
            log.exception("standing by failed", extra={"partition": partition})

    def _tell_lost(self, partition: int) -> None:
        try:
            self._effects.on_lost(partition)
        except Exception:
            log.exception("ending effects failed", extra={"partition": partition})

    def _end_parts(self, partition: int) -> None:
        self._restart_relay.discard(partition)
        self._snapshots.end(partition)
        self._end_relay_of(partition)

    def _start_relay(self, partition: int) -> None:
        if self._settings.relay and partition not in self._relays:
            relay = Relay(self.service, self._settings.site, self._log, self._follower, partition, self._clock)
            self._relays[partition] = relay
            relay.start()

    def _end_relay_of(self, partition: int) -> bool:
        relay = self._relays.pop(partition, None)
        if relay is None:
            return False
        task = asyncio.create_task(self._end_relay(relay))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return True

    async def _end_relay(self, relay: Relay) -> None:
        await relay.drain(1.0)
        await relay.stop()

    def _relayed(self, partition: int) -> tuple[int, int]:
        relay = self._relays.get(partition)
        return (-1, -1) if relay is None else relay.position

    def _new_owner(self, partition: int) -> Owner:
        return Owner(
            partition,
            self._log,
            self._follower,
            self._owner_settings,
            self._leadership,
            self._take_over,
            self._sources,
            self,
            self._clock,
        )

    def _grant_changed(self, partition: int) -> None:
        owner = self._owners.get(partition)
        if owner is not None:
            owner.grant_changed()

    def _ready_inputs(self) -> Inputs:
        if self._inputs is None:
            if self._follower.partitions == 0:
                raise Restoring(f"the journal of {self.service} is not read yet")
            self._inputs = Inputs(self._log, self.service, self._follower.partitions, self._route)
        return self._inputs

    def _log_changed(self, available: bool) -> None:
        if not available:
            self._follower.waiters.fail_all(LogUnavailable("Kafka is away"))


def _owner_settings(settings: LedgerSettings) -> OwnerSettings:
    return replace(settings.owner, site=settings.site, address=settings.address)


def _consume(future: asyncio.Future[Outcome]) -> None:
    if future.done() and not future.cancelled():
        future.exception()
    else:
        future.cancel()
