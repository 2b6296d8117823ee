"""A new site epoch: pending offers under new ids, to the same agents; all else stays."""

import pytest
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.inputs import new_input
from junctor_router.application.messages import event_message, reissued_of
from junctor_router.application.pools import PoolsFold
from junctor_router.domain.commands import AcceptReservation
from junctor_router.domain.values import Channel, TaskState
from router_given import names


@pytest.fixture
def ringing(centre):
    centre.queue("chats", offer_agents=2)
    for name in ("ann", "bob"):
        centre.agent(name)
    centre.arrive("t1", queue="chats", channel=Channel.CHAT)
    return centre


def test_pending_offers_get_new_ids_of_the_new_epoch_and_a_new_time(ringing):
    pool, before = ringing.pool, ringing.task("t1")
    ids = {offer.agent_id: offer.reservation_id for offer in before.offers}
    assert set(ids) == {"ann", "bob"}
    hash_before, now = pool.hash(), ringing.now + 9_000
    ringing.now = now
    issued = pool.reissued(2, now)
    assert pool.hash() == hash_before
    assert {one.agent_id: one.previous_reservation_id for one in issued} == ids
    pool.begin(2, now, issued)
    after = ringing.task("t1")
    assert {offer.agent_id: offer.reservation_id for offer in after.offers} == {
        one.agent_id: one.reservation_id for one in issued
    }
    assert all(".2." in one.reservation_id for one in issued)
    assert after.expires_at == now + 20_000
    assert after.state is TaskState.RESERVED
    assert ringing.wait(19_999) == []
    assert "ReservationEnded" in names(ringing.wait(10_000))


def test_the_old_id_is_refused_and_the_new_one_accepted(ringing):
    pool = ringing.pool
    issued = pool.reissued(2, pool.state.now)
    pool.begin(2, pool.state.now, issued)
    first = issued[0]
    old = ringing.do(AcceptReservation(first.agent_id, first.previous_reservation_id, first.contact_id))
    assert old.refusal is not None
    new = ringing.do(AcceptReservation(first.agent_id, first.reservation_id, first.contact_id))
    assert "ReservationAccepted" in names(new.events)


def test_what_is_offered_later_has_an_id_of_its_own_epoch(ringing):
    pool = ringing.pool
    issued = pool.reissued(3, pool.state.now)
    pool.begin(3, pool.state.now, issued)
    ids = {one.reservation_id for one in issued} | {one.previous_reservation_id for one in issued}
    ringing.arrive("t2", queue="chats", channel=Channel.CHAT)
    later = [offer.reservation_id for offer in ringing.task("t2").offers]
    assert len(later) == 2
    assert not ids.intersection(later)
    assert all(".3." in id for id in later)


def test_a_fold_begins_as_its_journal_says_and_its_snapshot_keeps_the_epoch():
    one, other = PoolsFold(), PoolsFold()
    for fold in (one, other):
        fold.begin(4, 1_000, fold.reissue(4, 1_000))
    other.load(list(other.dump()))
    value = pb.ConfigurationChanged(kind="queue", id="q", version=1)
    for fold in (one, other):
        fold.apply(new_input(value, id="1", tenant="t", stream="pool"), value, 2_000)
    assert one.pool("t", "pool").state.site_epoch == other.pool("t", "pool").state.site_epoch == 4
    assert one.hash() == other.hash()


def test_a_reissue_is_the_same_as_a_message(ringing):
    for one in ringing.pool.reissued(2, 5_000):
        assert reissued_of(event_message(one)) == one
