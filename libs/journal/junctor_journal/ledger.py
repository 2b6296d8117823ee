"""A service's journal in one object per process: followed, owned where assigned, asked and told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.apply import Fold
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, NotOwner, Restoring
from junctor_journal.follower import Follower
from junctor_journal.inputs import Inputs
from junctor_journal.log import Log
from junctor_journal.outcome import Outcome, outcome_of
from junctor_journal.owner import Owner, Phase
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.owners import Owners
from junctor_journal.pump import GroupPump, Pump
from junctor_journal.relay import Relay
from junctor_journal.snapshots import Snapshots

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


class NoEffects:
    def on_entry(self, partition: int, entry: EntryRead, mine: bool) -> None:
        """Nothing."""

    def on_ready(self, partition: int, fold: Fold) -> None:
        """Nothing."""

    def on_lost(self, partition: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """`address`: host:port of this process's gRPC server, told to others in claims. `instance_id`: stable across
    restarts of this process; names the group's static member. `sources`: further inputs topics (a mirrored one).
    `snapshot_pause`: seconds between two snapshots. `relay`: publish events."""

    site: str = ""
    address: str = ""
    instance_id: str = ""
    sources: Sequence[str] = ()
    snapshot_every: int = 5_000
    snapshot_pause: float = 5.0
    relay: bool = True
    owner: OwnerSettings = field(default_factory=OwnerSettings)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Ledger:
    """`route` gives the partition of an input (the router's directory); by default the stream's hash does.

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
    ) -> None:
        self.service = service
        self._log = log
        self._effects: Effects = NoEffects() if effects is None else effects
        self._settings = settings or LedgerSettings()
        self._pump: Pump = GroupPump() if pump is None else pump
        self._clock = clock
        self._route = route
        self._report_divergence = on_divergence
        self._follower = Follower(service, log, fold_factory)
        self._follower.listen(self)
        self._owner_settings = _owner_settings(self._settings)
        self._owners = Owners(self._new_owner)
        self._relays: dict[int, Relay] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._snapshots = Snapshots(
            service, log, self._follower, self._relayed, self._settings.snapshot_every, self._settings.snapshot_pause
        )
        self._inputs: Inputs | None = None
        self._unwatch: Callable[[], None] | None = None

    async def start(self) -> None:
        """Starts in the background; `ready` tells when. Where Kafka is away it goes on trying."""
        self._unwatch = self._log.watch(self._log_changed)
        await self._follower.start()
        sources = [topics.inputs(self.service), *self._settings.sources]
        group_id = f"junctor.{self.service}"
        await self._pump.start(self._log, sources, group_id, self._settings.instance_id, self._owners)

    async def stop(self, deadline: float = 10.0) -> None:
        """Drains what this process owns, at most `deadline` seconds, and ends."""
        await self._pump.stop()
        relays = list(self._relays.items())
        await self._owners.close(deadline)
        for partition, relay in relays:
            await relay.drain(self.position(partition), min(1.0, deadline))
        if self._ending:
            await asyncio.wait(self._ending)
        await self._snapshots.stop()
        await self._follower.stop()
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
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
        seen = self._follower.state(partition).window.get(input.id)
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
        """The followed state: read only, current to `position`. Raises `Restoring`."""
        return self._follower.state(partition).fold

    def position(self, partition: int) -> int:
        """The last entry that `state` holds."""
        return self._follower.place(partition).seq

    async def wait_position(self, partition: int, seq: int, deadline: float = 5.0) -> None:
        """Until `state` holds that entry. Raises `DeadlineExceeded` (a retry helps)."""
        await self._follower.wait_position(partition, seq, deadline)

    def owner_address(self, partition: int) -> str | None:
        """Where the partition's owner is reached, by its claim; None before the first one."""
        return self._follower.place(partition).address or None

    def owns(self, partition: int) -> bool:
        owner = self._owners.get(partition)
        return owner is not None and owner.phase is Phase.READY

    def owned(self) -> frozenset[int]:
        return frozenset(owner.partition for owner in self._owners.all() if owner.phase is Phase.READY)

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

    def on_claim(self, partition: int, claim: pb.OwnerStarted, won: bool) -> None:
        owner = self._owners.get(partition)
        if owner is not None:
            owner.on_claim(claim, won)

    def on_cut(self, partition: int) -> None:
        owner = self._owners.get(partition)
        if owner is not None:
            owner.on_cut()

    def on_divergence(self, entry: EntryRead, differing: Sequence[str]) -> None:
        if self._report_divergence is not None:
            self._report_divergence(entry.partition, entry.seq, differing)

    def owner_ready(self, partition: int) -> None:
        if self._settings.relay:
            relay = Relay(self.service, self._settings.site, self._log, self._follower, partition, self._clock)
            self._relays[partition] = relay
            relay.start()
        self._snapshots.begin(partition)
        try:
            self._effects.on_ready(partition, self.state(partition))
        except Exception:
            log.exception("resuming effects failed", extra={"partition": partition})

    def owner_lost(self, partition: int) -> None:
        self._snapshots.end(partition)
        relay = self._relays.pop(partition, None)
        if relay is not None:
            task = asyncio.create_task(self._end_relay(partition, relay))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        try:
            self._effects.on_lost(partition)
        except Exception:
            log.exception("ending effects failed", extra={"partition": partition})

    async def _end_relay(self, partition: int, relay: Relay) -> None:
        await relay.drain(self.position(partition), 1.0)
        await relay.stop()

    def _relayed(self, partition: int) -> int:
        relay = self._relays.get(partition)
        return -1 if relay is None else relay.position

    def _new_owner(self, partition: int) -> Owner:
        return Owner(partition, self._log, self._follower, self._owner_settings, self, self._clock)

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
