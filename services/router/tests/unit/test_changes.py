"""Which entries of the journal a watch of an agent is told."""

from types import SimpleNamespace

from junctor.router.v1 import router_pb2 as pb
from junctor_router.application.changes import Changes


def entry(seq, *messages):
    return SimpleNamespace(tenant="acme", seq=seq, messages=list(messages))


def test_a_watch_is_told_what_is_about_its_agent_and_nothing_else():
    changes = Changes()
    ann, bob = changes.watch("acme", "ann"), changes.watch("acme", "bob")
    mine = pb.ReservationCreated(agent_id="ann", contact_id="c1")
    changed = pb.ConfigurationApplied(kind="agent", id="ann")
    changes.entry(0, entry(1, pb.TaskQueued(contact_id="c1"), mine, None))
    changes.entry(0, entry(2, pb.ConfigurationApplied(kind="queue", id="ann"), changed))
    assert [(change.seq, change.event) for change in ann.changes] == [(1, mine), (2, changed)]
    assert not bob.changes
    assert changes.agents_since("acme", 0, 0) == ["ann"]
    assert [change.event for change in changes.since("acme", "ann", 0, 1)] == [changed]
