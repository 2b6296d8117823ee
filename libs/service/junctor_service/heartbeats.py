"""Heartbeats of the processes of two sites: each tells twice a second that it lives, and hears the others through the mirror.

A topic of its own, not the journal: what is heard decides nothing. Who leads a partition makes an input of it where an edge
falls silent or is heard again (docs/two-sites.md, L6).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from junctor.site.v1 import site_pb2
from junctor_journal import topics
from junctor_journal.errors import JournalError, LogUnavailable
from junctor_journal.log import Log, Record, TopicPartition

from junctor_service.ids import edge_id

log = logging.getLogger(__name__)

TOPIC = "junctor.heartbeats.v1"
BEAT_SECONDS = 0.5
SILENT_SECONDS = 2.0
"""An edge that was not heard for so long is not reached (docs/two-sites.md, L6)."""
UNHEARD_SECONDS = 30.0
"""A site that was never heard is not missed before: after the start of a whole site its mirror comes last."""
FORGET_SECONDS = 86_400.0
_RETRY_SECONDS = 0.5
_LATE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Standing:
    """What a process says of itself beside that it lives; see `junctor.site.v1.Heartbeat`."""

    version: str = ""
    configuration: str = ""
    positions: Sequence[int] = ()
    leads: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A process's last heartbeat, and when it was read here (monotonic seconds)."""

    beat: site_pb2.Heartbeat
    at: float


