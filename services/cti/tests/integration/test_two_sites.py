"""A contact of one site is served by an agent whose phone is registered at the other: voice by SIP between the edges."""

from __future__ import annotations

import asyncio

import pytest
from junctor.router.v1 import router_pb2
from junctor_cti.application.other_sites import TICKET, OtherSites, Ticket
from junctor_cti.domain.relay import STREAM

LIMIT, TENANT = 40.0, "demo"
AGENT_HZ, CUSTOMER_HZ = 1000, 440


async def eventually(condition, what):
    async with asyncio.timeout(LIMIT):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def relays(place):
    return [line.relay for line in place.fold.streams().values() if line.relay is not None]


def told(place, contact_id):
    """What the agent's edge said of its phone."""
    stream = next((e.stream for e in place.all_events() if e.stream.startswith(f"{STREAM}{contact_id}/")), "")
    return [event.state for event in place.said(stream, "RelayStateChanged")]


async def offered(a, b):
    agent = await b.phone("1001", AGENT_HZ, register=True)
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    return agent, dialed


async def heard_both_ways(dialed):
    await dialed.phone.rtp.wait_for_tone(AGENT_HZ, within=LIMIT)
    await dialed.agent.rtp.wait_for_tone(CUSTOMER_HZ, within=LIMIT)


async def test_customer_and_agent_talk_across_sites_and_the_customer_hangs_up(sites):
    a, b = sites
    agent, dialed = await offered(a, b)
    await dialed.bridged(agent)
    (relay,) = relays(b)
    assert (relay.contact_id, relay.device, relay.site) == (dialed.contact, "1001", "a")
    assert relay.sdp.startswith("sealed:v1:")
    await eventually(lambda: relays(b)[0].state == "talking", "the relay is up")
    assert dialed.call.offer.site == "b"
    assert await dialed.phone.hang_up(within=LIMIT) == 200
    await dialed.agent.wait("ended", within=LIMIT)
    await eventually(lambda: not relays(b), "nothing is left of the relay")
    assert told(b, dialed.contact) == ["ringing", "answered", "talking", "ended"]
    await dialed.wrapped_up()
    await dialed.over()


async def test_the_agent_hangs_up(sites):
    a, b = sites
    agent, dialed = await offered(a, b)
    await dialed.bridged(agent)
    await dialed.agent.hang_up(within=LIMIT)
    await dialed.phone.wait("ended", within=LIMIT)
    await eventually(lambda: not relays(b), "nothing is left of the relay")
    await dialed.wrapped_up()
    await dialed.over()


async def test_an_offer_that_ends_stops_the_ringing(sites):
    a, b = sites
    agent = await b.phone("1001", AGENT_HZ, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    reservation = await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await dialed.ended(reservation)
    await ringing.wait("canceled", within=LIMIT)
    await eventually(lambda: not relays(b), "nothing is left of the relay")
    await dialed.state("queued")


async def test_a_phone_that_is_nowhere_or_taken_is_told(sites):
    a, b = sites
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    (refused,) = await eventually(lambda: a.others.of(router_pb2.RejectReservationRequest), "the router is told")
    assert refused.cause == "unreachable"

    agent, first = await offered(a, b)
    await first.bridged(agent)
    second = await (await a.dial()).answered()
    await second.routed()
    await second.offered()
    causes = await eventually(
        lambda: [r.cause for r in a.others.of(router_pb2.RejectReservationRequest) if r.contact_id == second.contact],
        "the second offer is refused",
    )
    assert causes == ["busy"]
    await heard_both_ways(first)


async def test_an_offer_of_an_older_site_epoch_rings_no_phone_at_either_edge(sites):
    a, b = sites
    agent = await b.phone("1001", AGENT_HZ, register=True)
    await b.epoch(2)
    await b.killed()
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered(site_epoch=1)
    (refused,) = await eventually(lambda: a.others.of(router_pb2.RejectReservationRequest), "the router is told")
    assert (refused.cause, agent.calls) == ("stale_epoch", [])
    await a.epoch(2)
    await dialed.offered(site_epoch=1)
    both = await eventually(lambda: a.others.of(router_pb2.RejectReservationRequest)[1:], "the router is told again")
    assert (both[0].cause, agent.calls) == ("stale_epoch", [])
    await dialed.offered(site_epoch=2)
    await dialed.bridged(agent)


async def test_a_ring_goes_on_under_the_id_that_a_new_leader_gives_it(sites):
    a, b = sites
    agent = await b.phone("1001", AGENT_HZ, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await eventually(lambda: dialed.call.agent is not None, "the leg is journalled")
    again = router_pb2.ReservationReissued(
        tenant=TENANT,
        contact_id=dialed.contact,
        previous_reservation_id="r1",
        reservation_id="again",
        agent_id="alice",
        device="1001",
        edge="cti/a",
    )
    await a.epoch(2, again)
    await eventually(lambda: dialed.call.offer.reservation_id == "again", "it has its new id")
    ringing.answer()
    await dialed.state("bridged")
    (bound,) = await eventually(lambda: a.said(dialed.contact, "Bound"), "it is told who talks")
    assert (bound.reservation_id, len(agent.calls)) == ("again", 1)


async def test_a_site_that_is_gone_is_unreachable_after_two_seconds(sites):
    a, b = sites
    await b.phone("1001", AGENT_HZ, register=True)
    await b.cti.edge.stop(drain=0)
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    (refused,) = await eventually(lambda: a.others.of(router_pb2.RejectReservationRequest), "the router is told")
    assert refused.cause == "unreachable"
    await dialed.state("queued")


@pytest.mark.parametrize("which", ["owner", "agent"])
async def test_a_talk_across_sites_outlives_the_process_of_either_edge(sites, which):
    a, b = sites
    agent, dialed = await offered(a, b)
    await dialed.bridged(agent)
    await eventually(lambda: relays(b)[0].state == "talking", "the relay is up")
    await (a if which == "owner" else b).killed()
    await heard_both_ways(dialed)
    await dialed.agent.hang_up(within=LIMIT)
    await dialed.phone.wait("ended", within=LIMIT)
    await eventually(lambda: not relays(b), "nothing is left of the relay")


async def test_a_process_that_dies_while_the_phone_rings_goes_on_ringing(sites):
    a, b = sites
    agent = await b.phone("1001", AGENT_HZ, register=True)
    agent.behavior.answer_after_ms = None
    dialed = await (await a.dial()).answered()
    await dialed.routed()
    await dialed.offered()
    ringing = await agent.next_call(within=LIMIT)
    await eventually(lambda: relays(b)[0].phone is not None, "the leg is journalled")
    await b.killed()
    ringing.answer()
    await dialed.state("bridged")
    dialed.agent = ringing
    await heard_both_ways(dialed)


async def test_a_stranger_rings_no_phone(sites):
    b = sites[1]
    agent = await b.phone("1001", AGENT_HZ, register=True)
    forged = OtherSites("a", {"b": "127.0.0.1:1"}, b"guessed")
    ticket = forged.sign(Ticket("a", TENANT, "c", "r", "alice", "1001", 0, 1), "", 0)
    phone = await b.phone("+8613900139000", CUSTOMER_HZ)
    call = await phone.call(f"sip:1001@127.0.0.1:{b.sip_port}", headers={TICKET: ticket})
    await call.wait("rejected", within=LIMIT)
    assert call.code == 403
    assert (relays(b), agent.calls) == ([], [])
