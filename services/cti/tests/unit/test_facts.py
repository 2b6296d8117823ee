"""Facts on their way into the journal: in order, once, and not lost with the process."""

import asyncio
import time

import pytest
from junctor.cti.v1 import cti_pb2
from junctor_cti.application import facts as module
from junctor_cti.application.facts import Facts, SpoolFull
from junctor_journal.errors import DeadlineExceeded, LogUnavailable, UnknownMessage
from junctor_journal.inputs import new_input


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.002)


class Journal:
    """Takes inputs by id once each, or fails as it is told; `hold` keeps single ones under way."""

    def __init__(self):
        self.taken, self.error, self.held = [], None, {}

    def hold(self, *ids):
        self.held = {id: asyncio.get_running_loop().create_future() for id in ids}

    async def submit(self, partition, input, deadline):
        if input.id in self.held:
            await self.held[input.id]
        if self.error is not None:
            raise self.error
        if input.id not in self.taken:
            self.taken.append(input.id)
        return f"outcome of {input.id}"


def fact(n):
    message = cti_pb2.StepDone(contact_id="c", step=f"s{n}")
    return new_input(message, id=f"f{n}", tenant="demo", stream="c", made_at=1)


async def until(condition, what):
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, what
        await asyncio.sleep(0)


def recording(facts, *numbers):
    return [asyncio.ensure_future(facts.record(fact(n))) for n in numbers]


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
async def facts(journal, tmp_path):
    made = Facts(journal, 0, tmp_path / "cti" / "slot-0.spool")
    yield made
    await made.stop()


async def test_a_fact_is_answered_with_its_outcome_and_leaves_nothing_on_disk(facts, journal, tmp_path):
    assert await facts.record(fact(1)) == "outcome of f1"
    assert not facts.away
    assert list(tmp_path.rglob("*.spool")) == []


async def test_facts_wait_while_the_journal_is_away_and_follow_in_their_order(facts, journal, tmp_path):
    journal.error = LogUnavailable("away")
    told = recording(facts, 1, 2, 3)
    await until(lambda: len(facts) == 3, "all are spooled")
    assert facts.away
    assert (tmp_path / "cti" / "slot-0.spool").stat().st_size > 0
    journal.error = None
    told += recording(facts, 4)
    assert await asyncio.gather(*told) == [f"outcome of f{n}" for n in (1, 2, 3, 4)]
    assert journal.taken == ["f1", "f2", "f3", "f4"]
    await until(lambda: not (tmp_path / "cti" / "slot-0.spool").exists(), "the spool is empty")


@pytest.mark.parametrize("reloaded", [False, True], ids=["drained", "reloaded"])
async def test_a_fact_that_fails_late_keeps_its_place_before_those_that_came_after_it(
    facts, journal, tmp_path, reloaded
):
    journal.hold("f1", "f2", "f3")
    told = recording(facts, 1, 2, 3)
    await asyncio.sleep(0)
    journal.held["f1"].set_exception(DeadlineExceeded("late"))
    await until(lambda: len(facts) == 1, "the first failed")
    told += recording(facts, 4)
    await until(lambda: len(facts) == 2, "a later one was spooled")
    journal.held["f3"].set_exception(DeadlineExceeded("late"))
    journal.held["f2"].set_exception(LogUnavailable("late"))
    journal.error, journal.held = LogUnavailable("away"), {}
    await until(lambda: len(facts) == 4, "all failed")
    if reloaded:
        heir = Journal()
        successor = Facts(heir, 0, tmp_path / "cti" / "slot-0.spool")
        assert successor.reload() == 4
        await until(lambda: not successor.away, "drained")
        assert heir.taken == ["f1", "f2", "f3", "f4"]
    journal.error = None
    await asyncio.gather(*told)
    assert journal.taken == ["f1", "f2", "f3", "f4"]


async def test_a_fact_under_way_can_be_kept_and_its_file_goes_when_it_is_recorded(facts, journal, tmp_path):
    spool = tmp_path / "cti" / "slot-0.spool"
    journal.hold("f1", "f2")
    told = recording(facts, 1, 2)
    await asyncio.sleep(0)
    facts.keep()
    facts.keep()
    heir = Journal()
    successor = Facts(heir, 0, tmp_path / "copy.spool")
    (tmp_path / "copy.spool").write_bytes(spool.read_bytes())
    assert successor.reload() == 2
    await until(lambda: heir.taken == ["f1", "f2"], "both are there for another process")
    journal.held["f1"].set_result(None)
    await told[0]
    assert spool.exists()
    journal.held["f2"].set_result(None)
    await told[1]
    assert not spool.exists()


