"""The port to the log: partitions of records with offsets, as Kafka has them. Adapters: `kafka` (aiokafka) and `memory`.

All adapters pass one contract suite (tests/contract). Errors: `LogUnavailable` where the log cannot be reached in time
(a retry helps), `RecordTooLarge` where a record can never be taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(NamedTuple):
    """A record as read. `timestamp` is Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class NewRecord(NamedTuple):
    """A record to write. `timestamp` is Unix milliseconds; None takes the log's clock."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class TopicDeclaration:
    """A topic as `topics.yaml` declares it. `config` holds Kafka topic settings by their Kafka names."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


Batches = dict[TopicPartition, list[Record]]


class Appender(Protocol):
    """Writes one partition in order, through an idempotent producer of its own.

    A batch that fails makes every later one fail: nothing is ever written behind a gap, as long as the first append was
    read back before the others were made (Kafka accepts any first sequence number of a producer new to a partition).
    """

    async def append(self, records: Sequence[NewRecord]) -> Awaitable[int]:
        """Queues the records in order and returns an awaitable of the first one's offset, done when all are written.

        Raises `LogUnavailable` (here or from the awaitable) when not written in time; it is then unknown whether they are.
        """
        ...

    async def close(self) -> None:
        """Waits for what was appended, then closes."""
        ...

    async def abandon(self) -> None:
        """Gives up whatever is not written yet, at once, and closes. Never raises."""
        ...


class Producer(Protocol):
    """Writes anywhere; shared by one process."""

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> int:
        """Writes one record and returns its offset. Without a partition, the key's murmur2 hash decides.

        Raises `LogUnavailable` when not written in time (it may be written later), `RecordTooLarge` when never.
        """
        ...

    async def send_many(self, topic: str, partition: int, records: Sequence[NewRecord]) -> int:
        """Writes the records in order and returns the first one's offset.

        Raises `LogUnavailable`: then a prefix of them may be written, never a later one without an earlier one.
        """
        ...


class Tail(Protocol):
    """Reads partitions from given offsets on, without a group."""

    async def getmany(self, timeout_ms: int = 500, max_records: int | None = None) -> Batches:
        """Records as soon as there are any, empty after the time. An unreachable log is an empty answer, not an error."""
        ...

    async def position(self, tp: TopicPartition) -> int:
        """Offset of the next record that `getmany` gives, past what compaction left out."""
        ...

    def seek(self, tp: TopicPartition, offset: int) -> None: ...

    def pause(self, *partitions: TopicPartition) -> None: ...

    def resume(self, *partitions: TopicPartition) -> None: ...

    async def close(self) -> None: ...


class Group(Tail, Protocol):
    """Membership in a consumer group. New partitions are paused until `resume`; offsets are not committed."""

    def assignment(self) -> frozenset[TopicPartition]: ...


GroupListener = Callable[[Collection[TopicPartition]], None]


class Log(Protocol):
    """One Kafka cluster, or its likeness in memory."""

    @property
    def available(self) -> bool:
        """False while writes fail: `Producer.send` then fails at once."""
        ...

    def watch(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Calls the listener with each change of `available`; the returned function ends that."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def appender(self, topic: str, partition: int) -> Appender: ...

    def producer(self) -> Producer: ...

    async def tail(self, positions: Mapping[TopicPartition, int], wait_ms: int = 500) -> Tail:
        """A reader of these partitions. `wait_ms` is how long the broker holds an empty fetch; less makes seeks quicker."""
        ...

    async def begin_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Offset after the last record of each."""
        ...

    async def offsets_at(self, partitions: Iterable[TopicPartition], timestamp: int) -> dict[TopicPartition, int]:
        """Offset of the first record of each that is not older than the time (ms); the end where there is none."""
        ...

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; 0 where there is no such topic."""
        ...

    async def identity(self) -> str:
        """What tells this cluster from any other, for ever."""
        ...

    async def topics(self) -> frozenset[str]:
        """The names of all topics."""
        ...

    async def group(
        self,
        group_id: str,
        topics: Sequence[str],
        instance_id: str | None,
        on_assigned: GroupListener,
        on_revoked: GroupListener,
    ) -> Group: ...

    async def ensure_topics(self, declarations: Iterable[TopicDeclaration]) -> None:
        """Creates what is missing. Never changes a topic that exists."""
        ...
