"""An independent judge of a journal: states the rule over the whole log at once, and shares no code with the reader."""

from collections import Counter
from dataclasses import dataclass, field

from junctor.journal.v1 import journal_pb2 as pb


@dataclass
class Verdict:
    valid: list = field(default_factory=list)
    """(index in the log, entry) of those that count."""
    claims: int = 0
    void: int = 0
    repeats: int = 0
    gaps: int = 0

    def ids(self):
        return [entry.input.id for _, entry in self.valid]


def judge(values):
    """Which entries of one partition count. `values` are the records' values in order."""
    records = [pb.JournalRecord.FromString(value) for value in values]
    verdict = Verdict()
    highest = (0, 0)
    reigns = []
    for index, record in enumerate(records):
        if record.HasField("owner_started"):
            claim = record.owner_started
            epoch = (claim.epoch.site_epoch, claim.epoch.owner_epoch)
            if epoch > highest:
                highest = epoch
                reigns.append((index, epoch, claim.owner_id))
    verdict.claims = len(reigns)
    bounds = [*[start for start, _, _ in reigns[1:]], len(records)]
    last = 0
    counted = set()
    begun = 0
    for (start, epoch, owner), end in zip(reigns, bounds):
        for index in range(start + 1, end):
            if records[index].HasField("epoch_started"):
                started = records[index].epoch_started
                if (started.epoch.site_epoch, started.epoch.owner_epoch, started.owner_id) == (*epoch, owner):
                    begun = max(begun, epoch[0])
            if not records[index].HasField("entry") or begun < epoch[0]:
                continue
            entry = records[index].entry
            if (entry.epoch.site_epoch, entry.epoch.owner_epoch) != epoch or entry.owner_id != owner:
                continue
            if entry.seq <= last:
                verdict.repeats += 1
                continue
            if entry.seq != last + 1:
                verdict.gaps += 1
                break
            last = entry.seq
            counted.add(index)
            verdict.valid.append((index, entry))
    verdict.void = sum(1 for index, record in enumerate(records) if record.HasField("entry") and index not in counted)
    return verdict


def chain(journals):
    """The entries that count for one who sees the journals of all sites, in order. `journals`: values by site.

    The newest site epoch that began, and from each to the one that its beginning names, up to the cut. In each journal
    what counts is found as in one alone, site epoch by site epoch.
    """
    begun, entries = {}, {}
    for site, values in journals.items():
        highest, reign, broken, counted = (0, 0), None, False, {}
        for value in values:
            record = pb.JournalRecord.FromString(value)
            kind = record.WhichOneof("kind")
            if kind is None:
                continue
            body = getattr(record, kind)
            epoch = (body.epoch.site_epoch, body.epoch.owner_epoch)
            if kind == "owner_started":
                if epoch > highest:
                    highest, reign, broken = epoch, (*epoch, body.owner_id), False
            elif (*epoch, body.owner_id) != reign or broken:
                continue
            elif kind == "sealed":
                broken = True
            elif kind == "epoch_started":
                if epoch[0] not in begun and body.previous_site_epoch < epoch[0]:
                    begun[epoch[0]] = body
                    counted[epoch[0]] = body.cut_seq
                    entries[epoch[0]] = []
            elif epoch[0] in counted and body.seq > counted[epoch[0]]:
                if body.seq == counted[epoch[0]] + 1:
                    counted[epoch[0]] = body.seq
                    entries[epoch[0]].append(body)
                else:
                    broken = True
    found = []
    at, cut = max(begun, default=0), None
    while at:
        found[:0] = [entry for entry in entries[at] if cut is None or entry.seq <= cut]
        cut = begun[at].cut_seq
        at = begun[at].previous_site_epoch
    assert [entry.seq for entry in found] == list(range(1, len(found) + 1)), "the chain has a gap"
    return found


@dataclass
class Count:
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    changed: int = 0


def compare(verdict, inputs):
    """`inputs`: (topic, partition, offset, value) of the inputs in order. Each must have been applied once, in order."""
    sent = [pb.Input.FromString(value) for _, _, _, value in inputs]
    place = {(topic, partition, offset): value for topic, partition, offset, value in inputs}
    applied = Counter(verdict.ids())
    count = Count()
    count.lost = len({one.id for one in sent} - set(applied))
    count.duplicated = sum(n - 1 for n in applied.values())
    last = {}
    for _, entry in verdict.valid:
        if entry.HasField("source"):
            source = (entry.source.topic, entry.source.partition)
            count.reordered += entry.source.offset <= last.get(source, -1)
            last[source] = entry.source.offset
            value = place.get((*source, entry.source.offset))
            count.changed += value is None or pb.Input.FromString(value) != entry.input
    return count
