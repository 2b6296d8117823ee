"""What the voters and the journals of two sites say of who leads, for people. Pure but for what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from junctor_journal import topics
from junctor_journal.chain_log import ChainLog
from junctor_journal.log import Log, TopicPartition
from junctor_journal.reader import Verdict
from junctor_register.holdings import Register


@dataclass(frozen=True, slots=True)
class Led:
    """A partition. `site` and `epoch` as a majority of the voters has it, "" and 0 for nobody; `journal_site` and
    `journal_epoch` as the journals show it: the newest site epoch that began; `void`: records that do not count."""

    partition: int
    site: str
    epoch: int
    appointed: bool
    journal_site: str
    journal_epoch: int
    void: int

    @property
    def agreed(self) -> bool:
        """Whether the site that holds the partition has begun to lead it."""
        return self.site == self.journal_site and self.epoch == self.journal_epoch


@dataclass(frozen=True, slots=True)
class Lag:
    """What the mirror has not brought of one topic: records, and milliseconds between the newest there and here."""

    topic: str
    records: int
    milliseconds: int


def holder(voters: Mapping[str, Register], count: int, partition: int) -> tuple[str, int, bool]:
    """Site, epoch and whether a person made it so. `count`: how many voters there are, those that did not answer included."""
    named: dict[tuple[str, int], int] = {}
    for register in voters.values():
        found = register.partitions.get(partition)
        if found is None or found.release is not None:
            continue
        if found.appointed and found.epoch == max(
            other.partitions[partition].epoch for other in voters.values() if partition in other.partitions
        ):
            return found.holder, found.epoch, True
        key = (found.holder, found.epoch)
        named[key] = named.get(key, 0) + 1
    site, epoch = next((key for key, voices in named.items() if voices > count // 2), ("", 0))
    return site, epoch, False


async def journals(log: Log, service: str) -> Mapping[int, tuple[str, int, int]]:
    """By partition: the site and the number of the newest site epoch that began, and how many records are void.

    Raises `LogUnavailable`.
    """
    chain = ChainLog(log, service)
    numbers = await chain.open()
    newest = dict.fromkeys(numbers, ("", 0))
    try:
        async for partition, reading in chain.read_on():
            if reading.verdict is Verdict.EPOCH:
                started = reading.record.epoch_started
                newest[partition] = max(
                    newest[partition], (started.site, started.epoch.site_epoch), key=lambda one: one[1]
                )
        return {number: (*newest[number], chain.counts(number).void) for number in numbers}
    finally:
        await chain.close()


def led(voters: Mapping[str, Register], count: int, found: Mapping[int, tuple[str, int, int]]) -> Sequence[Led]:
    """Both together, by partition."""
    return [
        Led(partition, *holder(voters, count, partition), site, epoch, void)
        for partition, (site, epoch, void) in sorted(found.items())
    ]


async def lag(near: Log, far: Log, other: str, service: str) -> Lag:
    """Of the journal of `service` in site `other`. Raises `LogUnavailable` where one of the two does not answer.

    The mirror keeps timestamps: what is newer there than the newest here has not come.
    """
    topic = topics.journal(service)
    count = await near.partitions(topics.of_site(other, topic))
    records = milliseconds = 0
    for number in range(count):
        there, here = TopicPartition(topic, number), TopicPartition(topics.of_site(other, topic), number)
        last_there, last_here = await _newest(far, there), await _newest(near, here)
        if last_there <= last_here:
            continue
        end = (await far.end_offsets([there]))[there]
        first = (await far.offsets_at([there], last_here + 1))[there]
        records += max(0, end - first)
        milliseconds = max(milliseconds, last_there - last_here if last_here >= 0 else 0)
    return Lag(topic, records, milliseconds)


async def _newest(log: Log, tp: TopicPartition) -> int:
    """The timestamp of the last record, -1 for none."""
    begin, end = (await log.begin_offsets([tp]))[tp], (await log.end_offsets([tp]))[tp]
    if begin >= end:
        return -1
    tail = await log.tail({tp: end - 1}, wait_ms=20)
    try:
        while await tail.position(tp) < end:
            for records in (await tail.getmany(timeout_ms=200)).values():
                return records[-1].timestamp
        return -1
    finally:
        await tail.close()
