"""The whole pipeline on the log in memory."""

import asyncio

import pytest
import tally
from judge import judge
from junctor_journal import topics
from junctor_journal.deadletter import DeadLetters
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, NotOwner
from junctor_journal.events import EventReader
from junctor_journal.memory import MemoryLog
from junctor_journal.pump import GroupPump
from junctor_journal.static_pump import StaticPump
from junctor_testkit.virtual_loop import now_ms
from tally_messages import tally_pb
from tally_service import OneState, add, ask, declarations, new_fold, new_ledger


async def eventually(condition, limit=5.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


class Recorder:
    def __init__(self):
        self.entries, self.ready, self.lost = [], [], []

    def on_entry(self, partition, entry, mine):
        self.entries.append((partition, entry.seq, entry.input.id, mine))

    def on_ready(self, partition, fold):
        self.ready.append(partition)

    def on_lost(self, partition):
        self.lost.append(partition)


@pytest.fixture
async def log():
    log = MemoryLog()
    await log.ensure_topics(declarations("tally", 4))
    return log


@pytest.fixture(params=[new_fold, OneState], ids=["two states", "one state"])
async def run(request, log):
    started = []

    async def start(pump=None, effects=None, **settings):
        clock = settings.pop("clock", now_ms)
        pump = pump or StaticPump(range(4))
        ledger = new_ledger(log, effects=effects, pump=pump, clock=clock, fold=request.param, **settings)
        started.append(ledger)
        await ledger.start()
        async with asyncio.timeout(10):
            await ledger.wait_ready()
        return ledger

    yield start
    for ledger in started:
        await ledger.stop(1.0)


async def test_a_command_is_answered_from_its_record(run, log):
    ledger = await run()
    outcome = await ledger.command(add("1", 5))
    assert outcome.response == tally_pb.AddResponse(total=5)
    assert ledger.state(outcome.partition).get("t", "s") == tally.Tally("t", "s", 5)
    assert outcome.partition == topics.partition_for("t", "s", 4)
    assert ledger.owner_address(outcome.partition) == "here:1"


async def test_a_repeat_gets_the_recorded_outcome_and_no_second_entry(run, log):
    ledger = await run()
    first = await ledger.command(add("1", 5))
    assert await ledger.command(add("1", 5)) == first
    await log.producer().send(topics.inputs("tally"), b"k", add("1", 5).SerializeToString(), partition=first.partition)
    second = await ledger.command(add("2", 1))
    assert second.response.total == 6
    assert second.seq == first.seq + 1


async def test_a_refusal_is_a_recorded_outcome(run):
    ledger = await run()
    outcome = await ledger.command(add("1", -5))
    assert outcome.refusal.code == 9
    assert outcome.refusal.message == "an amount is not negative"
    assert (await ledger.command(add("1", -5))) == outcome


async def test_a_local_input_is_answered_when_it_is_read_back(run):
    ledger = await run()
    partition = ledger.partition_of("t", "s")
    outcome = await ledger.submit(partition, add("1", 2))
    assert outcome.response.total == 2
    assert (await ledger.submit(partition, add("1", 2))) == outcome


async def test_a_timer_rings_once(run):
    clock = [1_000_000]
    ledger = await run(clock=lambda: clock[0])
    outcome = await ledger.command(ask("1", tally_pb.RingRequest(at=1_000_100)))
    assert ledger.position(outcome.partition) == outcome.seq
    clock[0] = 1_000_200
    other = await ledger.command(add("2"))
    assert ledger.state(outcome.partition).get("t", "s").ring_at is None
    assert other.seq == outcome.seq + 2


async def test_a_timer_rings_without_other_inputs(run):
    ledger = await run()
    due = now_ms() + 3_600_000
    outcome = await ledger.command(ask("1", tally_pb.RingRequest(at=due)))
    await ledger.wait_position(outcome.partition, outcome.seq + 1, 4_000)
    assert 0 <= now_ms() - due < 1_000


async def test_a_timer_waits_for_as_long_as_its_partition_is_told_to(run):
    waits = [True]
    ledger = await run(owner={"timers_wait": lambda partition: waits[0]})
    due = now_ms() + 1_000
    outcome = await ledger.command(ask("1", tally_pb.RingRequest(at=due)))
    await asyncio.sleep(60)
    assert (await ledger.command(add("2", 1))).seq == outcome.seq + 1
    waits[0] = False
    await ledger.wait_position(outcome.partition, outcome.seq + 2, 2)


async def test_an_input_that_cannot_be_applied_is_a_dead_letter_and_stops_nothing(run, log):
    ledger = await run()
    await ledger.command(add("1", 5))
    broken = await ledger.command(ask("2", tally_pb.BreakRequest()))
    assert broken.refusal.code == 13
    await log.producer().send(topics.inputs("tally"), b"k", b"\xff\xff no input", partition=broken.partition)
    assert (await ledger.command(add("3", 1))).response.total == 6
    letters = DeadLetters(log, "tally")
    await eventually(lambda: len(log.records(topics.dead_letters("tally"), 0)) == 2)
    first, second = await letters.list()
    assert first.dead.error == "ZeroDivisionError"
    assert first.input.id == "2"
    assert second.dead.value == b"\xff\xff no input"
    assert second.dead.source.topic == topics.inputs("tally")


async def test_a_dead_letter_is_driven_again(run, log, monkeypatch):
    ledger = await run()
    broken = await ledger.command(ask("2", tally_pb.BreakRequest()))
    letters = DeadLetters(log, "tally")
    await eventually(lambda: log.records(topics.dead_letters("tally"), 0))
    await letters.redrive(f"{broken.partition}/{broken.seq}")
    await eventually(lambda: len(log.records(topics.dead_letters("tally"), 0)) == 2)
    assert [letter.dead.attempts for letter in await letters.list()] == [0, 1]
    monkeypatch.setattr(tally, "REPAIRED", True)
    await letters.redrive(f"{broken.partition}/{broken.seq + 1}")
    await ledger.wait_position(broken.partition, broken.seq + 2, 2.0)
    assert ledger.state(broken.partition).get("t", "s").total == 1
    assert ledger.follower.divergences(broken.partition) == 0


async def test_events_are_published_once_and_in_order(run, log):
    ledger = await run()
    for n in range(10):
        await ledger.command(add(str(n), 1))
    reader = EventReader(log, [topics.events("tally")], "earliest")
    await reader.start()
    events = []
    async with asyncio.timeout(5):
        while len(events) < 10:
            events += await reader.getmany(100)
    assert [event.message.total for event in events] == list(range(1, 11))
    assert len({event.id for event in events}) == 10
    assert {event.type for event in events} == {"junctor.tally.v1.Added"}
    assert {(event.tenant, event.stream, event.correlation_id) for event in events} == {("t", "s", "c-s")}


async def test_a_new_owner_relays_what_the_old_one_did_not(run, log):
    first = await run()
    await first.command(add("1"))
    await eventually(lambda: sum(len(log.records(topics.events("tally"), p)) for p in range(4)) == 1)
    log.fail_next(topics.events("tally"), first.partition_of("t", "s"), 1_000_000)
    await first.command(add("2"))
    await first.stop(0.1)
    log.fail_next(topics.events("tally"), first.partition_of("t", "s"), 0)
    second = await run()
    await second.command(add("3"))
    await eventually(lambda: sum(len(log.records(topics.events("tally"), p)) for p in range(4)) >= 3)
    published = [r for p in range(4) for r in log.records(topics.events("tally"), p)]
    assert [dict(r.headers)["ce_causationid"] for r in published] == [b"1", b"2", b"3"]


async def test_effects_know_whose_entries_they_are(run):
    mine, others = Recorder(), Recorder()
    first = await run(StaticPump(range(4)), mine)
    second = await run(StaticPump(()), others)
    outcome = await first.command(add("1"))
    await second.wait_position(outcome.partition, outcome.seq)
    assert mine.entries == [(outcome.partition, 1, "1", True)]
    assert others.entries == [(outcome.partition, 1, "1", False)]
    assert sorted(mine.ready) == [0, 1, 2, 3]
    assert others.ready == []


async def test_a_command_to_any_process_is_answered(run):
    await run(StaticPump(range(4)))
    asked = await run(StaticPump(()))
    assert (await asked.command(add("1", 3))).response.total == 3
    with pytest.raises(NotOwner):
        await asked.submit(0, add("2"))


async def test_a_second_owner_takes_over_and_the_first_does_nothing_more(run, log):
    first_seen, second_seen = Recorder(), Recorder()
    first = await run(StaticPump(range(4)), first_seen, address="one:1", reclaim_after=60)
    for n in range(20):
        await first.command(add(str(n), 1))
    second = await run(StaticPump(range(4)), second_seen, address="two:1")
    assert (await second.command(add("x", 1))).response.total == 21
    await eventually(lambda: sorted(first_seen.lost) == [0, 1, 2, 3])
    assert first.owner_address(first.partition_of("t", "s")) == "two:1"
    assert not first.owned()


async def test_a_stale_owners_held_appends_are_void(run, log):
    first = await run(StaticPump(range(4)), address="one:1", reclaim_after=60)
    partition = first.partition_of("t", "s")
    await first.command(add("1", 1))
    log.hold(topics.journal("tally"), partition)
    await first.tell(add("2", 1))
    await eventually(lambda: log.held_count(topics.journal("tally"), partition) == 1)
    held = log.take_held(topics.journal("tally"), partition)
    second = await run(StaticPump(range(4)), address="two:1")
    await second.wait_position(partition, 2)
    await second.command(add("3", 1))
    log.write_held(held)
    await second.command(add("4", 1))
    verdict = judge([r.value for r in log.records(topics.journal("tally"), partition)])
    assert verdict.ids() == ["1", "2", "3", "4"]
    assert verdict.void == 1
    assert second.state(partition).get("t", "s").total == 4


async def test_inputs_move_between_group_members(run, log):
    first = await run(GroupPump(), instance_id="a")
    await eventually(lambda: len(first.owned()) == 4)
    second = await run(GroupPump(), instance_id="b")
    await eventually(lambda: len(first.owned()) == 2 and len(second.owned()) == 2)
    assert not first.owned() & second.owned()
    for n in range(40):
        assert (await first.command(add(str(n), 1, stream=f"s{n % 8}"))).refusal is None
    await second.stop(1.0)
    await eventually(lambda: len(first.owned()) == 4)
    assert (await first.command(add("last", 1, stream="s3"))).response.total == 6


async def test_without_the_log_commands_are_refused_quickly_and_go_on_afterwards(run, log):
    ledger = await run()
    await ledger.command(add("1", 1))
    log.down()
    with pytest.raises(LogUnavailable):
        await ledger.command(add("2", 1))
    log.up()
    await eventually(lambda: ledger.ready)
    assert (await ledger.command(add("2", 1))).response.total == 2


async def test_a_waiting_command_is_told_that_the_log_went_away(run, log):
    ledger = await run(StaticPump(()))
    waiting = asyncio.ensure_future(ledger.command(add("1", 1)))
    await asyncio.sleep(0)
    log.down()
    with pytest.raises(LogUnavailable):
        await waiting


async def test_a_command_that_nobody_applies_ends_with_its_deadline(run):
    ledger = await run(StaticPump(()))
    with pytest.raises(DeadlineExceeded):
        await ledger.command(add("1", 1), deadline=0.05)


async def test_a_restart_reads_the_newest_snapshot_and_the_rest(run, log):
    ledger = await run(every=50)
    for n in range(120):
        await ledger.command(add(str(n), 1))
    partition = ledger.partition_of("t", "s")
    await eventually(lambda: ledger._snapshots.written >= 2)
    before = ledger.follower.state(partition).state_hash()
    await ledger.stop(1.0)
    again = await run(StaticPump(()))
    assert again.state(partition).get("t", "s").total == 120
    assert again.follower.checkpoint(partition, 1, 10**9).seq >= 100
    assert again.follower.state(partition).state_hash() == before
    whole = judge([r.value for r in log.records(topics.journal("tally"), partition)])
    assert len(whole.valid) == 120


async def test_what_came_during_a_snapshot_is_in_the_next_one_though_nothing_comes_after_it(run, log):
    ledger = await run(every=50, pause=3.0)
    for n in range(120):
        await ledger.command(add(str(n), 1))
    partition = ledger.partition_of("t", "s")
    await eventually(lambda: ledger._snapshots.written >= 2)
    await ledger.stop(1.0)
    again = await run(StaticPump(()))
    assert again.follower.checkpoint(partition, 1, 10**9).seq == 120


async def test_a_failed_append_costs_nothing_but_a_new_reign(run, log):
    ledger = await run()
    partition = ledger.partition_of("t", "s")
    await ledger.command(add("1", 1))
    log.fail_next(topics.journal("tally"), partition, 2)
    assert (await ledger.command(add("2", 1))).response.total == 2
    verdict = judge([r.value for r in log.records(topics.journal("tally"), partition)])
    assert verdict.ids() == ["1", "2"]
    assert verdict.claims >= 2


async def test_sources_are_sought_again_after_a_rebalance_and_not_while_it_is_under_way(run):
    ledger = await run(pump=GroupPump())
    owners = ledger._owners
    owners.doubt(range(4))
    assert owners.wanting_seek() == []
    owners.assign(range(4))
    assert [owner.partition for owner in owners.wanting_seek()] == [0, 1, 2, 3]
    first = await ledger.command(add("1", 5))
    assert await ledger.command(add("1", 5)) == first


async def test_a_reader_of_events_whose_topic_is_not_made_yet_says_so(log):
    await EventReader(log, [topics.events("tally")]).start()
    with pytest.raises(LogUnavailable, match="junctor.later.events.v1"):
        await EventReader(log, [topics.events("tally"), topics.events("later")]).start()
