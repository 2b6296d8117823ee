"""What is inserted, in an SQLite file of the state directory.

A file rather than a table in ClickHouse: it costs two small writes per batch where a table would cost two inserts, and it
answers while ClickHouse is away. Losing the file loses nothing: all that Kafka still has is inserted again, and its rows
have the keys of those that are there.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

from junctor_journal.log import TopicPartition

from junctor_analytics.application.batch import Batch, Range

_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
);
CREATE TABLE IF NOT EXISTS begun (token TEXT PRIMARY KEY, ranges TEXT NOT NULL);
"""
_ADVANCE = """
INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next
"""


class SqlitePositions:
    """The port `Positions`. A write has reached the disk when it returns. Raises `sqlite3.Error` for a bad disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> tuple[dict[TopicPartition, int], Batch | None]:
        return await asyncio.to_thread(self._load)

    async def begin(self, batch: Batch) -> None:
        ranges = json.dumps([astuple(part) for part in batch.ranges])
        await asyncio.to_thread(self._write, [("INSERT OR REPLACE INTO begun VALUES (?, ?)", (batch.token, ranges))])

    async def finish(self, batch: Batch) -> None:
        moves = [(_ADVANCE, (part.topic, part.partition, part.last + 1)) for part in batch.ranges]
        await asyncio.to_thread(self._write, [*moves, ("DELETE FROM begun", ())])

    async def forget(self, batch: Batch) -> None:
        await asyncio.to_thread(self._write, [("DELETE FROM begun WHERE token = ?", (batch.token,))])

    def _load(self) -> tuple[dict[TopicPartition, int], Batch | None]:
        with closing(self._open()) as database:
            rows = database.execute("SELECT topic, partition, next FROM positions").fetchall()
            begun = database.execute("SELECT ranges FROM begun").fetchone()
        positions = {TopicPartition(topic, partition): offset for topic, partition, offset in rows}
        batch = None if begun is None else Batch(tuple(Range(*part) for part in json.loads(begun[0])))
        return positions, batch

    def _write(self, statements: list[tuple[str, tuple[object, ...]]]) -> None:
        with closing(self._open()) as database, database:
            for statement, values in statements:
                database.execute(statement, values)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=10)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        return database
