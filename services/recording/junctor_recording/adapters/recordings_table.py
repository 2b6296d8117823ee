"""The catalogue in SQL: one row per recording, and how far the events were read, in one transaction.

SQLite embedded or PostgreSQL, by the URL. It can be deleted: it is made again from the events that the log still has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from junctor.recording.v1 import recording_pb2 as pb
from junctor_journal.events import Event
from junctor_journal.log import TopicPartition
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url

from junctor_recording.application.catalogue import CatalogueEntry

METADATA = MetaData()
RECORDINGS = Table(
    "recordings",
    METADATA,
    Column("recording_id", String(36), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("contact_id", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("agent_id", String(128), nullable=False),
    Column("queue", String(128), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("sealed_at", BigInteger, nullable=False, default=0),
    Column("path", String(1024), nullable=False, default=""),
    Column("duration_ms", BigInteger, nullable=False, default=0),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("sha256", String(64), nullable=False, default=""),
    Column("reason", String(1024), nullable=False, default=""),
    Column("sequence", BigInteger, nullable=False),
    Index("recordings_of_contact", "tenant", "contact_id"),
    Index("recordings_by_seal", "state", "sealed_at"),
)
POSITIONS = Table(
    "event_positions",
    METADATA,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
_RUNNING = ("starting", "active", "paused")
_FIELDS = tuple(CatalogueEntry.__dataclass_fields__)


class RecordingsTable:
    """Implements `catalogue.Catalogue`; a component. Statements run in a thread; errors are SQLAlchemy's (a retry may
    help)."""

    name = "catalogue's database"

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine: Engine | None = None

    @property
    def ready(self) -> bool:
        return self._engine is not None

    async def start(self) -> None:
        """Connects, and makes the tables where there are none."""
        await asyncio.to_thread(self._open)

    async def stop(self, deadline: float) -> None:
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)

    async def positions(self) -> dict[TopicPartition, int]:
        """Where to read on."""
        return await asyncio.to_thread(self._positions)

    async def project(self, events: Sequence[Event], positions: Mapping[TopicPartition, int]) -> None:
        """The events' changes and the new positions: both or none. Repeats change nothing."""
        await asyncio.to_thread(self._project, events, positions)

    async def of_contact(self, tenant: str, contact_id: str) -> list[CatalogueEntry]:
        rows = RECORDINGS.c
        query = select(RECORDINGS).where(rows.tenant == tenant, rows.contact_id == contact_id)
        return await asyncio.to_thread(self._entries, query.order_by(rows.started_at.desc(), rows.sequence.desc()))

    async def sealed_before(self, moment: int, limit: int) -> list[CatalogueEntry]:
        rows = RECORDINGS.c
        query = select(RECORDINGS).where(rows.state == "sealed", rows.sealed_at < moment)
        return await asyncio.to_thread(self._entries, query.order_by(rows.sealed_at).limit(limit))

    @property
    def _connected(self) -> Engine:
        assert self._engine is not None, "open first"
        return self._engine

    def _open(self) -> None:
        is_sqlite = self._url.get_backend_name() == "sqlite"
        if is_sqlite and self._url.database:
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(self._url)
        if is_sqlite:
            event.listen(self._engine, "connect", _sqlite_pragmas)
        METADATA.create_all(self._engine)

    def _positions(self) -> dict[TopicPartition, int]:
        with self._connected.connect() as connection:
            rows = connection.execute(select(POSITIONS)).all()
        return {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}

    def _project(self, events: Sequence[Event], positions: Mapping[TopicPartition, int]) -> None:
        with self._connected.begin() as connection:
            for one in events:
                _apply(connection, one)
            for tp, offset in positions.items():
                at = (POSITIONS.c.topic == tp.topic, POSITIONS.c.partition == tp.partition)
                moved = connection.execute(update(POSITIONS).where(*at).values(next_offset=offset))
                if not moved.rowcount:
                    values = {"topic": tp.topic, "partition": tp.partition, "next_offset": offset}
                    connection.execute(insert(POSITIONS).values(values))

    def _entries(self, query: Any) -> list[CatalogueEntry]:
        with self._connected.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [CatalogueEntry(**{name: row[name] for name in _FIELDS}) for row in rows]


def _apply(connection: Connection, one: Event) -> None:
    message: Any = one.message
    rows = RECORDINGS.c
    contact = (rows.tenant == one.tenant, rows.contact_id == one.stream)

    def change(*where: Any, **values: Any) -> None:
        newer = (*contact, rows.sequence < one.sequence, *where)
        connection.execute(update(RECORDINGS).where(*newer).values(sequence=one.sequence, **values))

    match message:
        case pb.RecordingRequested():
            known = select(rows.recording_id).where(rows.recording_id == message.recording_id)
            if connection.execute(known).first() is None:
                _insert(connection, one, message)
        case pb.RecordingStarted() | pb.RecordingContinued():
            change(rows.recording_id == message.recording_id, rows.state == "starting", state="active")
        case pb.RecordingPaused():
            change(rows.state == "active", state="paused")
        case pb.RecordingResumed():
            change(rows.state == "paused", state="active")
        case pb.RecordingStopping():
            change(rows.state.in_(_RUNNING), state="sealing", reason=message.reason)
        case pb.RecordingSealed():
            change(
                rows.recording_id == message.recording_id,
                state="sealed",
                sealed_at=one.time,
                path=message.path,
                duration_ms=message.duration_ms,
                bytes=message.bytes,
                sha256=message.sha256,
                reason=message.reason,
            )
        case pb.RecordingFailed():
            change(rows.recording_id == message.recording_id, state="failed", reason=message.reason)
        case pb.RecordingErasing():
            erased = [file.recording_id for file in message.files]
            change(rows.recording_id.in_(erased), state="erasing", reason=message.reason)
        case pb.RecordingErased():
            change(rows.recording_id.in_(message.recording_ids), state="erased", path="")
        case _:
            return


def _insert(connection: Connection, one: Event, message: pb.RecordingRequested) -> None:
    values = {
        "recording_id": message.recording_id,
        "tenant": one.tenant,
        "contact_id": message.contact_id,
        "state": "starting",
        "agent_id": message.agent_id,
        "queue": message.queue,
        "started_at": message.requested_at,
        "sequence": one.sequence,
    }
    connection.execute(insert(RECORDINGS).values(values))


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()
