"""The router's metrics and spans. Gauges are counted when they are read, of the partitions that this process owns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from junctor.router.v1 import router_pb2 as pb
from junctor_journal.errors import JournalError
from junctor_service.trace_context import contact_traceparent

from junctor_router.application.apply_times import ApplyTimes
from junctor_router.domain.pool_state import PoolState
from junctor_router.domain.values import Channel

Values = Iterable[tuple[float, Mapping[str, str]]]


class Telemetry(Protocol):
    """The part of `junctor_service.telemetry.Telemetry` that is needed here."""

    def gauge(self, name: str, value: Any) -> None: ...

    def gauges(self, name: str, values: Any) -> None: ...

    def histogram(self, name: str) -> Any: ...

    def past_span(
        self, name: str, began_ms: int, ended_ms: int, *, traceparent: str, attributes: Any = None
    ) -> None: ...


class Journal(Protocol):
    """The part of the ledger that is needed here."""

    @property
    def partitions(self) -> int: ...

    def owns(self, partition: int) -> bool: ...

    def state(self, partition: int) -> Any: ...


class Measures:
    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._matches = telemetry.histogram("junctor.router.match_duration")
        self.times = ApplyTimes(telemetry.histogram("junctor.router.apply_duration").record)
        self._journal: Journal | None = None
        telemetry.gauge("junctor.router.apply_longest", self.times.longest_ms)
        telemetry.gauges("junctor.router.waiting", self._waiting)
        telemetry.gauges("junctor.router.offers", self._offers)
        telemetry.gauges("junctor.router.agents", self._agents)
        telemetry.gauges("junctor.router.edges", self._edges)

    def watch(self, journal: Journal) -> None:
        self._journal = journal

    def entry(self, partition: int, entry: Any) -> None:
        """An entry of a partition that this process owns, read back. Inputs without a trace leave no spans; a match is in
        the trace of the contact, whoever's input brought it about."""
        traceparent = entry.input.traceparent
        if traceparent:
            what = {"input": entry.input.body.type_url.rpartition(".")[2], "pool": entry.stream}
            began = entry.input.made_at or entry.now
            self._telemetry.past_span("router.apply", began, entry.now, traceparent=traceparent, attributes=what)
        matched: set[str] = set()
        for offer in entry.messages:
            if isinstance(offer, pb.ReservationCreated) and offer.contact_id not in matched:
                matched.add(offer.contact_id)
                self._match(partition, entry, offer, spans=bool(traceparent))

    def _match(self, partition: int, entry: Any, offer: pb.ReservationCreated, spans: bool) -> None:
        pool = None if self._journal is None else self._journal.state(partition).pool(entry.tenant, entry.stream)
        task = None if pool is None else pool.state.tasks.get(offer.contact_id)
        if task is None:
            return
        channel = Channel(offer.channel).name.lower()
        self._matches.record(max(entry.now - task.waiting_since, 0), {"channel": channel})
        if spans:
            with suppress(ValueError):
                self._telemetry.past_span(
                    "router.match",
                    task.waiting_since,
                    entry.now,
                    traceparent=contact_traceparent(offer.contact_id),
                    attributes={"queue": offer.queue, "channel": channel, "chosen_by": offer.chosen_by},
                )

    def _waiting(self) -> Values:
        for pool in self._pools():
            lines = pool.lines.lines.values()
            yield sum(len(line.entries) for line in lines), {"tenant": pool.tenant, "pool": pool.name}

    def _offers(self) -> Values:
        for pool in self._pools():
            yield sum(queue.offered for queue in pool.queues.values()), {"tenant": pool.tenant, "pool": pool.name}

    def _agents(self) -> Values:
        for pool in self._pools():
            states = Counter(agent.state for agent in pool.agents.values() if agent.logged_in)
            for state, count in sorted(states.items()):
                yield count, {"tenant": pool.tenant, "pool": pool.name, "state": state.name.lower()}

    def _edges(self) -> Values:
        for pool in self._pools():
            for name in sorted(pool.edges):
                state = "silent" if name in pool.silent else "uncalled" if name in pool.uncalled else "reached"
                yield 1, {"tenant": pool.tenant, "pool": pool.name, "edge": name, "state": state}

    def _pools(self) -> Iterator[PoolState]:
        journal = self._journal
        if journal is None:
            return
        for partition in range(journal.partitions):
            try:
                fold = journal.state(partition) if journal.owns(partition) else None
            except JournalError:
                continue
            if fold is not None:
                yield from (pool.state for pool in fold.everywhere())
