"""Where the time of a call's way goes, from the journals: when each input on the way was made, and when applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicPartition
from junctor_journal.reader import JournalReader, Verdict

SERVICES = ("cti", "ivr", "router")
TO_ANSWER = (("cti", "CallArrived"), ("cti", "CallAnswered"))
TO_PHONE = (
    ("cti", "DigitHeard"),
    ("ivr", "MediaVerbReported"),
    ("cti", "FlowReported"),
    ("router", "RequestTaskRequest"),
    ("cti", "OfferReported"),
    ("cti", "AgentLegPrepared"),
)
"""Ways: the inputs on them, in order. Each is made by its service, goes through Kafka to the owner, and is applied."""


Way = Sequence[tuple[str, str]]


class Entry(NamedTuple):
    """Unix milliseconds."""

    made_at: int
    now: int


class Hops:
    def __init__(self, entries: Mapping[tuple[str, str, str], list[Entry]]) -> None:
        self._entries = entries

    def stages(
        self, way: Way, calls: Mapping[str, tuple[float, float]], first: str, last: str
    ) -> dict[str, list[float]]:
        """By stage, the milliseconds of each call. `calls`: Unix milliseconds at which the way began and ended, by contact."""
        found: dict[str, list[float]] = defaultdict(list)
        for contact_id, (began, ended) in calls.items():
            marks = self._marks(way, contact_id, began, first)
            if marks is None:
                continue
            for (_, before), (name, after) in pairwise([*marks, (f"{way[-1][1]} applied -> {last}", ended)]):
                found[name].append(after - before)
        return found

    def _marks(self, way: Way, contact_id: str, began: float, first: str) -> list[tuple[str, float]] | None:
        marks: list[tuple[str, float]] = [("", began)]
        not_before, previous = 0, first
        for service, kind in way:
            entry = next((e for e in self._entries.get((contact_id, service, kind), ()) if e.now >= not_before), None)
            if entry is None:
                return None
            marks.append((f"{previous} -> {kind} made in {service}", entry.made_at))
            marks.append((f"{kind} made -> applied in {service}", entry.now))
            not_before, previous = entry.now, f"{kind} applied"
        return marks


async def read(bootstrap: str) -> Hops:
    """Reads the valid entries of the journals from their beginnings to their present ends."""
    log = KafkaLog(bootstrap, client_id="bench-hops")
    await log.start()
    entries: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    try:
        for service in SERVICES:
            topic = topics.journal(service)
            tps = [TopicPartition(topic, partition) for partition in range(await log.partitions(topic))]
            readers = {tp: JournalReader() for tp in tps}
            position, end = await log.begin_offsets(tps), await log.end_offsets(tps)
            tail = await log.tail(position)
            while any(position[tp] < end[tp] for tp in tps):
                for tp, records in (await tail.getmany(timeout_ms=500)).items():
                    for record in records:
                        if readers[tp].see(record.value) is Verdict.VALID:
                            entry = readers[tp].record.entry
                            kind = entry.input.body.type_url.rpartition(".")[2]
                            key = (entry.input.correlation_id or entry.input.stream, service, kind)
                            entries[key].append(Entry(entry.input.made_at, entry.now))
                    position[tp] = records[-1].offset + 1
            await tail.close()
    finally:
        await log.stop()
    return Hops(entries)