async def test_a_kept_fact_that_then_fails_is_still_in_the_file(facts, journal, tmp_path):
    journal.hold("f1")
    told = recording(facts, 1)
    await asyncio.sleep(0)
    facts.keep()
    journal.error = LogUnavailable("away")
    journal.held["f1"].set_exception(LogUnavailable("away"))
    await until(lambda: facts.away, "it failed")
    copy = tmp_path / "copy.spool"
    copy.write_bytes((tmp_path / "cti" / "slot-0.spool").read_bytes())
    heir = Facts(Journal(), 0, copy)
    assert heir.reload() == 1
    await heir.stop()
    journal.error = None
    journal.held = {}
    await told[0]


async def test_what_a_killed_process_left_is_told_by_its_successor_before_what_comes_then(journal, tmp_path):
    spool = tmp_path / "spool"
    journal.error = LogUnavailable("away")
    dead = Facts(journal, 0, spool)
    told = recording(dead, 1, 2)
    await until(lambda: len(dead) == 2, "spooled")
    for one in told:
        one.cancel()
    await dead.stop()
    with spool.open("ab") as file:
        file.write(b"\x00\x00\x01\x00torn in the mid")
    successor = Facts(journal, 0, spool)
    assert successor.reload() == 2
    more = recording(successor, 3)
    await until(lambda: len(successor) == 3, "the new one waits behind")
    third = Facts(Journal(), 0, tmp_path / "copy")
    (tmp_path / "copy").write_bytes(spool.read_bytes())
    assert third.reload() == 3
    await third.stop()
    journal.error = None
    await more[0]
    assert journal.taken == ["f1", "f2", "f3"]
    await until(lambda: not spool.exists(), "the spool is empty")
    assert successor.reload() == 0
    await successor.stop()


async def test_a_damaged_spool_is_put_aside_and_its_good_facts_are_told(journal, tmp_path, caplog):
    good = fact(1).SerializeToString()
    spool = tmp_path / "spool"
    spool.write_bytes(len(good).to_bytes(4, "big") + good + (3).to_bytes(4, "big") + b"\xff\xff\xff")
    facts = Facts(journal, 0, spool)
    assert facts.reload() == 1
    await until(lambda: journal.taken == ["f1"] and not spool.exists(), "told")
    assert (tmp_path / "spool.damaged").stat().st_size == len(good) + 11
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["spool is damaged"]


async def test_an_empty_or_torn_first_fact_leaves_no_file(journal, tmp_path):
    spool = tmp_path / "spool"
    spool.write_bytes(b"\x00\x00")
    assert Facts(journal, 0, spool).reload() == 0
    assert not spool.exists()


async def test_a_full_spool_keeps_the_oldest_and_refuses_the_newest(journal, tmp_path):
    journal.error = LogUnavailable("away")
    facts = Facts(journal, 0, tmp_path / "spool", limit=2)
    told = recording(facts, 1, 2)
    await until(lambda: facts.full, "full")
    with pytest.raises(SpoolFull, match="2 facts wait"):
        await facts.record(fact(3))
    journal.error = None
    await asyncio.gather(*told)
    assert journal.taken == ["f1", "f2"]
    await facts.record(fact(3))
    await facts.stop()


async def test_what_no_retry_helps_is_raised_and_blocks_nothing(facts, journal):
    journal.error = UnknownMessage("no such type")
    with pytest.raises(UnknownMessage):
        await facts.record(fact(1))
    assert not facts.away
    journal.error = LogUnavailable("away")
    told = recording(facts, 2, 3)
    await until(lambda: len(facts) == 2, "spooled")
    journal.error = UnknownMessage("no such type")
    assert [type(error) for error in await asyncio.gather(*told, return_exceptions=True)] == [UnknownMessage] * 2
    journal.error = None
    assert await facts.record(fact(4)) == "outcome of f4"


async def test_a_disk_that_takes_nothing_stops_no_fact(journal, tmp_path, caplog):
    (tmp_path / "cti").write_text("a file where the folder should be")
    facts = Facts(journal, 0, tmp_path / "cti" / "spool")
    journal.error = LogUnavailable("away")
    told = recording(facts, 1)
    await until(lambda: facts.away, "waits in memory")
    journal.error = None
    assert await told[0] == "outcome of f1"
    assert await facts.record(fact(2)) == "outcome of f2"
    assert "spool cannot be written" in caplog.messages
