"""The edge's facts on their way into the journal: in order, and through a file on disk while Kafka is away.

A fact is submitted to the partition's owner in this process. While that fails for a reason that passes (Kafka away, the
owner rebuilding), this fact and all later ones are spooled; one task drains them in order. The spool is bounded: beyond
`limit` facts the oldest stay and new ones are refused.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from junctor.journal.v1 import journal_pb2
from junctor_journal.errors import JournalError

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
LENGTH_BYTES = 4


class SpoolFull(JournalError):
    """So many facts wait for the journal that no more are kept. A retry helps once it is back."""

    code = "RESOURCE_EXHAUSTED"


class Submitter(Protocol):
    """The part of the ledger that takes inputs of this process."""

    async def submit(self, partition: int, input: journal_pb2.Input, deadline: float) -> Any: ...


@dataclass(order=True, slots=True)
class _Fact:
    """`number` is its place in the order in which the facts came; `kept`: it is in the spool's file."""

    number: int
    input: journal_pb2.Input = field(compare=False)
    done: asyncio.Future[Any] = field(compare=False)
    kept: bool = field(default=False, compare=False)


class Facts:
    """`record` returns when the fact's entry is read back as valid. Survives this process: see `reload`."""

    def __init__(self, ledger: Submitter, partition: int, spool: Path, limit: int = 100_000) -> None:
        self._ledger = ledger
        self._partition = partition
        self._spool = spool
        self._limit = limit
        self._numbers = itertools.count()
        self._flying: dict[int, _Fact] = {}
        self._landed = asyncio.Event()
        self._waiting: list[_Fact] = []
        self._last_kept = -1
        self._drainer: asyncio.Task[None] | None = None
        self._reloaded = False

    @property
    def away(self) -> bool:
        """Facts wait for the journal."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._limit

    def __len__(self) -> int:
        return len(self._waiting)

    async def record(self, input: journal_pb2.Input) -> Any:
        """The recorded outcome of the fact, however long that takes. Raises what no retry helps, and `SpoolFull`."""
        fact = _Fact(next(self._numbers), input, asyncio.get_running_loop().create_future())
        if not self._waiting:
            try:
                outcome = await self._fly(fact)
                self._tidy(fact)
                return outcome
            except JournalError as error:
                if not error.retryable:
                    self._tidy(fact)
                    raise
                log.warning("fact is spooled", extra={"error": repr(error), "fact": input.body.type_url})
        if self.full and not fact.kept:
            raise SpoolFull(f"{len(self._waiting)} facts wait for the journal")
        insort(self._waiting, fact)
        self._write([fact])
        self._drain_on()
        return await fact.done

    def keep(self) -> None:
        """Writes the facts that are under way to the spool: what follows from them may be done before they are recorded."""
        self._write(self._flying.values())

    def reload(self) -> int:
        """Takes up what an earlier process of this slot left in the spool; how many facts. To be called before `record`.

        Facts that were recorded before that process ended are recognised by their ids. A torn last fact is cut off;
        from a damaged one on, the file is put aside as `<name>.damaged`.
        """
        if self._reloaded or not self._spool.exists():
            return 0
        self._reloaded = True
        data, at, damaged = self._spool.read_bytes(), 0, False
        loop = asyncio.get_running_loop()
        while at + LENGTH_BYTES <= len(data):
            size = int.from_bytes(data[at : at + LENGTH_BYTES], "big")
            part = data[at + LENGTH_BYTES : at + LENGTH_BYTES + size]
            if len(part) < size:
                break
            try:
                input = journal_pb2.Input.FromString(part)
            except DecodeError:
                damaged = True
                break
            self._waiting.append(_Fact(next(self._numbers), input, loop.create_future(), kept=True))
            at += LENGTH_BYTES + size
        if at < len(data):
            extra = {"path": str(self._spool), "offset": at, "bytes": len(data) - at}
            log.error("spool is damaged" if damaged else "spool ended in the middle of a fact", extra=extra)
            if damaged:
                self._spool.with_name(self._spool.name + ".damaged").write_bytes(data)
            self._rewrite()
        if self._waiting:
            self._last_kept = self._waiting[-1].number
            self._drain_on()
        else:
            self._spool.unlink(missing_ok=True)
        return len(self._waiting)

    async def stop(self) -> None:
        """Ends the work here; what was not recorded stays in the spool."""
        self.keep()
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait({self._drainer})

    async def _fly(self, fact: _Fact) -> Any:
        self._flying[fact.number] = fact
        try:
            return await self._ledger.submit(self._partition, fact.input, SUBMIT_SECONDS)
        finally:
            del self._flying[fact.number]
            self._landed.set()

    def _drain_on(self) -> None:
        if self._drainer is None or self._drainer.done():
            self._drainer = asyncio.create_task(self._drain(), name="spooled facts")

    async def _drain(self) -> None:
        pause = FIRST_PAUSE
        while self._waiting:
            fact = self._waiting[0]
            if any(number < fact.number for number in self._flying):
                self._landed.clear()
                await self._landed.wait()
                continue
            try:
                outcome = await self._ledger.submit(self._partition, fact.input, SUBMIT_SECONDS)
            except JournalError as error:
                if error.retryable:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                kind = fact.input.body.type_url
                log.error("spooled fact cannot be applied", extra={"error": repr(error), "fact": kind})
                if not fact.done.done():
                    fact.done.set_exception(error)
                    fact.done.exception()
            else:
                pause = FIRST_PAUSE
                if not fact.done.done():
                    fact.done.set_result(outcome)
            self._waiting.remove(fact)
            self._tidy(fact)
        log.info("spool is empty")

    def _write(self, facts: Iterable[_Fact]) -> None:
        for fact in sorted(fact for fact in facts if not fact.kept):
            fact.kept = True
            if fact.number < self._last_kept:
                self._rewrite()
                continue
            self._last_kept = fact.number
            try:
                self._spool.parent.mkdir(parents=True, exist_ok=True)
                with self._spool.open("ab") as file:
                    file.write(_framed(fact.input))
            except OSError as error:
                log.error("spool cannot be written", extra={"path": str(self._spool), "error": str(error)})

    def _rewrite(self) -> None:
        """The file as it must be where a fact came late: whole, or as it was."""
        kept = sorted(fact for fact in (*self._flying.values(), *self._waiting) if fact.kept)
        draft = self._spool.with_name(self._spool.name + ".draft")
        try:
            draft.write_bytes(b"".join(_framed(fact.input) for fact in kept))
            draft.replace(self._spool)
        except OSError as error:
            log.error("spool cannot be written", extra={"path": str(self._spool), "error": str(error)})

    def _tidy(self, fact: _Fact) -> None:
        """The fact is told: the file goes once it holds no other that is not."""
        if fact.kept and not self._waiting and not any(fact.kept for fact in self._flying.values()):
            self._last_kept = -1
            try:
                self._spool.unlink(missing_ok=True)
            except OSError as error:
                log.error("spool cannot be removed", extra={"path": str(self._spool), "error": str(error)})


def _framed(input: journal_pb2.Input) -> bytes:
    data = input.SerializeToString()
    return len(data).to_bytes(LENGTH_BYTES, "big") + data
