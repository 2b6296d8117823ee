"""The router's journal as what people did in each pool of a tenant."""

from __future__ import annotations

from dataclasses import dataclass, field

from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal.errors import JournalError
from junctor_journal.log import Log
from junctor_journal.message_types import unpack
from junctor_journal.record import pack
from junctor_router.application.messages import command_of, event_message
from junctor_router.application.recorded_behaviour import Begin, Behaviour

from junctor_cli.journal_entries import JournalEntries

_APART = 2
"""Between two entries there is room for a tick that came late."""


class NotTheSame(JournalError):
    """This version of the router decides otherwise than the one that wrote the journal. A retry does not help."""

    code = "FAILED_PRECONDITION"


@dataclass(slots=True)
class RecordedPool:
    """`begin` is the pool at the wanted moment (Unix ms), `ended` the moment of its last entry."""

    name: str
    behaviour: Behaviour
    begin: Begin | None = None
    ended: int = 0
    thresholds_ms: dict[str, int] = field(default_factory=dict)


async def read_pools(log: Log, tenant: str, begins: int) -> list[RecordedPool]:
    """The tenant's pools by name. Raises `JournalTruncated`, `NotTheSame`, `LogUnavailable`."""
    entries = pools_in(log, tenant, begins)
    await entries.open()
    try:
        await entries.read_on()
    finally:
        await entries.close()
    return recorded(entries)


def pools_in(log: Log, tenant: str, begins: int) -> JournalEntries[PoolTaker]:
    """The router's journal, to be opened and read."""
    return JournalEntries(log, "router", lambda: PoolTaker(tenant, begins))


def recorded(entries: JournalEntries[PoolTaker]) -> list[RecordedPool]:
    """The pools as far as they are read, by name."""
    found: dict[str, RecordedPool] = {}
    for taker in entries.takers.values():
        found |= taker.pools
    for pool in found.values():
        pool.behaviour.finish()
    return [pool for _, pool in sorted(found.items())]


class PoolTaker:
    """Takes one partition's entries of a tenant."""

    def __init__(self, tenant: str, begins: int) -> None:
        self.pools: dict[str, RecordedPool] = {}
        self._tenant, self._begins = tenant, begins

    def __call__(self, entry: pb.Entry) -> None:
        if entry.input.tenant != self._tenant or entry.HasField("dead"):
            return
        body = unpack(entry.input.body)
        name = entry.input.stream
        pool = self.pools.get(name)
        if pool is None:
            if not isinstance(body, router_pb2.ConfigurationChanged):
                return
            pool = self.pools[name] = RecordedPool(name, Behaviour(self._tenant, name))
        if pool.begin is None and entry.now >= self._begins:
            pool.begin = pool.behaviour.begin()
        pool.ended = entry.now
        self._note_threshold(pool, body)
        command = command_of(body)
        if command is None:
            return
        events = pool.behaviour.see(entry.seq * _APART, entry.now, command)
        if [pack(event_message(event)) for event in events] != list(entry.events):
            raise NotTheSame(
                f"entry {entry.seq} of the pool {name} is decided otherwise by this version; see `junctor replay`"
            )

    def _note_threshold(self, pool: RecordedPool, body: object) -> None:
        if isinstance(body, router_pb2.ConfigurationChanged) and body.kind == "queue":
            value = directory_pb2.Value()
            if body.value.Unpack(value):
                pool.thresholds_ms[body.id] = value.queue.service_level_ms
