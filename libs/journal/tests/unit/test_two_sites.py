"""Two sites with a ledger each, on two logs in memory and mirrors between them."""

import asyncio

import pytest
from judge import chain
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.errors import DeadlineExceeded, NotOwner
from junctor_journal.leadership import Grant
from junctor_journal.log import TopicPartition
from junctor_journal.memory import MemoryLog
from junctor_journal.owner import Phase
from junctor_journal.void_tail import void_decisions
from junctor_testkit.virtual_loop import now_ms
from tally_service import OneState, add, new_fold
from two_sites import OTHER, Mirror, Register, make_topics, site_ledger

JOURNAL = topics.journal("tally")


async def eventually(condition, limit=20.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


class Sites:
    """Both sites, one partition. `far`: each reaches the other's Kafka."""

    def __init__(self, fold):
        self.fold = fold
        self.register = Register()
        self.logs = {site: MemoryLog() for site in OTHER}
        self.mirrors = {site: Mirror(site, self.logs[site], self.logs[OTHER[site]]) for site in OTHER}
        self.ledgers = []

    async def start(self, site, far=False, **more):
        ledger = site_ledger(
            self.logs[site],
            site,
            self.register.sites[site],
            far=self.logs[OTHER[site]] if far else None,
            clock=now_ms,
            fold=self.fold,
            **more,
        )
        self.ledgers.append(ledger)
        await ledger.start()
        return ledger

    async def both(self, **more):
        found = [await self.start(site, **more) for site in OTHER]
        for ledger in found:
            async with asyncio.timeout(10):
                await ledger.wait_ready()
        return found

    def values(self, site):
        """Of the site's own journal."""
        return [record.value for record in self.logs[site].records(JOURNAL, 0)]

    def events(self, site):
        """(input, epoch, event id) of what the site published, epochs that began included, each once."""
        found = {}
        for record in self.logs[site].records(topics.events("tally"), 0):
            headers = {name: value.decode() for name, value in record.headers}
            found[headers["ce_id"]] = (headers["ce_causationid"], int(headers["ce_siteepoch"]), headers["ce_type"])
        return list(found.values())

    def counted(self):
        """Ids of the inputs whose entries count, by the judge, for one who sees both journals."""
        return [entry.input.id for entry in chain({site: self.values(site) for site in OTHER})]

    async def stop(self):
        for ledger in self.ledgers:
            await ledger.stop(0.1)
        for mirror in self.mirrors.values():
            await mirror.close()


@pytest.fixture(params=[new_fold, OneState], ids=["copied", "one-state"])
async def sites(request):
    """With a fold that an owner copies, and with one that a process has once."""
    made = Sites(request.param)
    for site, log in made.logs.items():
        await make_topics(log, site)
        made.mirrors[site].start()
    made.register.grant("a")
    yield made
    await made.stop()


def phase(ledger):
    owner = ledger.owners.get(0)
    return None if owner is None else owner.phase


async def test_the_site_that_leads_decides_inputs_of_both_and_both_answer(sites):
    a, b = await sites.both()
    assert (await a.command(add("1", 5))).response.total == 5
    assert (await b.command(add("2", 1))).response.total == 6
    assert (a.owns(0), b.owns(0)) == (True, False)
    assert phase(b) is Phase.FOLLOWING
    assert sites.values("b") == []
    await b.wait_position(0, 2)
    assert b.follower.state(0).state_hash() == a.follower.state(0).state_hash()
    assert (b.lead(0).site, b.lead(0).address, b.lead(0).site_epoch) == ("a", "a:1", 1)
    with pytest.raises(NotOwner):
        await b.submit(0, add("3"))


async def test_each_site_publishes_all_events_once(sites):
    a, b = await sites.both()
    for n in range(5):
        await (a, b)[n % 2].command(add(str(n), 1))
    await eventually(lambda: len(sites.events("a")) == len(sites.events("b")) == 5)
    assert sites.events("a") == sites.events("b")


async def test_a_lost_site_is_taken_over_and_nothing_known_is_lost(sites):
    a, b = await sites.both()
    for n in range(10):
        await (a, b)[n % 2].command(add(str(n), 1))
    await b.wait_position(0, 10)
    await a.stop(0.0)
    sites.register.grant("b")
    await eventually(lambda: b.owns(0))
    assert (await b.command(add("10", 1))).response.total == 11
    assert sites.counted() == [str(n) for n in range(11)]
    started = [pb.JournalRecord.FromString(value).epoch_started for value in sites.values("b")][1]
    assert (started.previous_site_epoch, started.cut_seq, started.site) == (1, 10, "b")
    await eventually(lambda: sites.events("b")[-1][:2] == ("10", 2))
    assert ("", 2, "junctor.journal.v1.EpochStarted") in sites.events("b")


async def test_a_site_that_knows_nothing_of_the_lost_one_says_all_the_same_that_an_epoch_began(sites):
    sites.mirrors["a"].cut()
    a, b = await sites.both()
    await a.command(add("1", 1))
    await a.stop(0.0)
    sites.register.grant("b")
    await eventually(lambda: b.owns(0))
    await eventually(lambda: sites.events("b"))
    assert sites.events("b") == [("", 2, "junctor.journal.v1.EpochStarted")]
    assert sites.events("a") == [("1", 1, "junctor.tally.v1.Added")]


async def test_an_overtaken_owner_of_a_lost_site_follows_and_never_claims(sites):
    a, b = await sites.both(far=True)
    await a.command(add("1", 1))
    sites.register.sites["b"].give(0, Grant(2))
    await eventually(lambda: b.owns(0))
    await eventually(lambda: phase(a) is Phase.FOLLOWING)
    assert (await a.command(add("2", 1))).response.total == 2
    await asyncio.sleep(30)
    claims = [
        (record.owner_started.site, record.owner_started.epoch.site_epoch)
        for record in map(pb.JournalRecord.FromString, sites.values("a"))
        if record.HasField("owner_started")
    ]
    assert claims == [("a", 1), ("b", 2)]
    assert sites.register.sites["a"].given_up == [(0, 1)]


async def test_where_the_lost_sites_kafka_answers_no_decision_and_no_input_is_lost(sites):
    a, b = await sites.both(far=True)
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    sites.mirrors["a"].cut()
    for n in range(2, 6):
        await a.command(add(str(n), 1))
    await a.stop(0.0)
    await a._log.producer().send(topics.inputs("tally"), b"k", add("6", 1).SerializeToString(), partition=0)
    sites.register.grant("b")
    await eventually(lambda: b.owns(0))
    await b.wait_position(0, 6, 10)
    assert sites.counted() == ["1", "2", "3", "4", "5", "6"]
    assert b.state(0).get("t", "s").total == 6
    sites.mirrors["a"].mend()
    assert (await b.command(add("7", 1))).response.total == 7
    assert b.follower.divergences(0) == 0


async def test_what_was_not_mirrored_is_void_and_its_inputs_are_decided_again(sites):
    a, b = await sites.both()
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    sites.mirrors["a"].cut()
    await a.command(add("2", 10))
    await a.command(add("3", 10))
    assert a.position(0) == 3
    sites.register.sites["b"].give(0, Grant(2))
    await eventually(lambda: b.owns(0))
    await b.command(add("4", 100))
    sites.register.sites["a"].take(0)
    sites.mirrors["a"].mend()
    await b.wait_position(0, 4, 10)
    await eventually(lambda: a.lead(0).site_epoch == 2 and a.position(0) == 4)
    assert sites.counted() == ["1", "4", "2", "3"]
    assert a.follower.state(0).state_hash() == b.follower.state(0).state_hash()
    assert a.state(0).get("t", "s").total == 121
    await eventually(lambda: {("2", 2), ("3", 2)} <= {event[:2] for event in sites.events("a")})
    assert {("2", 1), ("3", 1)} <= {event[:2] for event in sites.events("a")}
    assert {event[:2] for event in sites.events("b")} == {("1", 1), ("", 2), ("4", 2), ("2", 2), ("3", 2)}
    for site in OTHER:
        void = [one async for one in void_decisions(sites.logs[site], "tally", site)]
        assert [(one.site, one.site_epoch, one.seq, one.input_id) for one in void] == [
            ("a", 1, 2, "2"),
            ("a", 1, 3, "3"),
        ]
        assert void[0].reason == "beyond entry 1, where site epoch 2 goes on in site b"
        assert [one.decided_again for one in void] == [(2, 3), (2, 4)]
        assert void[0].events == ("junctor.tally.v1.Added",)


async def test_a_passed_over_site_epoch_and_a_stale_owners_entries_are_told_as_such(sites):
    a, b = await sites.both()
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    for mirror in sites.mirrors.values():
        mirror.cut(JOURNAL)
    sites.register.sites["b"].give(0, Grant(2))
    await eventually(lambda: b.owns(0))
    await b.command(add("2", 1))
    sites.register.sites["b"].take(0)
    sites.register.sites["a"].give(0, Grant(3))
    await eventually(lambda: a.lead(0).site_epoch == 3 and a.owns(0))
    await a.wait_position(0, 2)
    for mirror in sites.mirrors.values():
        mirror.mend()
    await eventually(lambda: b.lead(0).site_epoch == 3)
    (void,) = [one async for one in void_decisions(sites.logs["b"], "tally", "b")]
    assert (void.site, void.site_epoch, void.input_id, void.decided_again) == ("b", 2, "2", (1, 2))
    assert void.reason == "site epoch 2 was passed over by a later one that had not seen it"
    assert a.follower.state(0).state_hash() == b.follower.state(0).state_hash()


async def test_a_leader_that_is_not_confirmed_takes_no_input_and_leads_on_when_it_is(sites):
    a, _ = await sites.both()
    await a.command(add("1", 1))
    leads = sites.register.sites["a"]
    leads.until[0] = asyncio.get_running_loop().time() - 0.1
    with pytest.raises(DeadlineExceeded):
        await a.command(add("2", 1), deadline=1.0)
    before = len(sites.values("a"))
    await asyncio.sleep(5)
    assert len(sites.values("a")) == before
    del leads.until[0]
    leads._tell(0)
    await a.wait_position(0, 2, 10)


async def test_a_planned_shift_loses_nothing_and_goes_back(sites):
    a, b = await sites.both()
    for n in range(10):
        await a.command(add(str(n), 1))
    await a.hand_over(0, "b")
    await eventually(lambda: b.owns(0))
    assert (await a.command(add("10", 1))).response.total == 11
    await b.hand_over(0, "a")
    await eventually(lambda: a.owns(0))
    assert (await b.command(add("11", 1))).response.total == 12
    assert sites.counted() == [str(n) for n in range(12)]
    assert a.lead(0).site_epoch == b.lead(0).site_epoch == 3
    for site in OTHER:
        await eventually(lambda s=site: len(sites.events(s)) == 14)


async def test_what_was_handed_over_and_does_not_come_is_given_back(sites):
    a, b = await sites.both()
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    sites.mirrors["a"].cut(JOURNAL)
    await a.command(add("2", 1))
    await a.hand_over(0, "b")
    await eventually(lambda: sites.register.sites["b"].given_up == [(0, 2)], 30)
    sites.register.grant("a")
    await eventually(lambda: a.owns(0))
    assert (await a.command(add("3", 1))).response.total == 3
    assert sites.counted() == ["1", "2", "3"]


async def test_a_site_granted_below_what_its_journal_shows_gives_up(sites):
    a, b = await sites.both()
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    sites.register.sites["b"].give(0, Grant(1))
    await asyncio.sleep(1)
    assert sites.values("b") == []


async def test_an_owner_that_dies_before_it_begins_is_continued_inside_the_site(sites):
    a, b = await sites.both()
    await a.command(add("1", 1))
    await b.wait_position(0, 1)
    await a.stop(0.0)
    sites.logs["b"].hold(JOURNAL, 0)
    sites.register.grant("b")
    await eventually(lambda: sites.logs["b"].held_count(JOURNAL, 0) == 1)
    (claim,) = sites.logs["b"].take_held(JOURNAL, 0)
    sites.logs["b"].write_held([claim])
    await b.stop(0.0)
    sites.logs["b"].release(JOURNAL, 0)
    again = await sites.start("b", address="b:2")
    await eventually(lambda: again.owns(0), 30)
    assert (await again.command(add("2", 1))).response.total == 2
    kinds = [pb.JournalRecord.FromString(value).WhichOneof("kind") for value in sites.values("b")]
    assert kinds.count("epoch_started") == 1
    assert sites.counted() == ["1", "2"]


async def test_a_restart_goes_on_from_a_snapshot_of_both_journals(sites):
    a, b = await sites.both(every=20)
    for n in range(30):
        await a.command(add(str(n), 1))
    await a.hand_over(0, "b")
    await eventually(lambda: b.owns(0))
    for n in range(30, 70):
        await b.command(add(str(n), 1))
    await a.wait_position(0, 70)
    await eventually(lambda: a._snapshots.written >= 1 and b._snapshots.written >= 1)
    await a.stop(1.0)
    again = await sites.start("a")
    await again.wait_ready()
    await again.wait_position(0, 70)
    assert again.follower.checkpoint(0, 9, 10**9).seq >= 20
    assert again.follower.state(0).state_hash() == b.follower.state(0).state_hash()
    assert (await again.command(add("70", 1))).response.total == 71


async def test_repeats_of_the_mirror_change_nothing(sites):
    a, b = await sites.both()
    for n in range(10):
        await a.command(add(str(n), 1))
    sites.mirrors["a"].repeat()
    await a.hand_over(0, "b")
    await eventually(lambda: b.owns(0))
    sites.mirrors["a"].repeat()
    sites.mirrors["b"].repeat()
    for n in range(10, 15):
        await b.command(add(str(n), 1))
    sites.mirrors["b"].repeat()
    await a.wait_position(0, 15)
    assert (await a.command(add("15", 1))).response.total == 16
    assert sites.counted() == [str(n) for n in range(16)]
    assert (a.follower.divergences(0), b.follower.divergences(0)) == (0, 0)


async def test_inputs_are_read_on_where_the_other_site_stopped_and_not_from_the_first(sites):
    a, b = await sites.both()
    for n in range(20):
        await (a, b)[n % 2].command(add(str(n), 1))
    await a.hand_over(0, "b")
    await eventually(lambda: b.owns(0))
    owner = b.owners.get(0)
    for topic in (topics.inputs("tally"), topics.of_site("a", topics.inputs("tally"))):
        end = (await sites.logs["b"].end_offsets([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)]
        assert owner.resume_at(topic, 0) == end == 10
