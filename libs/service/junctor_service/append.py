"""The port through which this library writes to Kafka topics; the log library and `MemoryAppend` implement it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Append(Protocol):
    """Appends one record to a topic."""

    async def __call__(self, topic: str, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        """Returns when the record is acknowledged. Raises when it is not; a retry may then append it twice."""


@dataclass(frozen=True, slots=True)
class AppendedRecord:
    """What was appended."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class MemoryAppend:
    """Keeps the records in a list, for tests; raises `failure` instead while it is set."""

    records: list[AppendedRecord] = field(default_factory=list)
    failure: Exception | None = None

    async def __call__(self, topic: str, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        if self.failure is not None:
            raise self.failure
        self.records.append(AppendedRecord(topic, key, value, dict(headers)))
