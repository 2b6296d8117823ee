"""What is written to the state topic: changes by their owner, and what a new owner finds missing, old or left over."""

import asyncio

from junctor.directory.v1 import directory_pb2 as pb
from junctor.journal.v1 import journal_pb2
from junctor_directory.application.fold import DirectoryFold
from junctor_directory.application.published_state import PublishedState
from junctor_directory.application.values import KINDS
from junctor_journal.errors import LogUnavailable
from junctor_journal.replica import StateItem

PLAN = pb.Value(id="all", plan=pb.Plan(steps=[pb.PlanStep()]))
LOANS = pb.Value(id="loans", queue=pb.Queue(plan="all"))


class Topic:
    """The state topic and its replica in one: what is put is seen."""

    def __init__(self):
        self.values, self.writes, self.failures, self.listener = {}, [], 0, None

    async def put(self, tenant, kind, id, value):
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("away")
        self.writes.append((kind, id, value.version))
        self.values[kind, id] = StateItem(tenant, kind, id, value, len(self.writes))
        self.listener(self.values[kind, id], False)

    async def delete(self, tenant, kind, id):
        self.writes.append((kind, id, None))
        gone = self.values.pop((kind, id), None)
        if gone:
            self.listener(gone, True)

    def all(self, kind, tenant=None):
        return [item for (kept, _), item in self.values.items() if kept == kind]

    def listen(self, listener):
        self.listener = listener


class Entry:
    def __init__(self, events):
        self.tenant = "demo"
        self.events = [type("Read", (), {"message": event}) for event in events]


class Owner:
    def __init__(self):
        self.fold, self.topic = DirectoryFold(), Topic()
        self.published = PublishedState(self.topic, self.topic, KINDS, lambda tenant: 3)

    def change(self, request_id, *values, mine=True, **more):
        body = pb.ApplyConfigurationRequest(request_id=request_id, values=values, **more)
        applied = self.fold.apply(journal_pb2.Input(tenant="demo", stream="directory"), body, 1_000)
        self.published.on_entry(3, Entry(applied.events), mine)

    async def settled(self, writes):
        async with asyncio.timeout(5):
            while len(self.topic.writes) < writes:
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(self.topic.writes) == writes, self.topic.writes


async def test_the_owner_writes_what_changes_with_its_revision():
    owner = Owner()
    owner.published.on_ready(3, owner.fold)
    owner.change("a", PLAN, LOANS)
    await owner.settled(2)
    owner.change("b", PLAN, prune=True)
    await owner.settled(3)
    assert owner.topic.writes == [("plan", "all", 1), ("queue", "loans", 1), ("queue", "loans", None)]
    owner.published.stop()


async def test_who_does_not_own_the_partition_writes_nothing():
    owner = Owner()
    owner.published.on_ready(3, owner.fold)
    owner.change("a", PLAN, mine=False)
    await owner.settled(0)
    owner.published.stop()


async def test_a_site_that_follows_writes_what_the_other_decided_into_its_own_topic():
    owner = Owner()
    owner.change("a", PLAN, mine=False)
    owner.published.on_follows(3, owner.fold)
    owner.change("b", LOANS, mine=False)
    await owner.settled(2)
    owner.published.on_lost(3)
    owner.change("c", PLAN, prune=True, mine=False)
    await owner.settled(2)
    assert owner.topic.writes == [("plan", "all", 1), ("queue", "loans", 2)]


async def test_a_new_owner_completes_what_the_last_one_left():
    owner = Owner()
    owner.change("a", PLAN, LOANS, mine=False)
    old = pb.DirectoryValue(tenant="demo", version=0, value=PLAN)
    owner.topic.values["plan", "all"] = StateItem("demo", "plan", "all", old, 0)
    owner.topic.values["bot", "gone"] = StateItem("demo", "bot", "gone", old, 0)
    owner.published.on_ready(3, owner.fold)
    await owner.settled(3)
    assert sorted(owner.topic.writes, key=str) == [("bot", "gone", None), ("plan", "all", 1), ("queue", "loans", 1)]
    owner.published.stop()


async def test_a_value_that_an_earlier_owner_writes_late_is_put_right():
    owner = Owner()
    owner.published.on_ready(3, owner.fold)
    owner.change("a", LOANS)
    owner.change("b", pb.Value(id="loans", queue=pb.Queue(plan="all", priority=1)))
    await owner.settled(2)
    late = pb.DirectoryValue(tenant="demo", version=1, value=LOANS)
    owner.topic.listener(StateItem("demo", "queue", "loans", late, 9), False)
    await owner.settled(3)
    assert owner.topic.writes[-1] == ("queue", "loans", 2)
    owner.published.stop()


async def test_it_waits_for_the_log_and_goes_on(monkeypatch):
    monkeypatch.setattr("junctor_directory.application.published_state.FIRST_PAUSE", 0)
    owner = Owner()
    owner.topic.failures = 3
    owner.published.on_ready(3, owner.fold)
    owner.change("a", LOANS)
    await owner.settled(1)
    owner.published.stop()


async def test_after_the_partition_is_lost_nothing_is_written():
    owner = Owner()
    owner.published.on_ready(3, owner.fold)
    owner.published.on_lost(3)
    owner.change("a", LOANS)
    await owner.settled(0)
