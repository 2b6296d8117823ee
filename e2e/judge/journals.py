"""Which decisions of two sites' journals count, found from all records at once; written from docs/two-sites.md, section 2.

Shares no code with the log library: it knows the generated messages and the formula of the chain's hash.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from junctor.journal.v1 import journal_pb2 as pb

from e2e.judge.reading import records


@dataclass
class Decisions:
    """The chain of one partition. `broken`: sentences, one for each rule that does not hold."""

    entries: list[pb.Entry] = field(default_factory=list)
    epochs: list[pb.EpochStarted] = field(default_factory=list)
    """Those of the chain, the first one first."""
    void: int = 0
    beyond: dict[int, int] = field(default_factory=dict)
    """Of each site epoch that another one continues: how many of its decisions lie beyond the cut."""
    broken: list[str] = field(default_factory=list)

    def applied(self) -> Counter[str]:
        """How often each input was applied."""
        return Counter(entry.input.id for entry in self.entries)


@dataclass
class _Begun:
    """A site epoch in the journal of the site that led it."""

    site: str
    started: pb.EpochStarted
    entries: list[tuple[pb.Entry, bytes]] = field(default_factory=list)
    """With the hash that the record's bytes give."""


async def values_of(sites: Mapping[str, str], topic: str, partition: int) -> dict[str, list[bytes]]:
    """A topic's values as each site's own Kafka has them. `sites`: bootstrap address by name."""
    return {
        name: [found.value for found in await records(bootstrap, [(topic, partition)])]
        for name, bootstrap in sites.items()
    }


def decisions(journals: Mapping[str, Sequence[bytes]]) -> Decisions:
    """`journals`: the values of one partition's journal, as each site's own Kafka has them in order."""
    found = Decisions()
    begun: dict[int, _Begun] = {}
    written = 0
    for site, values in journals.items():
        written += _read(site, values, begun, found)
    at, cut = max(begun, default=0), None
    links: list[tuple[_Begun, list[tuple[pb.Entry, bytes]]]] = []
    while at in begun:
        one = begun[at]
        links.insert(0, (one, [pair for pair in one.entries if cut is None or pair[0].seq <= cut]))
        if cut is not None:
            found.beyond[at] = len(one.entries) - len(links[0][1])
        cut, at = one.started.cut_seq, one.started.previous_site_epoch
    if at:
        found.broken.append(f"site epoch {at} is continued and never began")
    seq, link = 0, b""
    for one, pairs in links:
        epoch = one.started.epoch.site_epoch
        found.epochs.append(one.started)
        if one.started.cut_seq != seq or (seq and one.started.cut_hash != link):
            found.broken.append(
                f"site epoch {epoch} begins after {one.started.cut_seq}, and {seq} entries count by then"
            )
            seq, link = one.started.cut_seq, one.started.cut_hash
        for entry, own in pairs:
            if entry.seq != seq + 1 or entry.previous_hash != link:
                found.broken.append(f"entry {entry.seq} of site epoch {epoch} does not continue entry {seq}")
            seq, link = entry.seq, own
            found.entries.append(entry)
    found.void = written - len(found.entries)
    found.broken += [f"input {id} was applied {n} times" for id, n in found.applied().items() if n > 1]
    return found


def _read(site: str, values: Sequence[bytes], begun: dict[int, _Begun], found: Decisions) -> int:
    """Adds what counts in one journal alone; how many entries it has."""
    reign, owner, going, here, written = (0, 0), 0, False, 0, 0
    link = b""
    for value in values:
        record = pb.JournalRecord.FromString(value)
        kind = record.WhichOneof("kind")
        if kind is None:
            continue
        body = getattr(record, kind)
        epoch = (body.epoch.site_epoch, body.epoch.owner_epoch)
        written += kind == "entry"
        if kind == "owner_started":
            if epoch > reign:
                reign, owner, going = epoch, body.owner_id, True
        elif not going or (epoch, body.owner_id) != (reign, owner):
            continue
        elif kind == "sealed":
            going = False
        elif kind == "epoch_started":
            known = begun.get(epoch[0])
            if known is None:
                begun[epoch[0]] = _Begun(site, body)
                here, link = epoch[0], body.cut_hash
            elif known.site != site:
                found.broken.append(f"site epoch {epoch[0]} was led by {known.site} and by {site}")
        elif epoch[0] == here:
            going, link = _entry(begun[here], body, value, link)
    return written


def _entry(epoch: _Begun, entry: pb.Entry, value: bytes, link: bytes) -> tuple[bool, bytes]:
    last = epoch.entries[-1][0].seq if epoch.entries else epoch.started.cut_seq
    if entry.seq <= last:
        return True, link
    if entry.seq != last + 1 or entry.previous_hash != link:
        return False, link
    own = hashlib.blake2b(link + value, digest_size=8).digest()
    epoch.entries.append((entry, own))
    return True, own
