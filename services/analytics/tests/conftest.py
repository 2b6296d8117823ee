"""Contacts made up from a seed, as the events that services publish of them and as the domain's records."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.router.v1 import router_pb2
from junctor_analytics.application.batch import Batch
from junctor_analytics.application.ports import RowsRefused, WarehouseAway
from junctor_analytics.domain.records import AgentState, CompletedTask, Segment
from junctor_journal import topics
from junctor_journal.log import NewRecord, Record

QUEUES = ("cards", "loans", "mortgages")
AGENTS = ("chen", "li", "wang", "zhang")


@dataclass
class Fact:
    """A message that a service publishes, and when."""

    service: str
    time: int
    contact: str
    message: Any
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def headers(fact: Fact, tenant: str) -> list[tuple[str, bytes]]:
    moment = datetime.fromtimestamp(fact.time / 1000, UTC).isoformat(timespec="milliseconds")
    texts = {
        "ce_specversion": "1.0",
        "ce_id": fact.id,
        "ce_source": f"/junctor/{fact.service}",
        "ce_type": fact.message.DESCRIPTOR.full_name,
        "ce_subject": fact.contact,
        "ce_time": moment.replace("+00:00", "Z"),
        "ce_tenant": tenant,
        "ce_site": "a",
        "ce_correlationid": fact.contact,
        "ce_causationid": "x",
        "ce_partition": "0",
        "ce_sequence": "1",
    }
    return [(name, text.encode()) for name, text in texts.items()]


def new_record(fact: Fact, tenant: str) -> NewRecord:
    """As a relay writes it, but with the log's time: it deletes what is older than a week, whenever it comes to it."""
    key = topics.key_of(tenant, fact.contact)
    return NewRecord(key, fact.message.SerializeToString(), headers(fact, tenant))


def read_record(fact: Fact, tenant: str, offset: int = 0) -> Record:
    """As a reader gets it."""
    new = new_record(fact, tenant)
    return Record(topics.events(fact.service), 0, offset, fact.time, new.key, new.value, new.headers)


class Floor:
    """One tenant's made-up day. `facts` are what services publish; the other lists are the same for the domain."""

    def __init__(self, seed: int, tenant: str, begin: int) -> None:
        self.random = random.Random(seed)
        self.tenant, self.begin = tenant, begin
        self.facts: list[Fact] = []
        self.segments: list[Segment] = []
        self.tasks: list[CompletedTask] = []
        self.states: list[AgentState] = []
        self.contacts: list[str] = []
        self._numbers: dict[str, int] = {}

    def contact(self) -> str:
        """A contact from arrival to end, with whatever may happen to one."""
        chance = self.random
        contact = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        self.contacts.append(contact)
        at = arrived = self.begin + chance.randrange(3_600_000)
        voice = chance.random() < 0.7
        channel = contact_pb2.CHANNEL_VOICE if voice else contact_pb2.CHANNEL_CHAT
        service = "cti" if voice else "omnichannel"
        opened = contact_pb2.ContactOpened(
            tenant=self.tenant, contact_id=contact, channel=channel, direction=1, arrived_at=arrived,
            customer_address="13800001111", customer_hash="h", entry_point="95588", site="a",
        )  # fmt: skip
        self._publish(service, at, contact, opened)
        at = self._segment(service, contact, channel, "flow", "", "", at, chance.randrange(8_000), "completed")
        queue, cause, ended = chance.choice(QUEUES), 1, at
        for _ in range(4):
            result = chance.choices(
                ["completed", "abandoned", "overflowed", "failed", "transferred", ""], [60, 20, 6, 3, 6, 5]
            )[0]
            at = self._segment(service, contact, channel, "queue", queue, "", at, self._wait(), result)
            ended = at
            if result == "":
                return contact
            if result == "transferred":
                queue = chance.choice(QUEUES)
                continue
            if result != "completed":
                cause = 4 if result == "overflowed" else 1
                break
            agent, assigned = chance.choice(AGENTS), at
            moved = chance.random() < 0.1
            result = "transferred" if moved else "completed"
            at = ended = self._segment(
                service, contact, channel, "agent", queue, agent, at, chance.randrange(400_000), result
            )
            if moved:
                queue = chance.choice(QUEUES)
                continue
            cause, at = 2, at + chance.randrange(60_000)
            completed = router_pb2.TaskCompleted(
                contact_id=contact, agent_id=agent, disposition="sold", queue=queue, channel=channel,
                assigned_at=assigned, ended_at=ended, completed_at=at,
            )  # fmt: skip
            self._publish("router", at, contact, completed)
            self.tasks.append(CompletedTask(contact, queue, agent, assigned, ended, at))
            break
        closed = contact_pb2.ContactClosed(
            tenant=self.tenant, contact_id=contact, ended_at=ended, closed_at=at, cause=cause, channel=channel,
            arrived_at=arrived,
        )  # fmt: skip
        self._publish(service, at, contact, closed)
        return contact

    def agents(self) -> None:
        """Each agent's states, from before the hour until after it."""
        for agent in AGENTS:
            at, state = self.begin - 1_000_000, 1
            since = 0
            for _ in range(self.random.randrange(3, 12)):
                following = self.random.choice([other for other in (1, 2, 3, 4) if other != state])
                changed = router_pb2.AgentStateChanged(
                    agent_id=agent, state=following, previous=state, session=1, previous_since=since
                )
                self._publish("router", at, "pool", changed)
                if since:
                    self._state(agent, state, since, at)
                since, state = at, following
                at += self.random.randrange(1, 1_500_000)
            self._state(agent, state, since, None)

    def shuffled(self) -> list[Fact]:
        """The facts in no order: topics are read side by side."""
        facts = list(self.facts)
        self.random.shuffle(facts)
        return facts

    def _wait(self) -> int:
        return self.random.choice([0, 4_999, 5_000, 20_000, 20_001, self.random.randrange(120_000)])

    def _state(self, agent: str, state: int, since: int, ended: int | None) -> None:
        name = router_pb2.AgentState.Name(state).removeprefix("AGENT_STATE_").lower()
        self.states.append(AgentState(agent, name, since, ended))

    def _segment(
        self, service: str, contact: str, channel: int, kind: str, queue: str, agent: str, at: int, ms: int, result: str
    ) -> int:
        number = self._numbers[contact] = self._numbers.get(contact, 0) + 1
        shared = {
            "tenant": self.tenant, "contact_id": contact, "segment": number, "queue": queue, "agent_id": agent,
            "kind": contact_pb2.SegmentKind.Value(f"SEGMENT_KIND_{kind.upper()}"), "started_at": at, "channel": channel,
        }  # fmt: skip
        self._publish(service, at, contact, contact_pb2.SegmentStarted(**shared))
        if result:
            value = contact_pb2.SegmentResult.Value(f"SEGMENT_RESULT_{result.upper()}")
            self._publish(service, at + ms, contact, contact_pb2.SegmentEnded(**shared, ended_at=at + ms, result=value))
        ended = at + ms if result else None
        self.segments.append(Segment(contact, number, kind, queue, agent, at, ended, result))
        return at + ms

    def _publish(self, service: str, time: int, contact: str, message: Any) -> None:
        self.facts.append(Fact(service, time, contact, message, str(uuid.UUID(int=self.random.getrandbits(128)))))


