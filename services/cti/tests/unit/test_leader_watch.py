"""A call in line whose pool nobody leads, as far as is heard: what its plan says, once, and not before its time."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from junctor_cti.application.entry_points import Unreachable
from junctor_cti.application.leader_watch import LeaderWatch
from junctor_cti.domain import commands as c
from junctor_cti.domain import decide
from junctor_cti.domain.call import Call, Leg
from junctor_cti.domain.decide import Line

SINCE = 1_000_000
WAITING = Call(
    "demo", "c1", "queued", SINCE, SINCE, "", "", "", "", "", Leg("l1", "up", b""), None, queue="cards", task="open"
)


class Place:
    def __init__(self, *calls, plan=Unreachable("voicemail", 30_000, "leave")):
        self.told, self.unled_for = [], 0.0
        streams = {("demo", call.contact_id): Line(call=call) for call in calls}
        entry_points = SimpleNamespace(unreachable=lambda *_: plan, partition=lambda *_: 4)
        slot = SimpleNamespace(
            ready=True,
            fold=SimpleNamespace(streams=lambda: streams),
            entry_points=entry_points,
            record=self.record,
        )
        self.slot = slot
        heard = SimpleNamespace(unled=lambda service, partition: self.unled_for)
        self.watch = LeaderWatch(slot, heard, lambda: 12)

    async def record(self, fact, id, tenant, stream):
        self.told.append((fact.contact_id, fact.treatment, fact.prompt, id))

    async def look(self, after, unled):
        self.unled_for = unled
        await self.watch.look(SINCE + after)
        return self.told


async def test_the_treatment_comes_after_the_plans_time_of_silence_and_of_waiting():
    place = Place(WAITING)
    assert await place.look(60_000, 29.9) == []
    assert await place.look(29_999, 500.0) == []
    assert await place.look(30_000, 30.0) == [("c1", "voicemail", "leave", f"c1/leader_silent/0/{SINCE}")]


@pytest.mark.parametrize("state", ["in_flow", "offered", "accepting", "bridged", "treated"])
async def test_only_who_waits_in_line_is_told_of(state):
    assert await Place(replace(WAITING, state=state)).look(60_000, 60.0) == []


async def test_a_plan_that_says_nothing_lets_them_wait():
    assert await Place(WAITING, plan=Unreachable("", 30_000, "")).look(600_000, 600.0) == []


async def test_a_slot_that_is_not_served_here_tells_nothing():
    place = Place(WAITING)
    place.slot.ready = False
    assert await place.look(60_000, 60.0) == []


def applied(call, treatment="callback"):
    return decide.apply(Line(call=call), c.LeaderSilent("c1", treatment, "we_call_back"), SINCE + 40_000).state.call


def test_the_customer_hears_the_treatment_and_the_router_is_told_later():
    after = applied(replace(WAITING, owed=("route/1",)))
    assert (after.state, after.detail, after.verb.prompts) == ("treated", "callback", ("we_call_back",))
    assert after.owed == ("cancel_task",)


def test_disconnect_ends_the_call():
    after = applied(WAITING, "disconnect")
    assert after.state == "closed"
    assert "cancel_task" in after.owed


def test_who_is_served_meanwhile_is_not_treated():
    assert applied(replace(WAITING, state="treated")).detail == WAITING.detail
