"""What other services' events mean for a call."""

from dataclasses import dataclass

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2 as c
from junctor.ivr.v1 import ivr_pb2 as ivr
from junctor.router.v1 import router_pb2 as router
from junctor_cti.application.reactions import FLOW_RESULTS, fact_of, reactions
from junctor_journal.inputs import new_input

CASES = [
    (
        ivr.FlowEnded(
            contact_id="k",
            result=ivr.FLOW_RESULT_ROUTE,
            queue="loans",
            requirements=["a >= 1"],
            data={"topic": "x"},
            priority=3,
            wait_prompt="hold",
            language="zh",
        ),
        c.FlowReported(
            contact_id="k",
            result="route",
            queue="loans",
            requirements=["a >= 1"],
            data={"topic": "x"},
            priority=3,
            wait_prompt="hold",
            language="zh",
        ),
    ),
    (
        router.ReservationCreated(
            contact_id="k",
            reservation_id="r",
            agent_id="alice",
            device="1001",
            expires_at=9,
            queue="loans",
            edge="cti/a",
        ),
        c.OfferReported(
            contact_id="k", reservation_id="r", agent_id="alice", device="1001", expires_at=9, queue="loans"
        ),
    ),
    (
        router.ReservationEnded(contact_id="k", reservation_id="r", cause="timed_out", edge="cti/a"),
        c.ReservationReported(contact_id="k", reservation_id="r", accepted=False, cause="timed_out"),
    ),
    (
        router.TaskOverflowed(contact_id="k", treatment="message", prompt="overflow", edge="cti/a"),
        c.OverflowReported(contact_id="k", treatment="message", prompt="overflow"),
    ),
    (
        router.TaskCompleted(contact_id="k", disposition="sold", edge="cti/a"),
        c.TaskReported(contact_id="k", state="completed", disposition="sold"),
    ),
    (
        router.TaskRequeued(contact_id="k", queue="cards", agent_id="alice", edge="cti/a"),
        c.RequeueReported(contact_id="k", queue="cards", agent_id="alice"),
    ),
    (router.TaskCanceled(contact_id="k", edge="cti/a"), c.TaskReported(contact_id="k", state="canceled")),
]


def named(case) -> str:
    return type(case).__name__


@dataclass
class Event:
    message: object
    id: str = "e-1"
    tenant: str = "demo"
    traceparent: str = "00-1-2-01"


class Commands:
    def fact(self, message, **given):
        return new_input(message, site="a", made_at=1, **given)


@pytest.mark.parametrize(("event", "fact"), CASES, ids=named)
def test_an_event_of_ours_is_a_fact_with_all_that_a_call_needs(event, fact):
    assert fact_of(event, "cti/a") == fact


@pytest.mark.parametrize("event", [event for event, _ in CASES if hasattr(event, "edge")], ids=named)
def test_an_event_of_another_edges_contact_is_none_of_ours(event):
    theirs = type(event).FromString(event.SerializeToString())
    theirs.edge = "cti/b"
    assert fact_of(theirs, "cti/a") is None


def test_every_result_of_a_flow_is_known_and_a_later_one_counts_as_failed():
    known = {value.number for value in ivr.FlowResult.DESCRIPTOR.values if not value.name.endswith("UNSPECIFIED")}
    assert set(FLOW_RESULTS) == known
    assert fact_of(ivr.FlowEnded(contact_id="k", result=99), "cti/a").result == "failed"


def test_all_other_events_are_passed_over():
    handled = {type(event) for event, _ in CASES}
    messages = [
        getattr(module, name)
        for module in (router, ivr)
        for name in module.DESCRIPTOR.message_types_by_name
        if getattr(module, name) not in handled
    ]
    assert len(messages) > 40
    assert [fact_of(message(), "cti/a") for message in messages] == [None] * len(messages)
    assert fact_of(contact_pb2.ContactOpened(contact_id="k"), "cti/a") is None


def test_an_input_is_named_by_its_event_so_that_a_repeat_is_recognised():
    react = reactions(Commands(), "cti/a")
    (first,), (again,) = list(react(Event(CASES[0][0]))), list(react(Event(CASES[0][0])))
    assert first == again
    assert (first.id, first.tenant, first.stream) == ("cti/event/e-1", "demo", "k")
    assert (first.correlation_id, first.causation_id, first.traceparent) == ("k", "e-1", "00-1-2-01")


def test_an_event_of_an_unknown_type_causes_nothing():
    assert list(reactions(Commands(), "cti/a")(Event(None))) == []
