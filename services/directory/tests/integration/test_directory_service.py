"""The directory on real Kafka: what is applied is published, listed, repeated, reverted and rebuilt."""

import asyncio
import time

import pytest
from junctor.directory.v1 import directory_pb2 as pb
from junctor_directory.adapters.read_model import ReadModel
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.replica import Replica
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError

PLAN = pb.Value(id="all", plan=pb.Plan(steps=[pb.PlanStep()]))
LOANS = pb.Value(id="loans", queue=pb.Queue(name="Loans", plan="all", priority=3))
ALICE = pb.Value(id="alice", agent=pb.Agent(name="Alice", device="1001", device_ha1={"MD5": "0" * 32}))


def apply(request_id, *values, **more):
    return pb.ApplyConfigurationRequest(request_id=request_id, values=values, **more)


async def until(condition, seconds=10):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "it did not come to that in time"
        await asyncio.sleep(0.02)
    return found


async def test_a_configuration_from_the_first_value_to_its_revert(place):
    async with place.running() as address, place.client(address) as directory:
        dry = await rpc(directory.ApplyConfiguration(apply("r0", PLAN, LOANS, ALICE, dry_run=True)))
        assert (dry.revision, len(dry.changes)) == (0, 3)
        first = await rpc(directory.ApplyConfiguration(apply("r1", PLAN, LOANS, ALICE, comment="begin")))
        assert (first.revision, [change.id for change in first.changes]) == (1, ["alice", "all", "loans"])
        again = await rpc(directory.ApplyConfiguration(apply("r1", PLAN, LOANS, ALICE, comment="begin")))
        assert again.revision == 1 and again.changes == first.changes

        with pytest.raises(ServiceError, match="plan 'none' does not exist; known plans: all") as refusal:
            await rpc(directory.ApplyConfiguration(apply("r2", pb.Value(id="cards", queue=pb.Queue(plan="none")))))
        assert refusal.value.code is Code.INVALID_ARGUMENT
        assert [violation.field for violation in refusal.value.fields] == ["queue/cards/plan"]
        with pytest.raises(ServiceError, match="based on revision 7"):
            await rpc(directory.ApplyConfiguration(apply("r3", LOANS, base_revision=7)))

        changed = pb.Value(id="loans", queue=pb.Queue(name="Loans", plan="all", priority=1))
        await rpc(directory.ApplyConfiguration(apply("r4", changed)))
        reverted = await rpc(directory.RevertConfiguration(pb.RevertConfigurationRequest(request_id="r5", revision=2)))
        assert (reverted.revision, reverted.changes[0].after.queue.priority) == (3, 3)

        listed = await rpc(directory.ListValues(pb.ListValuesRequest()))
        assert [(value.value.id, value.version) for value in listed.values] == [("alice", 1), ("all", 1), ("loans", 3)]
        assert listed.values[0].value.agent.device_ha1["MD5"] == "set"
        got = await rpc(directory.GetValue(pb.GetValueRequest(kind="queue", id="loans")))
        assert got.value.value == LOANS
        revisions = await rpc(directory.ListRevisions(pb.ListRevisionsRequest()))
        assert [one.revision for one in revisions.revisions] == [3, 2, 1]
        assert revisions.revisions[2].comment == "begin"

        log = KafkaLog(place.bootstrap, client_id="reader")
        await log.start()
        replica = Replica(log, topics.state("directory"), pb.DirectoryValue)
        await replica.start()
        item = await until(
            lambda: (found := replica.get("demo", "queue", "loans")) and found.value.version == 3 and found
        )
        assert item.value.value == LOANS
        assert replica.get("demo", "agent", "alice").value.value == ALICE
        pruned = await rpc(directory.ApplyConfiguration(apply("r6", PLAN, prune=True)))
        assert [(change.change, change.id) for change in pruned.changes] == [
            (pb.CHANGE_KIND_DELETED, "alice"),
            (pb.CHANGE_KIND_DELETED, "loans"),
        ]
        await until(lambda: replica.get("demo", "queue", "loans") is None)
        await replica.stop()
        await log.stop()


async def test_the_read_model_built_again_is_equal_and_a_new_process_goes_on(place):
    async with place.running("one") as address, place.client(address) as directory:
        await rpc(directory.ApplyConfiguration(apply("r1", PLAN, LOANS)))
        await rpc(directory.ApplyConfiguration(apply("r2", ALICE, comment="second")))
        listed = await rpc(directory.ListValues(pb.ListValuesRequest()))
    async with place.running("two") as address, place.client(address) as directory:
        assert await rpc(directory.ListValues(pb.ListValuesRequest())) == listed
        third = await rpc(directory.ApplyConfiguration(apply("r3", ALICE, PLAN, prune=True)))
        assert third.revision == 3
        await rpc(directory.ListValues(pb.ListValuesRequest()))
    async with place.running("one") as address, place.client(address) as directory:
        await rpc(directory.ListValues(pb.ListValuesRequest()))
    one, two = (ReadModel(f"sqlite:///{place.folder / name / 'directory.db'}") for name in ("one", "two"))
    rows = one.dump()
    assert rows["directory_value"] == two.dump()["directory_value"]
    assert rows["directory_revision"] == two.dump()["directory_revision"]
    assert len(rows["directory_revision"]) == 3


async def test_others_than_administrators_and_other_tenants_are_refused(place):
    async with place.running() as address:
        async with place.client(address, role="supervisor") as directory:
            with pytest.raises(ServiceError) as refusal:
                await rpc(directory.ApplyConfiguration(apply("r1", PLAN)))
            assert refusal.value.code is Code.PERMISSION_DENIED
        async with place.client(address, tenant="other") as directory:
            assert not (await rpc(directory.ListValues(pb.ListValuesRequest()))).values
            with pytest.raises(ServiceError):
                await rpc(directory.ListValues(pb.ListValuesRequest(tenant="demo")))
