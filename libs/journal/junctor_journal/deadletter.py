"""Dead letters: inputs that could not be parsed or applied. Looked at, and driven again, by a person."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.errors import JournalError
from junctor_journal.log import Log, TopicPartition
from junctor_journal.owner import ATTEMPTS_HEADER

MAX_ATTEMPTS = 5


class NoSuchLetter(JournalError):
    """No dead letter has this id. A retry does not help."""

    code = "NOT_FOUND"


class TooManyAttempts(JournalError):
    """The letter was driven again too often. A retry does not help: the input itself must change."""

    code = "FAILED_PRECONDITION"


class Letter(NamedTuple):
    """`id` is the journal's place, `<partition>/<seq>`."""

    id: str
    dead: pb.DeadLetter

    @property
    def input(self) -> pb.Input | None:
        """The input, where the letter's value is one."""
        try:
            return pb.Input.FromString(self.dead.value)
        except DecodeError:
            return None


class DeadLetters:
    """Of one service. All raise `LogUnavailable` where Kafka is away."""

    def __init__(self, log: Log, service: str) -> None:
        self._log = log
        self._service = service
        self._topic = topics.dead_letters(service)

    async def list(self) -> list[Letter]:
        """All that the topic still holds, oldest first, each once."""
        tps = [TopicPartition(self._topic, p) for p in range(await self._log.partitions(self._topic))]
        begin, end = await self._log.begin_offsets(tps), await self._log.end_offsets(tps)
        left = {tp: begin[tp] for tp in tps if begin[tp] < end[tp]}
        found: dict[str, Letter] = {}
        if not left:
            return []
        tail = await self._log.tail(left, wait_ms=50)
        try:
            while left:
                for records in (await tail.getmany(timeout_ms=100)).values():
                    for record in records:
                        id = (record.key or b"").decode(errors="replace")
                        found.setdefault(id, Letter(id, pb.DeadLetter.FromString(record.value or b"")))
                left = {tp: start for tp, start in left.items() if await tail.position(tp) < end[tp]}
        finally:
            await tail.close()
        return sorted(found.values(), key=lambda letter: letter.dead.dead_at)

    async def show(self, id: str) -> Letter:
        """Raises `NoSuchLetter`."""
        for letter in await self.list():
            if letter.id == id:
                return letter
        raise NoSuchLetter(f"{self._topic} holds no letter {id}")

    async def redrive(self, id: str) -> pb.Coordinates:
        """Appends the record again as it was, to the partition that it came from; gives where it now lies.

        Raises `NoSuchLetter`, `TooManyAttempts`.
        """
        letter = await self.show(id)
        dead = letter.dead
        if dead.attempts >= MAX_ATTEMPTS:
            raise TooManyAttempts(f"letter {id} was driven again {dead.attempts} times")
        partition = int(id.partition("/")[0])
        topic = dead.source.topic or topics.inputs(self._service)
        offset = await self._log.producer().send(
            topic,
            dead.key or None,
            dead.value,
            [(ATTEMPTS_HEADER, str(dead.attempts + 1).encode())],
            partition=partition,
        )
        return pb.Coordinates(topic=topic, partition=partition, offset=offset)
