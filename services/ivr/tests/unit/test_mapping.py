"""Every field of the domain has its counterpart in the protos, and the state survives a snapshot."""

from junctor.ivr.v1 import ivr_pb2
from junctor.journal.v1 import journal_pb2
from junctor_ivr.adapters.cel_conditions import parse_condition
from junctor_ivr.application.mapping import MAPPING, new_fold
from junctor_ivr.domain import condition, definition, session


def test_no_field_is_lost():
    assert (
        MAPPING.unmatched(
            session.StartFlow,
            session.StopFlow,
            session.MediaVerbReported,
            session.FlowStarted,
            session.FlowNodeEntered,
            session.PromptRequested,
            session.FlowEnded,
            session.FlowForgotten,
            definition.FlowDefinition,
            definition.FlowNode,
            definition.MenuAction,
            definition.PlayAction,
            definition.DecideAction,
            definition.DecideBranch,
            definition.RouteAction,
            definition.HangUpAction,
            condition.Condition,
            condition.Comparison,
            condition.AllOf,
            condition.AnyOf,
            condition.Negation,
            condition.Constant,
        )
        == []
    )


def flow_definition():
    branch = definition.DecideBranch(
        parse_condition("data.a == 1 && !(data.b in ['x', 'y'] || true)"), "ask", {"seen": "yes"}
    )
    return definition.FlowDefinition(
        "main",
        3,
        "which",
        {
            "which": definition.FlowNode(definition.DecideAction((branch,), "ask")),
            "ask": definition.FlowNode(definition.MenuAction(("welcome_menu",), {"1": "go"})),
            "go": definition.FlowNode(definition.RouteAction("loans", ("language.zh >= 3",), {"x": "y"})),
            "play": definition.FlowNode(definition.PlayAction(("hold",), "bye")),
            "bye": definition.FlowNode(definition.HangUpAction(("goodbye",))),
        },
    )


def test_a_definition_comes_back_as_it_was():
    message = MAPPING.to_message(flow_definition())
    assert isinstance(message, ivr_pb2.FlowDefinition)
    assert MAPPING.to_domain(ivr_pb2.FlowDefinition.FromString(message.SerializeToString())) == flow_definition()


def test_a_snapshot_holds_running_sessions():
    fold = new_fold()
    request = ivr_pb2.StartFlowRequest(contact_id="c1", flow="main", data={"a": "2"})
    request.definition.CopyFrom(MAPPING.to_message(flow_definition()))
    applied = fold.apply(journal_pb2.Input(id="i", tenant="t1", stream="c1"), request, 1_000)
    assert [type(event).__name__ for event in applied.events] == [
        "FlowStarted",
        "FlowNodeEntered",
        "FlowNodeEntered",
        "PromptRequested",
    ]
    restored = new_fold()
    restored.load(fold.dump())
    assert restored.get("t1", "c1") == fold.get("t1", "c1")
    assert restored.hash() == fold.hash()
    assert restored.next_due() == fold.next_due()
