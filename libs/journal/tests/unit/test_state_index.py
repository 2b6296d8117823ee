"""Values of a replica found by another name."""

from junctor.journal.v1 import journal_pb2
from junctor_journal.memory import MemoryLog
from junctor_journal.replica import Replica, StateItem
from junctor_journal.state_index import StateIndex


def _item(id, owner, tenant="acme", kind="phone"):
    return StateItem(tenant, kind, id, journal_pb2.Input(stream=owner), 0)


def _replica(*items):
    replica = Replica(MemoryLog(), "state", journal_pb2.Input)
    for item in items:
        replica._items[item.tenant, item.kind, item.id] = item
    return replica


def _owner(item):
    return item.value.stream


def test_items_are_found_as_they_come_change_and_go():
    first = _item("1", "ann")
    replica = _replica(first, _item("9", "ann", kind="desk"))
    index = StateIndex(replica, "phone", _owner)
    assert index.find("ann") == [first]
    second = _item("2", "ann", tenant="abc")
    replica._tell(second, False)
    replica._tell(_item("3", "ann", kind="desk"), False)
    assert index.find("ann") == [second, first]
    moved = _item("1", "bob")
    replica._tell(moved, False)
    assert (index.find("ann"), index.find("bob")) == ([second], [moved])
    replica._tell(second, True)
    assert index.find("ann") == []


def test_what_has_no_name_is_not_found():
    index = StateIndex(_replica(_item("1", "")), "phone", _owner)
    assert index.find("") == []
