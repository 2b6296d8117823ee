"""Who watches what: hands entries of the journal, as they are read back, to the streams that wait for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.protobuf.message import Message
from junctor.router.v1 import router_pb2 as pb

KEPT = 4_000
"""Changes of agents kept for each partition, for streams that come back."""
WAITING = 1_000
"""Changes that may wait for one stream; one that is slower begins again with a snapshot."""
_NAME_AN_AGENT: frozenset[object] = frozenset(
    getattr(pb, name)
    for name, found in pb.DESCRIPTOR.message_types_by_name.items()
    if "agent_id" in found.fields_by_name
)
"""A message takes long to say that it has no such field."""


class AgentChange(NamedTuple):
    tenant: str
    agent_id: str
    partition: int
    seq: int
    event: Message


@dataclass(slots=True, eq=False)
class Watch:
    """What one stream still has to send. `lost`: some changes were dropped; begin again with a snapshot."""

    changes: deque[AgentChange] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False

    def push(self, change: AgentChange) -> None:
        if len(self.changes) >= WAITING:
            self.changes.clear()
            self.lost = True
        self.changes.append(change)
        self.woken.set()


class Changes:
    """Meets `junctor_journal.ledger.Effects` together with its user: only `entry` is called from there."""

    def __init__(self) -> None:
        self._watches: dict[tuple[str, str], set[Watch]] = {}
        self._kept: dict[int, deque[AgentChange]] = {}
        self._begins: dict[int, int] = {}
        self._moved: dict[str, asyncio.Event] = {}

    def entry(self, partition: int, entry: Any) -> None:
        """An entry that was read back, in order."""
        kept = self._kept.setdefault(partition, deque(maxlen=KEPT))
        if partition not in self._begins:
            self._begins[partition] = entry.seq
        messages = entry.messages
        if not messages:
            return
        tenant, seq = entry.tenant, entry.seq
        self._move(tenant)
        for message in messages:
            agent_id = _agent_of(message)
            if not agent_id:
                continue
            change = AgentChange(tenant, agent_id, partition, seq, message)
            if len(kept) == KEPT:
                self._begins[partition] = kept[0].seq + 1
            kept.append(change)
            for watch in self._watches.get((tenant, agent_id), ()):
                watch.push(change)

    def forget(self, partition: int) -> None:
        """What was told of that partition may not count any more, or has changed without an entry: streams begin again
        with a snapshot."""
        self._kept.pop(partition, None)
        self._begins.pop(partition, None)
        for watches in self._watches.values():
            for watch in watches:
                watch.changes.clear()
                watch.lost = True
                watch.woken.set()
        for tenant in list(self._moved):
            self._move(tenant)

    def watch(self, tenant: str, agent_id: str) -> Watch:
        """Ended by `unwatch`."""
        watch = Watch()
        self._watches.setdefault((tenant, agent_id), set()).add(watch)
        return watch

    def unwatch(self, tenant: str, agent_id: str, watch: Watch) -> None:
        watches = self._watches.get((tenant, agent_id), set())
        watches.discard(watch)
        if not watches:
            self._watches.pop((tenant, agent_id), None)

    def since(self, tenant: str, agent_id: str, partition: int, seq: int) -> Iterable[AgentChange] | None:
        """The agent's changes after that entry; None where they are not all kept any more."""
        if partition not in self._begins or seq + 1 < self._begins[partition]:
            return None
        return [c for c in self._kept[partition] if c.seq > seq and (c.tenant, c.agent_id) == (tenant, agent_id)]

    def agents_since(self, tenant: str, partition: int, seq: int) -> list[str] | None:
        """Agents with changes after that entry, by id; None where the changes are not all kept any more."""
        if partition not in self._begins or seq + 1 < self._begins[partition]:
            return None
        found: set[str] = set()
        for change in reversed(self._kept[partition]):
            if change.seq <= seq:
                break
            if change.tenant == tenant:
                found.add(change.agent_id)
        return sorted(found)

    async def moved(self, tenant: str) -> None:
        """Returns after the tenant's next entry with events."""
        event = self._moved.setdefault(tenant, asyncio.Event())
        await event.wait()

    def _move(self, tenant: str) -> None:
        event = self._moved.pop(tenant, None)
        if event is not None:
            event.set()


def _agent_of(message: Message | None) -> str:
    """Whom the event is about; a changed value is about its agent."""
    if isinstance(message, pb.ConfigurationApplied):
        return message.id if message.kind == "agent" else ""
    return getattr(message, "agent_id", "") if type(message) in _NAME_AN_AGENT else ""


def empty_agent(agent_id: str) -> pb.Agent:
    """An agent that the directory has and the pool has not heard of yet."""
    return pb.Agent(agent_id=agent_id, state=pb.AGENT_STATE_LOGGED_OUT)
