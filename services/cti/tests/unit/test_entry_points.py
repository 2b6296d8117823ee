"""What the directory says of numbers, callers and phones."""

from dataclasses import dataclass, field

import pytest
from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb
from junctor_cti.application.entry_points import EntryPoints, caller_data
from junctor_journal.replica import StateItem


@dataclass
class Directory:
    """The replica's look-ups over values that are given."""

    items: list[StateItem] = field(default_factory=list)

    def put(self, tenant: str, kind: str, id: str, value: Message) -> "Directory":
        held = pb.DirectoryValue()
        getattr(held.value, kind).CopyFrom(value)
        self.items.append(StateItem(tenant, kind, id, held, len(self.items)))
        return self

    def get(self, tenant, kind, id):
        return next((i for i in self.items if (i.tenant, i.kind, i.id) == (tenant, kind, id)), None)

    def all(self, kind, tenant=None):
        return [i for i in self.items if i.kind == kind and tenant in {None, i.tenant}]

    def listen(self, listener):
        """Nothing changes any more."""


def directory() -> Directory:
    return (
        Directory()
        .put("demo", "tenant", "self", pb.Tenant(language="zh"))
        .put("demo", "number", "4001", pb.Number(flow="main", data={"brand": "gold"}))
        .put("demo", "number", "4002", pb.Number(flow="night", language="en"))
        .put("other", "number", "5001", pb.Number(flow="main"))
        .put("demo", "agent", "alice", pb.Agent(device="1001", device_ha1={"SHA-256": "abc"}))
    )


def test_a_number_names_tenant_flow_data_and_language():
    entry = EntryPoints(directory()).of_number("4001")
    assert (entry.tenant, entry.flow, entry.language, dict(entry.data)) == ("demo", "main", "zh", {"brand": "gold"})


def test_a_numbers_own_language_wins_and_a_tenant_without_one_gets_the_default():
    points = EntryPoints(directory())
    assert points.of_number("4002").language == "en"
    assert points.of_number("5001").language == "en"


@pytest.mark.parametrize("number", ["", "400", "40011", "4001;x=y"])
def test_any_other_number_leads_nowhere(number):
    assert EntryPoints(directory()).of_number(number) is None


def test_a_phone_is_its_agents_with_the_digest_of_its_password():
    points = EntryPoints(directory())
    assert points.agent_of_device("1001") == ("demo", "alice")
    assert points.credential("1001") == {"SHA-256": "abc"}
    assert points.credential("1002") is None


@pytest.mark.parametrize(("until", "now", "blocked"), [(0, 1, True), (500, 499, True), (500, 500, False)])
def test_a_block_holds_until_its_end_in_its_tenant_alone(until, now, blocked):
    points = EntryPoints(directory().put("demo", "block", "hash", pb.Block(until=until)))
    assert points.blocked("demo", "hash", now) is blocked
    assert not points.blocked("other", "hash", now)
    assert not points.blocked("demo", "another", now)


@pytest.mark.parametrize(
    ("number", "prefix"), [("+8613912345678", "+861391"), ("13912345678", "139123"), ("4001", "4001")]
)
def test_a_flow_knows_the_first_digits_of_the_caller_only(number, prefix):
    assert caller_data(number) == {"caller_prefix": prefix}


def test_a_caller_without_a_number_has_no_prefix():
    assert caller_data("") == {}
