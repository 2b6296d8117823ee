"""The fold: messages in, messages out, and its state as bytes."""

from junctor.directory.v1 import directory_pb2 as pb
from junctor.journal.v1 import journal_pb2
from junctor_directory.application.fold import DirectoryFold, attempt_id

ALICE = pb.Value(id="alice", agent=pb.Agent(device="1001", device_ha1={"MD5": "a" * 32}))


def applied(fold, body, tenant="demo"):
    return fold.apply(journal_pb2.Input(tenant=tenant, stream="directory", principal="ann"), body, 1_000)


def filled():
    fold = DirectoryFold()
    applied(fold, pb.ApplyConfigurationRequest(request_id="a", values=[ALICE], comment="begin"))
    applied(fold, pb.ApplyConfigurationRequest(request_id="b", values=[ALICE]), tenant="other")
    return fold


def test_secrets_are_masked_in_events_and_kept_in_the_state():
    fold = DirectoryFold()
    first = applied(fold, pb.ApplyConfigurationRequest(request_id="a", values=[ALICE]))
    assert dict(first.events[0].changes[0].after.agent.device_ha1) == {"MD5": "set"}
    changed = pb.Value(id="alice", agent=pb.Agent(device="1001", device_ha1={"MD5": "b" * 32}))
    second = applied(fold, pb.ApplyConfigurationRequest(request_id="b", values=[changed]))
    assert dict(second.events[0].changes[0].after.agent.device_ha1) == {"MD5": "changed"}
    (stored,) = fold.get("demo").values.values()
    assert pb.Value.FromString(stored.value).agent.device_ha1["MD5"] == "b" * 32


def test_a_loaded_state_is_the_dumped_one():
    fold, copy = filled(), DirectoryFold()
    copy.load(fold.dump())
    assert copy.tenants() == fold.tenants()
    assert copy.hash() == fold.hash() != DirectoryFold().hash()


def test_large_states_are_dumped_in_pieces():
    fold = DirectoryFold()
    agents = [pb.Value(id=f"a{n}", agent=pb.Agent(name="x" * 400)) for n in range(2_000)]
    applied(fold, pb.ApplyConfigurationRequest(request_id="a", values=agents))
    pieces = list(fold.dump())
    assert len(pieces) > 5 and max(map(len, pieces)) < 300_000
    copy = DirectoryFold()
    copy.load(pieces)
    assert copy.hash() == fold.hash()


def test_a_value_without_a_kind_is_refused_not_a_dead_letter():
    found = applied(DirectoryFold(), pb.ApplyConfigurationRequest(values=[pb.Value(id="x")]))
    assert "the value 'x' has no kind" in found.refusal.message


def test_a_later_attempt_is_found_by_the_first_request_id():
    fold = DirectoryFold()
    applied(fold, pb.ApplyConfigurationRequest(request_id=attempt_id("a", 2), values=[ALICE]))
    assert fold.get("demo").applied_by("a").revision == 1


def test_a_copy_does_not_change_with_the_original():
    fold = filled()
    copy = fold.copy()
    applied(fold, pb.ApplyConfigurationRequest(request_id="c", prune=True))
    assert len(copy.get("demo").values) == 1 and not fold.get("demo").values
