"""The edge's facts on their way into the journal: in order, and through a file on disk while Kafka is away.

A fact is submitted to the partition's owner in this process. While that fails for a reason that passes (Kafka away, the
owner rebuilding), this fact and all later ones are spooled; one task drains them in order. The spool is bounded: beyond
`limit` facts the oldest stay and new calls are refused (`full`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from pathlib import Path
from typing import Any, Protocol

from junctor.journal.v1 import journal_pb2
from junctor_journal.errors import JournalError

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
LENGTH_BYTES = 4


class Submitter(Protocol):
    """The part of the ledger that takes inputs of this process."""

    async def submit(self, partition: int, input: journal_pb2.Input, deadline: float) -> Any: ...


class Facts:
    """`record` returns when the fact's entry is read back as valid. Survives this process: see `reload`."""

    def __init__(self, ledger: Submitter, partition: int, spool: Path, limit: int = 100_000) -> None:
        self._ledger = ledger
        self._partition = partition
        self._spool = spool
        self._limit = limit
        self._waiting: deque[tuple[journal_pb2.Input, asyncio.Future[Any]]] = deque()
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
        """The recorded outcome of the fact, however long that takes. Raises what no retry helps."""
        self._reloaded = True
        if not self._waiting:
            try:
                return await self._ledger.submit(self._partition, input, SUBMIT_SECONDS)
            except JournalError as error:
                if not error.retryable:
                    raise
                log.warning("fact is spooled", extra={"error": repr(error), "fact": input.body.type_url})
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((input, done))
        self._write(input)
        if self._drainer is None or self._drainer.done():
            self._drainer = asyncio.create_task(self._drain(), name="spooled facts")
        return await done

    def reload(self) -> int:
        """Takes up what an earlier process of this slot left in the spool; how many facts. To be called before `record`.

        Facts that were recorded before that process ended are recognised by their ids.
        """
        if self._reloaded or not self._spool.exists():
            return 0
        self._reloaded = True
        data, at = self._spool.read_bytes(), 0
        loop = asyncio.get_running_loop()
        while at + LENGTH_BYTES <= len(data):
            size = int.from_bytes(data[at : at + LENGTH_BYTES], "big")
            part = data[at + LENGTH_BYTES : at + LENGTH_BYTES + size]
            if len(part) < size:
                break
            self._waiting.append((journal_pb2.Input.FromString(part), loop.create_future()))
            at += LENGTH_BYTES + size
        if self._waiting:
            self._drainer = asyncio.create_task(self._drain(), name="spooled facts")
        return len(self._waiting)

    async def stop(self) -> None:
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait({self._drainer})

    def _write(self, input: journal_pb2.Input) -> None:
        data = input.SerializeToString()
        try:
            self._spool.parent.mkdir(parents=True, exist_ok=True)
            with self._spool.open("ab") as file:
                file.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
        except OSError as error:
            log.error("spool cannot be written", extra={"path": str(self._spool), "error": str(error)})

    async def _drain(self) -> None:
        pause = FIRST_PAUSE
        while self._waiting:
            input, done = self._waiting[0]
            try:
                outcome = await self._ledger.submit(self._partition, input, SUBMIT_SECONDS)
            except JournalError as error:
                if error.retryable:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                log.error("spooled fact cannot be applied", extra={"error": repr(error), "fact": input.body.type_url})
                if not done.done():
                    done.set_exception(error)
            else:
                pause = FIRST_PAUSE
                if not done.done():
                    done.set_result(outcome)
            self._waiting.popleft()
        self._spool.unlink(missing_ok=True)
        log.info("spool is empty")
