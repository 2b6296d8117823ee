"""Judges what a journal says of contacts and agents, from its records alone; shares no code with the router."""

from collections import Counter
from dataclasses import dataclass, field

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb

_TYPES = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (pb.TaskQueued, pb.ReservationCreated, pb.ReservationAccepted, pb.ReservationEnded, pb.TaskCompleted)
}


@dataclass
class Findings:
    """Contacts, reservations and agents about which a promise was broken; how much was void, and by how many owners."""

    lost: set = field(default_factory=set)
    twice: set = field(default_factory=set)
    overbooked: list = field(default_factory=list)
    stale: list = field(default_factory=list)
    reigns: int = 0
    void: int = 0

    @property
    def broken(self):
        return self.lost, self.twice, self.overbooked, self.stale


def judge(requested, journal):
    """`requested`: contact ids. `journal`: the values of all records of the partition, in order. Every agent can have
    one contact at a time."""
    findings = Findings()
    entries = _counting(journal, findings)
    accepted, completed = Counter(), set()
    offered, busy = {}, {}
    for event in _events(entries):
        match event:
            case pb.ReservationCreated():
                if busy.get(event.agent_id):
                    findings.overbooked.append((event.agent_id, busy[event.agent_id], event.contact_id))
                busy[event.agent_id] = event.contact_id
                offered[event.reservation_id] = (event.contact_id, event.agent_id)
            case pb.ReservationAccepted():
                accepted[event.contact_id] += 1
                if offered.pop(event.reservation_id, None) != (event.contact_id, event.agent_id):
                    findings.stale.append(event.reservation_id)
            case pb.ReservationEnded():
                offered.pop(event.reservation_id, None)
                busy.pop(event.agent_id, None)
            case pb.TaskCompleted():
                completed.add(event.contact_id)
                busy.pop(event.agent_id, None)
    findings.lost = set(requested) - completed
    findings.twice = {contact for contact, count in accepted.items() if count > 1}
    return findings


def _counting(journal, findings):
    """The rule of the journal over the whole of it: within the records behind a claim of a higher epoch and before the
    next one, the claimant's entries count as long as their sequence has no gap."""
    records = [journal_pb2.JournalRecord.FromString(value) for value in journal]
    highest, owner, last, found = (0, 0), 0, 0, []
    for record in records:
        if record.HasField("owner_started"):
            claim = record.owner_started
            epoch = (claim.epoch.site_epoch, claim.epoch.owner_epoch)
            if epoch > highest:
                highest, owner = epoch, claim.owner_id
                findings.reigns += 1
        elif record.HasField("entry"):
            entry = record.entry
            epoch = (entry.epoch.site_epoch, entry.epoch.owner_epoch)
            if (epoch, entry.owner_id, entry.seq) == (highest, owner, last + 1):
                last = entry.seq
                found.append(entry)
            else:
                findings.void += 1
    return found


def _events(entries):
    for entry in entries:
        for packed in entry.events:
            kind = _TYPES.get(packed.type_url.rpartition("/")[2])
            if kind is not None:
                yield kind.FromString(packed.value)
