"""Who leads, as people are told it: by a majority of all voters, the silent ones counted, and by the journals."""

from junctor.journal.v1 import journal_pb2 as pb
from junctor_cli.register_view import Led, holder, journals, lag, led
from junctor_journal import topics
from junctor_journal.log import NewRecord, TopicDeclaration, TopicPartition
from junctor_journal.memory import MemoryLog
from junctor_journal.record import encode
from junctor_register.holdings import Holding, Register, Release


def says(epoch, site, **more):
    return Register({0: Holding(epoch, site, **more)})


def test_two_of_three_name_the_leader_and_one_does_not():
    assert holder({"a": says(4, "a"), "w": says(4, "a"), "b": says(3, "b")}, 3, 0) == ("a", 4, False)
    assert holder({"a": says(4, "a"), "w": says(3, "b")}, 3, 0) == ("", 0, False)
    assert holder({"a": says(4, "a")}, 3, 0) == ("", 0, False)
    assert holder({"a": says(4, "a"), "b": says(4, "a")}, 3, 1) == ("", 0, False)


def test_who_let_go_leads_nothing():
    gone = says(4, "a", release=Release("b"))
    assert holder({"a": gone, "b": gone, "w": gone}, 3, 0) == ("", 0, False)


def test_an_appointment_needs_one_voter_and_gives_way_to_a_higher_epoch():
    assert holder({"b": says(1003, "b", appointed=True)}, 3, 0) == ("b", 1003, True)
    voters = {"b": says(1003, "b", appointed=True), "a": says(1004, "a"), "w": says(1004, "a")}
    assert holder(voters, 3, 0) == ("a", 1004, False)


async def test_voters_and_journals_are_told_together():
    log = MemoryLog()
    await log.ensure_topics([TopicDeclaration(topics.journal("router"), 2)])
    claim = {"epoch": {"site_epoch": 4, "owner_epoch": 1}, "owner_id": 7, "site": "a"}
    begun = {**claim, "partition": 0}
    records = [
        pb.JournalRecord(owner_started=pb.OwnerStarted(**claim)),
        pb.JournalRecord(epoch_started=pb.EpochStarted(**begun)),
    ]
    await log.producer().send_many(topics.journal("router"), 0, [NewRecord(b"0", encode(one)) for one in records])
    found = led({"a": says(4, "a"), "w": says(4, "a")}, 3, await journals(log, "router"))
    assert found == [Led(0, "a", 4, False, "a", 4, 0), Led(1, "", 0, False, "", 0, 0)]
    assert found[0].agreed


async def test_the_lag_is_what_is_newer_there_than_the_newest_here():
    near, far = MemoryLog(), MemoryLog()
    topic = topics.journal("router")
    await far.ensure_topics([TopicDeclaration(topic, 1)])
    await near.ensure_topics([TopicDeclaration(topics.of_site("b", topic), 1)])
    assert (await lag(near, far, "b", "router")).records == 0
    far.write(TopicPartition(topic, 0), [NewRecord(b"0", b"x", timestamp=at) for at in (100, 200, 350)])
    near.write(TopicPartition(topics.of_site("b", topic), 0), [NewRecord(b"0", b"x", timestamp=100)])
    found = await lag(near, far, "b", "router")
    assert (found.records, found.milliseconds) == (2, 250)
