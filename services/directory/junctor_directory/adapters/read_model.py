"""The lists that people search: values and revisions as SQL rows, with the journal's place in the same transaction.

SQLite by default, PostgreSQL by URL. Secrets are masked before they come here. `FORMAT` names the shape of the tables:
another one is dropped and read again from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from junctor.directory.v1 import directory_pb2 as pb
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
)
from sqlalchemy.engine import Engine, make_url

FORMAT = 2
_METADATA = MetaData()
_FORMAT = Table("directory_format", _METADATA, Column("format", Integer, primary_key=True))
_PLACE = Table(
    "directory_place",
    _METADATA,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("place", LargeBinary, nullable=False),
)
_VALUE = Table(
    "directory_value",
    _METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
_REVISION = Table(
    "directory_revision",
    _METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("applied_at", BigInteger, nullable=False),
    Column("principal", String(200), nullable=False),
    Column("value", LargeBinary, nullable=False),
)


class Overtaken(Exception):
    """Another process has written this partition meanwhile: go on from its place."""


class ReadModel:
    """Not for the event loop: every method talks to the database and may wait. One engine, any thread."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    def open(self) -> None:
        """Makes the tables, new where their shape is another one. Raises SQLAlchemy's errors."""
        with self._engine.begin() as connection:
            _METADATA.create_all(connection)
            if connection.scalar(select(_FORMAT.c.format)) != FORMAT:
                _METADATA.drop_all(connection)
                _METADATA.create_all(connection)
                connection.execute(insert(_FORMAT).values(format=FORMAT))

    def close(self) -> None:
        self._engine.dispose()

    def places(self) -> dict[int, bytes]:
        """Where the journals are read to, by partition, as `write` was told."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_PLACE)).all()
        return {row.partition: row.place for row in rows}

    def forget(self) -> None:
        """Empties everything, to be read again from the journal's beginning."""
        with self._engine.begin() as connection:
            for table in (_PLACE, _VALUE, _REVISION):
                connection.execute(delete(table))

    def write(self, partition: int, was: bytes, place: bytes, applied: Sequence[pb.ConfigurationApplied]) -> None:
        """Takes events and the place after them in one transaction. Raises `Overtaken` where the place is not at `was`."""
        with self._engine.begin() as connection:
            query = select(_PLACE.c.place).where(_PLACE.c.partition == partition).with_for_update()
            if (connection.scalar(query) or b"") != was:
                raise Overtaken
            for one in applied:
                _take(connection, one)
            connection.execute(delete(_PLACE).where(_PLACE.c.partition == partition))
            connection.execute(insert(_PLACE).values(partition=partition, place=place))

    def values(self, tenant: str, kind: str) -> list[pb.DirectoryValue]:
        """By kind and id; the empty kind gives all kinds."""
        query = select(_VALUE).where(_VALUE.c.tenant == tenant).order_by(_VALUE.c.kind, _VALUE.c.id)
        if kind:
            query = query.where(_VALUE.c.kind == kind)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            pb.DirectoryValue(tenant=row.tenant, version=row.version, value=pb.Value.FromString(row.value))
            for row in rows
        ]

    def revisions(self, tenant: str, limit: int) -> list[pb.Revision]:
        """Newest first."""
        query = select(_REVISION.c.value).where(_REVISION.c.tenant == tenant)
        with self._engine.connect() as connection:
            rows = connection.scalars(query.order_by(_REVISION.c.revision.desc()).limit(limit)).all()
        return [pb.Revision.FromString(row) for row in rows]

    def dump(self) -> Mapping[str, Iterable[tuple[Any, ...]]]:
        """All rows that come from the journal, for comparing."""
        with self._engine.connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
                for table in (_VALUE, _REVISION, _PLACE)
            }


def _take(connection: Connection, applied: pb.ConfigurationApplied) -> None:
    tenant = applied.tenant
    for change in applied.changes:
        key = (_VALUE.c.tenant == tenant, _VALUE.c.kind == change.kind, _VALUE.c.id == change.id)
        connection.execute(delete(_VALUE).where(*key))
        if change.change != pb.CHANGE_KIND_DELETED:
            row = {"tenant": tenant, "kind": change.kind, "id": change.id, "version": applied.revision}
            connection.execute(insert(_VALUE).values(value=change.after.SerializeToString(deterministic=True), **row))
    revision = pb.Revision(
        revision=applied.revision,
        applied_at=applied.applied_at,
        principal=applied.principal,
        comment=applied.comment,
        changes=applied.changes,
    )
    connection.execute(
        insert(_REVISION).values(
            tenant=tenant,
            revision=applied.revision,
            applied_at=applied.applied_at,
            principal=applied.principal,
            value=revision.SerializeToString(deterministic=True),
        )
    )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    if parsed.get_backend_name() == "sqlite":

        @event.listens_for(engine, "connect")
        def settle(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

    return engine
