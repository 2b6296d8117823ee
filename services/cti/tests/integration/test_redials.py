"""A caller whose media were in the lost site redials at the other one, on real SIP and RTP."""

from __future__ import annotations

import asyncio

from junctor.contact.v1 import contact_pb2
from junctor.router.v1 import router_pb2
from junctor_cti.application.redials import LOST_SECONDS

LIMIT, AGENT_HZ, CUSTOMER_HZ = 40.0, 1000, 440


async def eventually(condition, what):
    async with asyncio.timeout(LIMIT):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def mirrored(source, target):
    """What the mirror brought of a site's calls."""
    for event in source.all_events():
        target.redials.see(event)


async def lost(a, b):
    mirrored(a, b)
    await a.cti.die()
    b.silent = LOST_SECONDS


async def redialled(a, b, first):
    """The caller of `first` at a dials again at b, for which a is lost, and a is told of it."""
    mirrored(a, b)
    b.silent = LOST_SECONDS
    again = await b.dial()
    await again.phone.wait("answered", within=LIMIT)
    (told,) = await eventually(lambda: b.said(first.contact, "Reattached"), "it is told")
    await a.report(told)


async def test_a_redial_gets_the_old_place_and_is_served_here(sites):
    a, b = sites
    first = await (await a.dial()).answered()
    await first.routed()
    (asked,) = a.others.of(router_pb2.RequestTaskRequest)
    await lost(a, b)
    again = await b.dial()
    again.contact = first.contact
    await again.phone.wait("answered", within=LIMIT)
    (asked_again,) = await eventually(lambda: b.others.of(router_pb2.RequestTaskRequest), "the router is asked again")
    assert (asked_again.contact_id, asked_again.arrived_at, asked_again.queue) == (
        asked.contact_id,
        asked.arrived_at,
        "loans",
    )
    assert (asked.leg, asked_again.leg, asked_again.edge) == (1, 2, "cti/b")
    assert asked_again.request_id != asked.request_id
    (told,) = b.said(first.contact, "Reattached")
    assert (told.leg, told.previous_site, told.site, told.channel) == (2, "a", "b", contact_pb2.CHANNEL_VOICE)
    agent = await b.phone("1001", AGENT_HZ, register=True)
    await again.offered()
    await again.bridged(agent)
    assert [bound.generation for bound in b.said(first.contact, "Bound")] == [2]
    assert await again.phone.hang_up(within=LIMIT) == 200
    (end,) = await eventually(lambda: b.others.of(router_pb2.EndContactRequest), "the router is told of the end")
    assert end.leg == 2
    await again.wrapped_up()
    await again.over()


async def test_a_caller_who_loses_both_sites_in_turn_has_the_old_place_again_at_the_first(sites):
    a, b = sites
    first = await (await a.dial()).answered()
    await first.routed()
    (asked,) = a.others.of(router_pb2.RequestTaskRequest)
    await redialled(a, b, first)
    await eventually(lambda: first.call is None, "nothing is left of it there")
    mirrored(b, a)
    await b.cti.die()
    a.silent = LOST_SECONDS
    third = await a.dial()
    await third.phone.wait("answered", within=LIMIT)
    asked_again = (await eventually(lambda: a.others.of(router_pb2.RequestTaskRequest)[1:], "it is in line again"))[0]
    assert (asked_again.contact_id, asked_again.arrived_at, asked_again.leg, asked_again.edge) == (
        first.contact,
        asked.arrived_at,
        3,
        "cti/a",
    )


async def test_the_site_that_comes_back_leaves_the_contact_alone(sites):
    a, b = sites
    first = await (await a.dial()).answered()
    await first.routed()
    await redialled(a, b, first)
    await first.phone.wait("ended", within=LIMIT)
    await eventually(lambda: first.call is None, "nothing is left of it there")
    assert a.said(first.contact, "ContactClosed") == []
    assert a.others.of(router_pb2.CancelTaskRequest) == []


async def test_others_and_those_of_a_site_that_lives_are_new_contacts(sites):
    a, b = sites
    first = await (await a.dial()).answered()
    await first.routed()
    mirrored(a, b)
    for caller, silent in (("+8613800138000", 0.0), ("+8613900000000", LOST_SECONDS), ("anonymous", LOST_SECONDS)):
        b.silent = silent
        dialed = await b.dial(caller=caller)
        await dialed.phone.wait("answered", within=LIMIT)
        await eventually(lambda: b.said(dialed.contact, "ContactOpened"), f"{caller} is a new contact")
        assert dialed.call.generation == 1
    assert b.said(first.contact, "Reattached") == []


async def test_a_new_call_is_sent_to_the_other_site_and_begins_there(sites):
    a, b = sites
    a.away_percent = 100
    phone = await a.phone("+8613800138001", CUSTOMER_HZ)
    call = await phone.call(f"sip:4001@127.0.0.1:{a.sip_port}")
    await call.wait("rejected", within=LIMIT)
    assert (call.code, call.target) == (302, f"sip:4001@127.0.0.1:{b.sip_port}")
    assert not a.all_events()
    there = await b.phone("+8613800138001", CUSTOMER_HZ)
    await (await there.call(call.target)).wait("answered", within=LIMIT)
    assert b.all_events()
