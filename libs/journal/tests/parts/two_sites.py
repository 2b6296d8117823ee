"""Two sites for tests: a register that grants what it is told to, and mirrors that lag, stop and repeat."""

from __future__ import annotations

import asyncio
import math

from junctor_journal import topics
from junctor_journal.leadership import Grant, Handover
from junctor_journal.ledger import Ledger, LedgerSettings, TwoSites
from junctor_journal.log import NewRecord, TopicDeclaration, TopicPartition
from junctor_journal.owner_settings import OwnerSettings
from junctor_journal.static_pump import StaticPump
from tally_service import declarations, new_fold

OTHER = {"a": "b", "b": "a"}


class Register:
    """Grants epochs in turn. `seen` is what the sites told it that journals show."""

    def __init__(self):
        self.sites = {site: SiteLeadership(self, site) for site in OTHER}
        self.epochs = {}
        self.highest = {}

    def grant(self, site, partition=0, handover=None):
        """To that site, under a new epoch; the other one holds nothing any more."""
        epoch = max(self.epochs.get(partition, 0), self.highest.get(partition, 0)) + 1
        self.epochs[partition] = epoch
        self.sites[OTHER[site]].take(partition)
        self.sites[site].give(partition, Grant(epoch, handover))
        return epoch


class SiteLeadership:
    """`give` and `take` change what it says; a site that is cut off is told nothing: `give` to the other alone."""

    def __init__(self, register, site):
        self._register, self.site = register, site
        self.grants, self.until, self.given_up, self.handed_over = {}, {}, [], []
        self._listeners = []

    def give(self, partition, grant):
        self.grants[partition] = grant
        self._tell(partition)

    def take(self, partition):
        if self.grants.pop(partition, None) is not None:
            self._tell(partition)

    def granted(self, partition):
        return self.grants.get(partition)

    def confirmed_until(self, partition):
        return self.until.get(partition, math.inf) if partition in self.grants else -math.inf

    def watch(self, listener):
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def seen(self, partition, site_epoch):
        highest = self._register.highest
        highest[partition] = max(site_epoch, highest.get(partition, 0))

    async def give_up(self, partition, site_epoch):
        held = self.grants.get(partition)
        if held is not None and held.site_epoch == site_epoch:
            self.given_up.append((partition, site_epoch))
            self.take(partition)

    async def hand_over(self, partition, site_epoch, to_site, seq, hash):
        self.handed_over.append((partition, site_epoch, to_site, seq, hash))
        self.take(partition)
        self._register.grant(to_site, partition, Handover(self.site, seq, hash))

    def _tell(self, partition):
        for listener in list(self._listeners):
            listener(partition)


class Mirror:
    """Copies a site's inputs and journal to the other, in order, as far as `limit` says. `repeat` goes back."""

    def __init__(self, site, source, target, service="tally", partitions=1):
        self.site, self.source, self.target = site, source, target
        self.topics = [topics.inputs(service), topics.journal(service)]
        self.at = {TopicPartition(topic, p): 0 for topic in self.topics for p in range(partitions)}
        self.stopped = set()
        self._task = None

    def start(self):
        self._task = asyncio.ensure_future(self._run())

    async def close(self):
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def cut(self, *names):
        """Nothing comes over any more, of those topics or of all."""
        self.stopped.update(names or self.topics)

    def mend(self):
        self.stopped.clear()

    def repeat(self, records=1_000_000):
        """The last records come once more."""
        for tp, at in self.at.items():
            self.at[tp] = max(0, at - records)

    def step(self):
        """Copies all that there is now; how much."""
        copied = 0
        for tp, at in self.at.items():
            if tp.topic in self.stopped:
                continue
            found = self.source.records(*tp)[at:]
            if found:
                copy = TopicPartition(topics.of_site(self.site, tp.topic), tp.partition)
                self.target.write(copy, [NewRecord(r.key, r.value, r.headers, r.timestamp) for r in found])
                self.at[tp] = at + len(found)
                copied += len(found)
        return copied

    async def _run(self):
        while True:
            self.step()
            await asyncio.sleep(0.005)


async def make_topics(log, site, service="tally", partitions=1):
    other = OTHER[site]
    copies = [topics.inputs(service), topics.journal(service)]
    await log.ensure_topics(declarations(service, partitions))
    await log.ensure_topics([TopicDeclaration(topics.of_site(other, topic), partitions) for topic in copies])


def site_ledger(log, site, leadership, *, far=None, effects=None, service="tally", partitions=1, fold=new_fold, **more):
    """A ledger of that site, for all partitions."""
    owner = OwnerSettings(reclaim_after=more.pop("reclaim_after", 0.1), **more.pop("owner", {}))
    clock = more.pop("clock", None)
    return Ledger(
        service,
        log,
        fold,
        effects,
        pump=more.pop("pump", None) or StaticPump(range(partitions)),
        settings=LedgerSettings(
            site=site,
            address=more.pop("address", f"{site}:1"),
            snapshot_every=more.pop("every", 5_000),
            snapshot_pause=0.0,
            owner=owner,
            **more,
        ),
        sites=TwoSites(leadership, OTHER[site], far),
        **({} if clock is None else {"clock": clock}),
    )
