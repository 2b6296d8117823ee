"""E1 of two sites: what the router decided under an earlier site epoch than one that was seen means nothing here."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal.inputs import new_input
from junctor_omnichannel.application.greetings import journal_partition_of
from junctor_omnichannel.application.mapping import MAPPING, new_fold
from junctor_omnichannel.application.reactions import reactions
from junctor_omnichannel.domain import commands as c

ENTRY = c.EntryPoint("", "chat", "", "en")
OPENED = c.OpenConversation("x", "web", "sealed address", "hash", 1_000, "a", ENTRY)
ACCEPTED = c.ReservationReported("x", "demo.p.1.7.1", "alice", True, partition=3, site_epoch=1)


def apply(fold, command, tenant="demo", stream="x"):
    body = MAPPING.to_message(command)
    return fold.apply(new_input(body, id="i", tenant=tenant, stream=stream), body, 2_000)


def raised(fold, epoch, partition=3):
    return apply(fold, c.EpochSeen(partition, epoch, 0), "*", f"fence/{partition}")


@pytest.fixture
def fold():
    fold = new_fold()
    apply(fold, OPENED)
    return fold


def test_an_older_epochs_accept_binds_nothing_though_the_conversation_never_saw_a_later_one(fold):
    raised(fold, 2)
    assert apply(fold, ACCEPTED).events == []
    assert fold.get("demo", "x").state == "queued"
    apply(fold, replace(ACCEPTED, reservation_id="demo.p.2.1.1", site_epoch=2))
    assert fold.get("demo", "x").agent_id == "alice"


def test_nor_does_its_end_of_a_task_end_the_conversation(fold):
    raised(fold, 2)
    apply(fold, c.TaskReported("x", "canceled", partition=3, site_epoch=1))
    assert fold.get("demo", "x").open
    apply(fold, c.TaskReported("x", "canceled", partition=3, site_epoch=2))
    assert not fold.get("demo", "x").open


def test_each_partition_of_the_router_has_its_own_fence_which_only_rises(fold):
    raised(fold, 5, partition=4)
    raised(fold, 2)
    assert raised(fold, 1).events == []
    assert fold.get("*", "fence/3").fence == 2
    apply(fold, replace(ACCEPTED, site_epoch=2))
    assert fold.get("demo", "x").state == "with_agent"


def test_a_word_without_an_epoch_is_not_compared(fold):
    """One site has none; and who has a conversation still that came here is said by whom this site asked."""
    raised(fold, 2)
    apply(fold, replace(ACCEPTED, site_epoch=0))
    assert fold.get("demo", "x").state == "with_agent"


def test_the_fence_is_in_snapshots(fold):
    raised(fold, 2)
    loaded = new_fold()
    loaded.load(fold.dump())
    assert apply(loaded, ACCEPTED).events == []
    assert loaded.hash() == fold.hash()


def event(message, site_epoch):
    return SimpleNamespace(
        id="e", message=message, source="/junctor/router", tenant="demo", traceparent="", site_epoch=site_epoch,
        journal_partition=3,
    )  # fmt: skip


def react(fences, message, site_epoch):
    found = reactions(new_input, "omnichannel/a", lambda partition: fences)(event(message, site_epoch))
    return [(input.stream, input.id, journal_partition_of(input)) for input in found]


def test_every_partition_of_the_journal_hears_of_an_epoch_that_began_and_of_one_that_a_message_shows():
    began = journal_pb2.EpochStarted(epoch=journal_pb2.Epoch(site_epoch=2))
    fences = [("fence/3", f"omnichannel/fence/3/2/{own}", own) for own in range(2)]
    assert react([1, 0], began, 2) == fences
    accepted = router_pb2.ReservationAccepted(
        contact_id="x", reservation_id="r", agent_id="alice", edge="omnichannel/a"
    )
    assert react([1, 0], accepted, 2) == [*fences, ("x", "demo/omnichannel/e", None)]
    assert react([2, 1], accepted, 2) == [fences[1], ("x", "demo/omnichannel/e", None)]
    assert react([2, 3], accepted, 2) == [("x", "demo/omnichannel/e", None)]
    assert react([0, 0], accepted, -1) == [("x", "demo/omnichannel/e", None)], "one site"


def test_fences_that_are_known_to_be_up_are_not_looked_at_again():
    asked = []

    def fences(partition):
        asked.append(partition)
        return [2, 2] if len(asked) > 1 else [2, 1]

    react = reactions(new_input, "omnichannel/a", fences)
    began = journal_pb2.EpochStarted(epoch=journal_pb2.Epoch(site_epoch=2))
    assert [len(list(react(event(began, 2)))) for _ in range(4)] == [1, 0, 0, 0]
    assert asked == [3, 3]
    assert len(list(react(event(began, 3)))) == 2


def test_what_is_said_of_a_conversation_carries_its_epoch():
    accepted = router_pb2.ReservationAccepted(
        contact_id="x", reservation_id="r", agent_id="alice", edge="omnichannel/a"
    )
    (made,) = reactions(new_input, "omnichannel/a", lambda partition: [2])(event(accepted, 2))
    told = pb.ReservationReported.FromString(made.body.value)
    assert (told.partition, told.site_epoch) == (3, 2)