class MemoryWarehouse:
    """The port `Warehouse`, as ClickHouse keeps it. A time that is a text or a column that is not there is refused."""

    def __init__(self) -> None:
        self.away = False
        self.tokens: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.inserts: list[tuple[str, str]] = []
        self.before_insert = lambda table, token: None
        self.after_insert = lambda table, token: None

    @property
    def available(self) -> bool:
        return not self.away

    async def insert(self, table: str, rows: Any, token: str) -> None:
        await asyncio.sleep(0)
        self.before_insert(table, token)
        if self.away:
            raise WarehouseAway("away")
        if any(isinstance(row.get("time"), str) or "no_such_column" in row for row in rows):
            raise RowsRefused("a row")
        self.inserts.append((table, token))
        self.tokens.setdefault((table, token), [dict(row) for row in rows])
        self.after_insert(table, token)

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row for (name, _), rows in self.tokens.items() if name == table for row in rows]


class MemoryPositions:
    """The port `Positions`; it outlives the ingest that uses it, as a disk does."""

    def __init__(self) -> None:
        self.next: dict[Any, int] = {}
        self.begun: Batch | None = None
        self.before_finish = lambda batch: None

    async def load(self) -> Any:
        return dict(self.next), self.begun

    async def begin(self, batch: Batch) -> None:
        self.begun = batch

    async def finish(self, batch: Batch) -> None:
        self.before_finish(batch)
        self.next |= {part.tp: part.last + 1 for part in batch.ranges}
        self.begun = None

    async def forget(self, batch: Batch) -> None:
        self.begun = None


@pytest.fixture
def memory_warehouse():
    """`memory_warehouse()`: a new one."""
    return MemoryWarehouse


@pytest.fixture
def memory_positions():
    """`memory_positions()`: new ones."""
    return MemoryPositions


@pytest.fixture
def tenant() -> str:
    """Nobody else's."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def floor():
    """`floor(seed, tenant, begin)`."""
    return Floor


@pytest.fixture
def as_read():
    """`as_read(fact, tenant, offset)`: the record that a reader gets."""
    return read_record


@pytest.fixture
def as_written():
    """`as_written(fact, tenant)`: the record that a relay writes."""
    return new_record


@pytest.fixture
def fact():
    """`fact(service, time, contact, message)`."""
    return Fact
