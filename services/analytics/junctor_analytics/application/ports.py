"""What the ingest needs of the outside world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from junctor_journal.log import TopicPartition

from junctor_analytics.application.batch import Batch


class WarehouseAway(Exception):
    """The rows could not be inserted now, or it is not known whether they were: the same insert is to be tried again."""


class RowsRefused(Exception):
    """The warehouse read the rows and cannot take at least one of them. Nothing was inserted; trying again is in vain."""


class Warehouse(Protocol):
    """Where rows go."""

    @property
    def available(self) -> bool:
        """Whether the schema is there and the last request was answered."""

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]], token: str) -> None:
        """Inserts all rows, or none. A token that the table has seen inserts nothing and succeeds.

        Raises `WarehouseAway` (try again with the same rows and token), `RowsRefused`.
        """


class Positions(Protocol):
    """What is inserted, on disk. One batch is under way at most."""

    async def load(self) -> tuple[dict[TopicPartition, int], Batch | None]:
        """The next offset of each partition, and the batch that was begun and not finished."""

    async def begin(self, batch: Batch) -> None:
        """Returns when the batch's limits are on disk: before the first insert."""

    async def finish(self, batch: Batch) -> None:
        """The batch is inserted: reading goes on behind it."""

    async def forget(self, batch: Batch) -> None:
        """The batch's records are no more: it is not under way any longer."""