class Heartbeats:
    """A component, started after the log: tells that this process lives, and hears all where `hears`.

    `standing` is asked before each beat. Time in which this process stood still, or Kafka was away, silences nobody.
    """

    name = "heartbeats"

    def __init__(
        self,
        service: str,
        site: str,
        other: str,
        log: Log,
        *,
        slot: str = "",
        hears: bool = False,
        standing: Callable[[], Standing] = Standing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.process = uuid.uuid4().hex
        self._service, self._site = service, site
        self._topics = (TOPIC, topics.of_site(other, TOPIC)) if hears else ()
        self._log = log
        self._slot = slot
        self._standing = standing
        self._clock = clock
        self._heard: dict[tuple[str, str, str], Heard] = {}
        self._led: dict[tuple[str, int], float] = {}
        self._began = self._awake = clock()
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[site_pb2.Heartbeat], None]] = []

    @property
    def ready(self) -> bool:
        """Always: who is not heard is not reached, and who cannot tell is not heard."""
        return True

    async def start(self) -> None:
        """Goes on in the background."""
        self._tasks.append(asyncio.create_task(self._tell(), name="heartbeats"))
        if self._topics:
            self._tasks.append(asyncio.create_task(self._hear(), name="heartbeats of others"))

    async def stop(self, deadline: float) -> None:
        """Falls silent."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def listen(self, listener: Callable[[site_pb2.Heartbeat], None]) -> None:
        """Calls it with each heartbeat when it is read."""
        self._listeners.append(listener)

    def edges(self) -> dict[str, tuple[bool, bool]]:
        """By edge: whether a process of it was heard a moment ago, and whether it holds slots of agents: such are named
        `<service>/<site>/<slot>` beside the whole, `<service>/<site>`. Edges that were never heard here are not in it."""
        now = self._now()
        found: dict[str, tuple[bool, bool]] = {}
        for (site, service, _), heard in self._heard.items():
            edge, reachable = edge_id(service, site), now - heard.at < SILENT_SECONDS
            found[edge] = (reachable or found.get(edge, (False, False))[0], False)
            if heard.beat.slot:
                edge = f"{edge}/{heard.beat.slot}"
                found[edge] = (reachable or found.get(edge, (False, True))[0], True)
        return found

    def of(self, site: str, service: str) -> list[Heard]:
        """The processes of a service at a site that were heard a moment ago."""
        now = self._now()
        return [
            heard
            for key, heard in sorted(self._heard.items())
            if key[:2] == (site, service) and now - heard.at < SILENT_SECONDS
        ]

    def last_heard(self, edge: str) -> float | None:
        """When a process of the edge was heard last (monotonic seconds); None where that never was."""
        self._now()
        return max(
            (heard.at for (site, service, _), heard in self._heard.items() if edge_id(service, site) == edge),
            default=None,
        )

    def unled(self, service: str, partition: int) -> float:
        """For how many seconds nobody was heard who decides for that partition; at most since this process began."""
        now = self._now()
        return now - self._led.get((service, partition), self._began)

    def hear(self, beat: site_pb2.Heartbeat) -> None:
        """A heartbeat was read."""
        now = self._now()
        self._heard[beat.site, beat.service, beat.process] = Heard(beat, now)
        self._led.update({(beat.service, partition): now for partition in beat.leads})
        for listener in self._listeners:
            listener(beat)

    def _now(self) -> float:
        """The clock; what was heard is moved forward by the time in which nothing could be heard here."""
        now = self._clock()
        stood = now - self._awake - BEAT_SECONDS - _LATE_SECONDS
        if stood > 0 or not self._log.available:
            lost = now - self._awake if not self._log.available else stood
            self._heard = {key: Heard(heard.beat, heard.at + lost) for key, heard in self._heard.items()}
            self._led = {key: at + lost for key, at in self._led.items()}
            self._began += lost
        self._awake = now
        return now

    async def _tell(self) -> None:
        key = f"{self._site}/{self._service}/{self.process}".encode()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._forget()
            with suppress(JournalError):
                standing = self._standing()
                beat = site_pb2.Heartbeat(
                    site=self._site,
                    service=self._service,
                    process=self.process,
                    slot=self._slot,
                    version=standing.version,
                    configuration=standing.configuration,
                    positions=standing.positions,
                    leads=standing.leads,
                )
                await self._log.producer().send(TOPIC, key, beat.SerializeToString())
            await asyncio.sleep(max(0.0, BEAT_SECONDS - (loop.time() - began)))

    def _forget(self) -> None:
        now = self._now()
        for key in [key for key, heard in self._heard.items() if now - heard.at > FORGET_SECONDS]:
            del self._heard[key]

    async def _hear(self) -> None:
        while True:
            try:
                await self._follow()
            except LogUnavailable as error:
                log.info("heartbeats cannot be read now", extra={"reason": str(error)})
            except Exception:
                log.exception("reading heartbeats failed")
            await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        places = [
            TopicPartition(topic, partition)
            for topic in self._topics
            for partition in range(await self._log.partitions(topic))
        ]
        if not places:
            raise LogUnavailable(f"there is no topic {TOPIC}")
        tail = await self._log.tail(await self._log.end_offsets(places))
        try:
            while True:
                for records in (await tail.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._see(record)
        finally:
            await asyncio.shield(tail.close())

    def _see(self, record: Record) -> None:
        try:
            self.hear(site_pb2.Heartbeat.FromString(record.value or b""))
        except DecodeError:
            log.warning("a heartbeat does not parse", extra={"topic": record.topic, "offset": record.offset})


class FarEdge:
    """The edges of a service at other sites, as their heartbeats tell. What was never heard is silent since UNHEARD_SECONDS after
    this process could have heard it."""

    def __init__(self, service: str, beats: Heartbeats | None, now: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._beats = beats
        self._now = now
        self._since = now() + BEAT_SECONDS + UNHEARD_SECONDS

    def lives(self, site: str) -> bool:
        """Whether it was heard a moment ago."""
        return self.silent_for(site) < SILENT_SECONDS

    def silent_for(self, site: str) -> float:
        """Seconds since it was heard last; 0 for less than a beat's."""
        heard = self._beats.last_heard(edge_id(self._service, site)) if self._beats is not None else None
        return max(0.0, self._now() - (self._since if heard is None else heard + BEAT_SECONDS))
