"""What an edge answers to the roll call of a site epoch, and when it answers again."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from junctor_cti.application import roll_call
from junctor_cti.application.device_slots import DeviceSlots
from junctor_cti.application.roll_call import RollCalls
from junctor_cti.domain.call import Call, Leg, Offer
from junctor_cti.domain.decide import Line
from junctor_service.effect_tasks import EffectTasks
from junctor_service.tokens import EVERY_TENANT


class Router:
    def __init__(self):
        self.answers = []

    async def AnswerRollCall(self, request, timeout):
        self.answers.append(request)


def call(contact_id, reservation_id, agent, device, *, talking):
    leg = Leg(f"{contact_id}/{reservation_id}", "up" if talking else "prepared", b"")
    offer = Offer(reservation_id, agent, device, 0)
    made = Call("demo", contact_id, "bridged" if talking else "offered", 0, 0, "", "", "", "", "", leg, None)
    return Line(call=replace(made, agent=leg, offer=offer))


class Edge:
    def __init__(self, other="b"):
        self.lost = ""
        self.streams = {(EVERY_TENANT, "fence/3"): Line(fence=2), (EVERY_TENANT, "fence/9"): Line(fence=4)}
        self.slot = SimpleNamespace(
            partition=0,
            partitions=10,
            redials=SimpleNamespace(lost=lambda site: self.lost == site),
            agents_edge="cti/a/0",
            devices=DeviceSlots(),
            others=SimpleNamespace(first=lambda: other),
            fold=SimpleNamespace(
                streams=lambda: self.streams, get=lambda tenant, stream: self.streams.get((tenant, stream))
            ),
            stale=lambda partition, epoch: (
                epoch < self.streams.get((EVERY_TENANT, f"fence/{partition}"), Line(fence=0)).fence
            ),
        )
        self.router = Router()
        self.roll_calls = RollCalls(self.slot, EffectTasks("test"), self.router)

    def has(self, contact_id, line):
        self.streams["demo", contact_id] = line
        self.slot.devices.see(contact_id, line)

    def lets_go(self, contact_id):
        del self.streams["demo", contact_id]
        self.slot.devices.see(contact_id, None)

    async def answers(self, count):
        async with asyncio.timeout(5):
            while len(self.router.answers) < count:
                await asyncio.sleep(0)
        return self.router.answers


@pytest.fixture
def edge():
    made = Edge()
    made.has("c1", call("c1", "r1", "ann", "1001", talking=True))
    made.has("c2", call("c2", "r2", "bob", "1002", talking=False))
    return made


async def test_every_slot_that_holds_something_is_told_with_its_reservation(edge):
    edge.roll_calls.begun(3, 2)
    (answer,) = await edge.answers(1)
    assert (answer.edge, answer.partition, answer.site_epoch) == ("cti/a/0", 3, 2)
    assert [(s.tenant, s.agent_id, s.contact_id, s.reservation_id, s.talking) for s in answer.slots] == [
        ("demo", "ann", "c1", "r1", True),
        ("demo", "bob", "c2", "r2", False),
    ]


async def test_a_talk_that_was_told_and_has_ended_is_told_again_and_a_ring_is_not(edge):
    edge.roll_calls.begun(3, 2)
    await edge.answers(1)
    edge.lets_go("c2")
    edge.roll_calls.look()
    await asyncio.sleep(0.01)
    assert len(edge.router.answers) == 1
    edge.lets_go("c1")
    edge.roll_calls.look()
    answers = await edge.answers(3)
    assert {(a.partition, a.site_epoch, len(a.slots)) for a in answers[1:]} == {(3, 2, 0), (9, 4, 0)}
    assert len({a.request_id for a in answers}) == 3
    edge.roll_calls.look()
    await asyncio.sleep(0.01)
    assert len(edge.router.answers) == 3


async def test_a_process_that_takes_the_edge_over_answers_for_every_fence(edge):
    edge.roll_calls.all_begun()
    assert {(a.partition, a.site_epoch) for a in await edge.answers(2)} == {(3, 2), (9, 4)}


async def test_a_stale_roll_call_is_not_answered(edge):
    edge.roll_calls.begun(3, 1)
    edge.roll_calls.begun(9, 4)
    assert [a.partition for a in await edge.answers(1)] == [9]


async def test_one_site_is_not_called():
    edge = Edge(other=None)
    edge.roll_calls.all_begun()
    await asyncio.sleep(0.01)
    assert edge.router.answers == []


async def test_a_talk_with_a_lost_sites_contact_ends_and_every_partition_is_told_once(edge, monkeypatch):
    monkeypatch.setattr(roll_call, "SETTLES", 0.0)
    edge.lost = "b"
    edge.lets_go("c1")
    edge.roll_calls.parted()
    edge.roll_calls.parted()
    answers = await edge.answers(10)
    assert [(answer.partition, answer.site_epoch) for answer in answers] == [
        (partition, {3: 2, 9: 4}.get(partition, 1)) for partition in range(10)
    ]
    assert all([slot.contact_id for slot in answer.slots] == ["c2"] for answer in answers)
    edge.roll_calls.parted()
    assert len(await edge.answers(20)) == 20


async def test_while_the_other_site_lives_it_ends_its_talks_itself(edge, monkeypatch):
    monkeypatch.setattr(roll_call, "SETTLES", 0.0)
    edge.roll_calls.parted()
    for _ in range(20):
        await asyncio.sleep(0)
    assert edge.router.answers == []
