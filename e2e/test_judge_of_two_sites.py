"""The judge of two sites on histories that were doctored: each broken promise is found, and a sound history is not blamed."""

import hashlib
import math
from typing import Literal

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb

from e2e.judge.edges import Fact, facts_in, talks
from e2e.judge.intervals import Interval, overlaps
from e2e.judge.journals import decisions
from e2e.judge.line import Line, line
from e2e.judge.reading import Found


class Journal:
    """A site's journal of one partition, as its Kafka has it."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.values: list[bytes] = []
        self.epoch, self.owner, self.seq, self.link = (0, 0), 0, 0, b""

    def begin(self, site_epoch: int, previous: int = 0, cut: tuple[int, bytes] = (0, b"")) -> "Journal":
        self.epoch, self.owner = (site_epoch, 1), 100 * site_epoch + ord(self.site)
        self.seq, self.link = cut
        epoch = journal_pb2.Epoch(site_epoch=site_epoch, owner_epoch=1)
        claim = journal_pb2.OwnerStarted(epoch=epoch, owner_id=self.owner, site=self.site)
        self._append(journal_pb2.JournalRecord(owner_started=claim))
        started = journal_pb2.EpochStarted(
            epoch=epoch,
            owner_id=self.owner,
            previous_site_epoch=previous,
            cut_seq=cut[0],
            cut_hash=cut[1],
            site=self.site,
        )
        self._append(journal_pb2.JournalRecord(epoch_started=started))
        return self

    def decide(self, input_id: str, *events: Message) -> tuple[int, bytes]:
        """One entry; returns what a cut behind it says."""
        self.seq += 1
        entry = journal_pb2.Entry(
            epoch=journal_pb2.Epoch(site_epoch=self.epoch[0], owner_epoch=self.epoch[1]),
            owner_id=self.owner,
            seq=self.seq,
            previous_hash=self.link,
            input=journal_pb2.Input(id=input_id),
            events=[_packed(event) for event in events],
        )
        value = self._append(journal_pb2.JournalRecord(entry=entry))
        self.link = hashlib.blake2b(self.link + value, digest_size=8).digest()
        return self.seq, self.link

    def _append(self, record: journal_pb2.JournalRecord) -> bytes:
        self.values.append(record.SerializeToString(deterministic=True))
        return self.values[-1]


def _packed(event: Message) -> Any:
    packed = Any()
    packed.Pack(event)
    return packed


def ids(a: Journal, b: Journal) -> list[str]:
    found = decisions({"a": a.values, "b": b.values})
    assert found.broken == []
    return [entry.input.id for entry in found.entries]


def test_what_lies_beyond_the_cut_is_void_and_the_rest_counts() -> None:
    a, b = Journal("a").begin(1), Journal("b")
    a.decide("one")
    cut = a.decide("two")
    a.decide("lost")
    b.begin(2, 1, cut).decide("three")
    assert ids(a, b) == ["one", "two", "three"]
    found = decisions({"a": a.values, "b": b.values})
    assert (found.void, found.beyond) == (1, {1: 1})


def test_an_owner_that_was_overtaken_in_its_own_journal_decides_nothing_more() -> None:
    a, b = Journal("a").begin(1), Journal("b")
    cut = a.decide("one")
    claim = journal_pb2.OwnerStarted(epoch=journal_pb2.Epoch(site_epoch=2, owner_epoch=1), owner_id=7, site="b")
    a.values.append(journal_pb2.JournalRecord(owner_started=claim).SerializeToString())
    a.decide("too late")
    b.begin(2, 1, cut).decide("two")
    assert ids(a, b) == ["one", "two"]


def test_two_sites_that_lead_one_epoch_are_found() -> None:
    a, b = Journal("a").begin(1), Journal("b").begin(1)
    a.decide("one")
    b.decide("two")
    assert decisions({"a": a.values, "b": b.values}).broken == ["site epoch 1 was led by a and by b"]


def test_an_input_applied_twice_a_gap_and_a_forged_hash_are_found() -> None:
    a, b = Journal("a").begin(1), Journal("b")
    cut = a.decide("one")
    b.begin(2, 1, cut).decide("one")
    assert decisions({"a": a.values, "b": b.values}).broken == ["input one was applied 2 times"]
    b = Journal("b").begin(2, 1, (5, b"elsewhe."))
    b.decide("two")
    (sentence,) = decisions({"a": a.values, "b": b.values}).broken
    assert sentence == "site epoch 2 begins after 5, and 1 entries count by then"
    forged = Journal("b").begin(2, 1, (cut[0], b"elsewhe."))
    assert len(decisions({"a": a.values, "b": forged.values}).broken) == 1
    unknown = Journal("b").begin(4, 3, cut)
    assert "site epoch 3 is continued and never began" in decisions({"a": a.values, "b": unknown.values}).broken


def _queued(contact: str, at: int) -> pb.TaskQueued:
    return pb.TaskQueued(contact_id=contact, queue="desk", priority=5, arrived_at=at)


def _offer(contact: str, agent: str) -> pb.ReservationCreated:
    return pb.ReservationCreated(contact_id=contact, agent_id=agent, reservation_id=f"{contact}.{agent}")


def _line(*events: Message) -> Line:
    a = Journal("a").begin(1)
    for number, event in enumerate(events):
        a.decide(str(number), event)
    return line(decisions({"a": a.values, "b": []}).entries)


def test_who_is_passed_over_is_found_and_who_was_refused_before_is_not_blamed() -> None:
    late_first = _line(_queued("c2", 2), _queued("c1", 1), _offer("c2", "x"), _offer("c1", "y"))
    assert late_first.passed_over == [("c1", "c2")]
    assert _line(_queued("c2", 2), _queued("c1", 1), _offer("c1", "x"), _offer("c2", "y")).passed_over == []
    refused = pb.ReservationEnded(contact_id="c1", agent_id="x", state=pb.RESERVATION_STATE_REJECTED)
    back = pb.TaskRequeued(contact_id="c1", agent_id="x")
    again = (_queued("c1", 1), _queued("c2", 2), _offer("c1", "x"), refused, back)
    assert _line(*again, _offer("c2", "x")).passed_over == []
    assert _line(*again, _offer("c2", "y")).passed_over == [("c1", "c2")]


def test_who_is_forgotten_still_waits() -> None:
    done = pb.TaskCompleted(contact_id="c1")
    found = _line(_queued("c1", 1), _queued("c2", 2), _offer("c1", "x"), done)
    assert (set(found.queued), found.ended, found.waiting) == ({"c1", "c2"}, {"c1"}, {"c2"})


def _fact(
    at: float, site: str, kind: Literal["bound", "unbound", "hung_up"], contact: str, agent: str, reservation: str
) -> Fact:
    return Fact(at, site, kind, contact, agent, reservation)


def test_a_talk_ends_when_it_is_unbound_when_the_phone_is_gone_and_with_its_site() -> None:
    facts = [
        _fact(1, "a", "bound", "c1", "x", "r1"),
        _fact(2, "a", "bound", "c2", "y", "r2"),
        _fact(2, "b", "bound", "c3", "z", "r3"),
        _fact(4, "b", "hung_up", "c2", "y", "r2"),
        _fact(9, "a", "unbound", "c2", "y", "r2"),
        _fact(60, "a", "unbound", "c1", "x", "r1"),
    ]
    found = talks(facts, losses=[("a", 5.0)])
    assert found.intervals == [
        Interval("c1", "x", 1, 5),
        Interval("c2", "y", 2, 4),
        Interval("c3", "z", 2, math.inf),
    ]


def test_two_agents_two_contacts_and_a_reservation_that_binds_twice_are_found_in_facts() -> None:
    facts = [
        _fact(1, "a", "bound", "c1", "x", "r1"),
        _fact(2, "b", "bound", "c1", "y", "r2"),
        _fact(3, "b", "bound", "c2", "y", "r3"),
        _fact(4, "b", "unbound", "c2", "y", "r3"),
        _fact(5, "b", "bound", "c2", "y", "r3"),
    ]
    found = talks(facts)
    assert found.bound_twice == ["c2"]
    assert (overlaps(found.intervals).with_two_agents, overlaps(found.intervals).slots_with_two) == (["c1"], ["y"])
    # The same contact's second talk is none of the judge's business where its first one was lost with its site.
    assert overlaps(talks(facts[:2], losses=[("a", 1.5)]).intervals).count == 0


def test_facts_are_read_once_from_cloud_events() -> None:
    bound = cti_pb2.Bound(contact_id="c1", agent_id="x", reservation_id="r1")
    headers = {
        "ce_id": "1",
        "ce_type": cti_pb2.Bound.DESCRIPTOR.full_name,
        "ce_time": "1970-01-01T00:00:02Z",
        "ce_site": "a",
    }
    event = Found("t", 0, 0, 0, bound.SerializeToString(), headers)
    ringing = cti_pb2.RelayStateChanged(contact_id="c1", agent_id="x", reservation_id="r1", state="ringing")
    kind = ringing.DESCRIPTOR.full_name
    rang = Found("t", 0, 1, 0, ringing.SerializeToString(), headers | {"ce_id": "2", "ce_type": kind})
    assert facts_in([event, event, rang]) == [Fact(2.0, "a", "bound", "c1", "x", "r1")]
