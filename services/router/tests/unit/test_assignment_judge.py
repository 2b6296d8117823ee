"""The judge of the fault runs finds what it is to find."""

from assignment_judge import judge
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.record import pack


def claim(epoch):
    started = journal_pb2.OwnerStarted(epoch=journal_pb2.Epoch(site_epoch=1, owner_epoch=epoch), owner_id=epoch)
    return journal_pb2.JournalRecord(owner_started=started).SerializeToString()


def entry(epoch, seq, *events):
    made = journal_pb2.Entry(
        epoch=journal_pb2.Epoch(site_epoch=1, owner_epoch=epoch),
        owner_id=epoch,
        seq=seq,
        events=[pack(event) for event in events],
    )
    return journal_pb2.JournalRecord(entry=made).SerializeToString()


def offer(number, contact, agent="ann"):
    return pb.ReservationCreated(reservation_id=f"r{number}", contact_id=contact, agent_id=agent)


def accept(number, contact, agent="ann"):
    return pb.ReservationAccepted(reservation_id=f"r{number}", contact_id=contact, agent_id=agent)


def done(contact, agent="ann"):
    return pb.TaskCompleted(contact_id=contact, agent_id=agent)


def test_an_orderly_journal_has_no_findings():
    found = judge(
        {"a", "b"},
        [
            claim(1),
            entry(1, 1, offer(1, "a")),
            claim(2),
            entry(1, 2, offer(9, "b", "bob")),
            entry(2, 2, accept(1, "a")),
            entry(2, 3, done("a"), offer(2, "b")),
            entry(2, 4, accept(2, "b")),
            entry(2, 5, done("b")),
        ],
    )
    assert found.broken == (set(), set(), [], [])
    assert (found.reigns, found.void) == (2, 1)


def test_a_lost_contact_is_found():
    assert judge({"a"}, [claim(1), entry(1, 1, offer(1, "a"))]).lost == {"a"}


def test_a_contact_assigned_twice_is_found():
    journal = [
        claim(1),
        entry(1, 1, offer(1, "a"), offer(2, "a", "bob")),
        entry(1, 2, accept(1, "a"), accept(2, "a", "bob")),
        entry(1, 3, done("a")),
    ]
    assert judge({"a"}, journal).twice == {"a"}


def test_an_agent_with_two_contacts_is_found():
    journal = [claim(1), entry(1, 1, offer(1, "a")), entry(1, 2, offer(2, "b"))]
    assert judge(set(), journal).overbooked == [("ann", "a", "b")]


def test_an_accepted_offer_of_a_stale_owner_is_found():
    journal = [claim(1), claim(2), entry(1, 1, offer(1, "a")), entry(2, 1, accept(1, "a"))]
    assert judge(set(), journal).stale == ["r1"]
