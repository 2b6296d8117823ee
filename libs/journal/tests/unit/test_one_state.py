"""A fold without cheap copies: the owner decides on the state that its process follows."""

import asyncio

import pytest
from judge import judge
from junctor.journal.v1 import journal_pb2
from junctor_journal import topics
from junctor_journal.errors import LogUnavailable, Restoring
from junctor_journal.memory import MemoryLog
from junctor_journal.message_types import unpack
from junctor_journal.record import event_id, type_of
from junctor_journal.static_pump import StaticPump
from junctor_testkit.virtual_loop import now_ms
from tally_service import OneState, add, declarations, new_ledger

JOURNAL = topics.journal("tally")


async def eventually(condition, limit=10.0):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


class Heard:
    def __init__(self):
        self.seqs = []

    def on_entry(self, partition, entry, mine):
        self.seqs.append(entry.seq)

    def on_ready(self, partition, fold):
        pass

    def on_lost(self, partition):
        pass


@pytest.fixture
async def log():
    log = MemoryLog()
    await log.ensure_topics(declarations("tally", 1))
    return log


@pytest.fixture
async def run(log):
    started = []

    async def start(**settings):
        ledger = new_ledger(log, pump=StaticPump([0]), clock=now_ms, fold=OneState, **settings)
        started.append(ledger)
        await ledger.start()
        await eventually(lambda: ledger.ready and ledger.owns(0))
        return ledger

    yield start
    for ledger in started:
        await ledger.stop(1.0)


def total(ledger):
    found = ledger.state(0).get("t", "s")
    return 0 if found is None else found.total


def position(ledger):
    """-1 while the state is built anew."""
    try:
        return ledger.position(0)
    except Restoring:
        return -1


async def test_what_is_decided_is_confirmed_when_it_is_read_back(run, log):
    ledger = await run()
    await ledger.command(add("1", 1))
    log.hold(JOURNAL, 0)
    await ledger.tell(add("2", 1))
    await eventually(lambda: total(ledger) == 2)
    assert (ledger.position(0), ledger.decided(0)) == (1, 2)
    answer = asyncio.ensure_future(ledger.confirmed(0))
    repeat = asyncio.ensure_future(ledger.command(add("2", 1)))
    await asyncio.sleep(0.1)
    assert not answer.done() and not repeat.done()
    log.release(JOURNAL, 0)
    await answer
    assert (await repeat).response.total == 2
    assert ledger.position(0) == ledger.decided(0) == 2


async def test_effects_get_the_events_that_lie_in_the_journal(run, log):
    told = []
    heard = Heard()
    heard.on_entry = lambda partition, entry, mine: told.append((entry.record, entry.events))
    ledger = await run(effects=heard)
    await ledger.command(add("1", 1))
    record, events = told[-1]
    assert [unpack(packed) for packed in record.events] == [event.message for event in events] != []
    assert [type_of(packed) for packed in record.events] == [event.type for event in events]
    assert [event.id for event in events] == [event_id(record.input.id, n, 1) for n in range(len(events))]
    written = journal_pb2.JournalRecord.FromString(log.records(JOURNAL, 0)[-1].value)
    assert written.entry == record


async def test_decisions_of_an_overtaken_owner_leave_no_trace(run, log):
    heard = Heard()
    first = await run(address="one:1", reclaim_after=60, effects=heard)
    await first.command(add("1", 1))
    log.hold(JOURNAL, 0)
    await first.tell(add("2", 10))
    await eventually(lambda: total(first) == 11)
    held = log.take_held(JOURNAL, 0)
    untrue = asyncio.ensure_future(first.confirmed(0))
    await asyncio.sleep(0)
    second = await run(address="two:1")
    await second.wait_position(0, 2)
    await second.command(add("3", 100))
    log.write_held(held)
    with pytest.raises(LogUnavailable):
        await untrue
    assert (await second.command(add("4", 1_000))).response.total == 1_111
    await eventually(lambda: position(first) == 4)
    assert total(first) == total(second) == 1_111
    assert heard.seqs == [1, 2, 3, 4]
    assert judge([record.value for record in log.records(JOURNAL, 0)]).void == 1


async def test_after_a_failed_append_the_state_is_what_the_journal_says(run, log):
    heard = Heard()
    ledger = await run(effects=heard)
    await ledger.command(add("1", 1))
    log.fail_next(JOURNAL, 0)
    assert (await ledger.command(add("2", 10))).response.total == 11
    assert total(ledger) == 11
    assert heard.seqs == [1, 2]
    assert judge([record.value for record in log.records(JOURNAL, 0)]).ids() == ["1", "2"]


async def test_a_snapshot_of_a_state_that_is_ahead_is_closed_when_the_journal_has_come_there(run, log):
    ledger = await run(every=5)
    await ledger.command(add("0", 1))
    log.hold(JOURNAL, 0)
    for number in range(1, 8):
        await ledger.tell(add(str(number), 1))
    await eventually(lambda: total(ledger) == 8)
    log.release(JOURNAL, 0)
    await eventually(lambda: ledger._snapshots.written == 1)
    await ledger.stop(1.0)
    again = await run(address="two:1")
    assert total(again) == 8
    assert (await again.command(add("8", 1))).response.total == 9


async def test_a_process_that_only_follows_applies_again_and_compares(run, log):
    first = await run()
    other = new_ledger(log, pump=StaticPump([]), clock=now_ms, fold=OneState)
    await other.start()
    for number in range(20):
        await first.command(add(str(number), 1))
    await other.wait_position(0, 20)
    assert total(other) == 20
    assert other.follower.divergences(0) == 0
    await other.stop(1.0)
