"""Given events, when a command, then events: flow sessions."""

from dataclasses import replace

import pytest
from junctor_ivr.domain.condition import Comparison, Condition
from junctor_ivr.domain.definition import (
    DecideAction,
    DecideBranch,
    FlowDefinition,
    FlowNode,
    HangUpAction,
    MenuAction,
    PlayAction,
    RouteAction,
)
from junctor_ivr.domain.session import (
    KEEP_ENDED_MS,
    MAX_SILENT_NODES,
    PROMPT_PATIENCE_MS,
    FlowEnded,
    FlowForgotten,
    FlowNodeEntered,
    FlowStarted,
    MediaVerbReported,
    PromptRequested,
    Rejected,
    Session,
    StartFlow,
    StopFlow,
    Tick,
    decide,
    evolve,
    is_live,
    next_due,
)

NOW = 1_000_000
MENU = MenuAction(
    ("welcome_menu",),
    {"1": "loans", "2": "play"},
    timeout_ms=4_000,
    attempts=2,
    invalid_prompt="invalid",
    no_input_prompt="no_input",
    otherwise="bye",
    store="choice",
)
LOANS = RouteAction("loans", ("language.zh >= 3",), {"product": "loan"}, priority=2, wait_prompt="please_wait")
NODES = {
    "menu": FlowNode(MENU),
    "loans": FlowNode(LOANS),
    "play": FlowNode(PlayAction(("please_wait",), "decide")),
    "decide": FlowNode(
        DecideAction(
            (DecideBranch(Condition(Comparison("caller_prefix", "equal", ("+86138",))), "loans", {"region": "bj"}),),
            otherwise="bye",
        )
    ),
    "bye": FlowNode(HangUpAction(("goodbye",))),
    "end": FlowNode(HangUpAction()),
}


def flow(start="menu", **nodes):
    return FlowDefinition("main", 7, start, {**NODES, **{name: FlowNode(action) for name, action in nodes.items()}})


def start(definition, **data):
    return StartFlow("c1", "main", data, definition)


def given(*commands, now=NOW):
    """The state after the commands, and the events of the last one."""
    state, events = Session("t1", "c1"), []
    for command in commands:
        events = decide(state, command, now)
        for event in events:
            state = evolve(state, event)
    return state, events


def report(state, cause, digits="", now=NOW):
    events = decide(state, MediaVerbReported("c1", state.awaiting.verb_id, cause, digits), now)
    for event in events:
        state = evolve(state, event)
    return state, events


def ended(state):
    return FlowEnded("t1", "c1", "failed", state.data, state.language, NOW)


def test_a_flow_starts_at_its_first_node_and_asks():
    definition = flow()
    state, events = given(start(definition, language="zh"))
    assert events == [
        FlowStarted("t1", "c1", "main", 7, definition, {"language": "zh"}, "zh"),
        FlowNodeEntered("c1", "main", "menu", "start"),
        PromptRequested(
            contact_id="c1",
            verb_id="menu.1",
            prompts=("welcome_menu",),
            language="zh",
            max_digits=1,
            timeout_ms=4_000,
            barge_in=True,
            secret=False,
            expires_at=NOW + 4_000 + PROMPT_PATIENCE_MS,
            attempt=1,
        ),
    ]
    assert is_live(state)
    assert next_due(state) == NOW + 4_000 + PROMPT_PATIENCE_MS


def test_the_definitions_language_is_taken_where_the_contact_has_none():
    state, _ = given(start(replace(flow(), language="de")))
    assert state.awaiting.language == "de"


def test_a_digit_goes_to_its_node_is_stored_and_routes():
    state, _ = given(start(flow()))
    state, events = report(state, "digits", "1")
    assert events == [
        FlowNodeEntered("c1", "main", "loans", "1", {"choice": "1"}),
        FlowEnded(
            tenant="t1",
            contact_id="c1",
            result="route",
            data={"choice": "1", "product": "loan"},
            language="en",
            ended_at=NOW,
            queue="loans",
            requirements=("language.zh >= 3",),
            priority=2,
            wait_prompt="please_wait",
        ),
    ]
    assert (state.node, state.awaiting, state.result) == ("", None, "route")


def test_digits_pressed_before_a_timeout_count():
    state, _ = given(start(flow(menu=replace(MENU, choices={"1": "loans", "12": "bye"}))))
    assert state.awaiting.max_digits == 2
    _, events = report(state, "timeout", "1")
    assert events[0] == FlowNodeEntered("c1", "main", "loans", "1", {"choice": "1"})


def test_a_menu_without_store_keeps_no_digits():
    state, _ = given(start(flow(menu=replace(MENU, store=""))))
    state, _ = report(state, "digits", "1")
    assert state.data == {"product": "loan"}


def test_secret_digits_are_neither_stored_nor_named():
    state, _ = given(start(flow(menu=replace(MENU, secret=True))))
    assert state.awaiting.secret
    state, events = report(state, "digits", "1")
    assert events[0] == FlowNodeEntered("c1", "main", "loans", "choice")
    assert "choice" not in state.data


@pytest.mark.parametrize(
    ("cause", "digits", "prompts"),
    [
        ("digits", "9", ("invalid", "welcome_menu")),
        ("timeout", "", ("no_input", "welcome_menu")),
        ("finished", "", ("no_input", "welcome_menu")),
    ],
)
def test_a_wrong_digit_and_silence_are_asked_again(cause, digits, prompts):
    state, _ = given(start(flow()))
    state, events = report(state, cause, digits)
    (asked,) = events
    assert (asked.verb_id, asked.prompts, asked.attempt) == ("menu.2", prompts, 2)
    assert asked.expires_at == NOW + 4_000 + 2 * PROMPT_PATIENCE_MS


def test_a_menu_without_a_reprimand_repeats_its_own_prompts():
    state, _ = given(start(flow(menu=replace(MENU, invalid_prompt=""))))
    _, (asked,) = report(state, "digits", "9")
    assert asked.prompts == ("welcome_menu",)


@pytest.mark.parametrize(("cause", "digits", "branch"), [("digits", "9", "invalid"), ("timeout", "", "timeout")])
def test_after_the_last_attempt_the_flow_goes_otherwise(cause, digits, branch):
    state, _ = given(start(flow()))
    state, _ = report(state, "timeout")
    state, events = report(state, cause, digits)
    assert events[0] == FlowNodeEntered("c1", "main", "bye", branch)
    assert events[1].prompts == ("goodbye",)
    assert (events[1].max_digits, events[1].barge_in) == (0, False)
    _, events = report(state, "finished")
    assert events == [FlowEnded("t1", "c1", "hang_up", {}, "en", NOW)]


def test_a_menu_without_otherwise_fails_after_the_last_attempt():
    state, _ = given(start(flow(menu=replace(MENU, attempts=1, otherwise=""))))
    _, events = report(state, "timeout")
    assert events == [replace(ended(state), reason="the flow has no way on after the node menu")]


@pytest.mark.parametrize("cause", ["finished", "timeout", "digits"])
def test_a_play_goes_on_when_it_has_ended(cause):
    state, _ = given(start(flow("play"), caller_prefix="+86138"))
    _, events = report(state, cause)
    assert events[:2] == [
        FlowNodeEntered("c1", "main", "decide", "next"),
        FlowNodeEntered("c1", "main", "loans", "1", {"region": "bj"}),
    ]
    assert events[2].data == {"caller_prefix": "+86138", "region": "bj", "product": "loan"}


def test_a_play_without_prompts_goes_on_at_once():
    _, events = given(start(flow("quiet", quiet=PlayAction((), "end"))))
    assert [event.node for event in events if isinstance(event, FlowNodeEntered)] == ["quiet", "end"]


def test_a_decision_without_a_true_branch_goes_otherwise():
    _, events = given(start(flow("decide"), caller_prefix="+4930"))
    assert events[2] == FlowNodeEntered("c1", "main", "bye", "otherwise")


def test_a_hang_up_without_prompts_ends_at_once():
    _, events = given(start(flow("end")))
    assert events[-1] == FlowEnded("t1", "c1", "hang_up", {}, "en", NOW)


@pytest.mark.parametrize(
    ("at", "reason"),
    [("nowhere", "the flow has no node 'nowhere' at its start"), ("", "the flow has no way on at its start")],
)
def test_a_flow_that_leads_nowhere_fails(at, reason):
    state, events = given(start(flow(at)))
    assert isinstance(events[0], FlowStarted)
    assert events[1:] == [replace(ended(state), reason=reason)]


def test_a_loop_without_a_word_fails():
    state, events = given(start(flow("a", a=PlayAction((), "b"), b=PlayAction((), "a"))))
    assert len(events) == MAX_SILENT_NODES + 2
    assert (state.result, state.reason) == (
        "failed",
        f"the flow went through {MAX_SILENT_NODES} nodes without a word to the caller",
    )


def test_the_customer_hangs_up():
    state, _ = given(start(flow()))
    _, events = report(state, "hang_up")
    assert events == [FlowEnded("t1", "c1", "abandoned", {}, "en", NOW)]


@pytest.mark.parametrize("cause", ["failed", "", "no such cause"])
def test_a_verb_that_fails_ends_the_flow(cause):
    state, _ = given(start(flow()))
    _, events = report(state, cause)
    assert events == [replace(ended(state), reason="the media verb menu.1 failed")]


def test_a_report_of_another_verb_changes_nothing():
    state, _ = given(start(flow()))
    assert decide(state, MediaVerbReported("c1", "menu.9", "digits", "1"), NOW) == []
    assert decide(Session("t1", "c1"), MediaVerbReported("c1", "menu.1", "digits", "1"), NOW) == []


def test_a_repeated_report_counts_once():
    state, _ = given(start(flow()))
    again = MediaVerbReported("c1", state.awaiting.verb_id, "digits", "9")
    state, _ = report(state, "digits", "9")
    assert decide(state, again, NOW) == []


def test_a_started_flow_is_not_started_again():
    state, _ = given(start(flow()))
    assert decide(state, start(flow("end")), NOW) == []


def test_an_ended_flow_may_be_followed_by_another_with_new_verbs():
    state, _ = given(start(flow()), StopFlow("c1", "transfer"))
    events = decide(state, start(flow()), NOW)
    assert events[-1].verb_id == "menu.2"


def test_a_flow_without_definition_is_refused():
    with pytest.raises(Rejected, match="the flow main came without its definition"):
        decide(Session("t1", "c1"), start(None), NOW)


def test_a_stopped_flow_is_abandoned_once():
    state, _ = given(start(flow()))
    events = decide(state, StopFlow("c1", "bye"), NOW)
    assert events == [FlowEnded("t1", "c1", "abandoned", {}, "en", NOW, reason="bye")]
    assert decide(evolve(state, events[0]), StopFlow("c1", "bye"), NOW) == []
    assert decide(Session("t1", "c1"), StopFlow("c1", "bye"), NOW) == []


def test_a_verb_that_never_ends_fails_in_time():
    state, _ = given(start(flow()))
    due = next_due(state)
    assert decide(state, Tick(), due - 1) == []
    (event,) = decide(state, Tick(), due)
    assert (event.result, event.reason, event.ended_at) == ("failed", "the media verb menu.1 did not end", due)


def test_an_ended_flow_is_kept_for_a_minute():
    state, _ = given(start(flow("end")))
    assert is_live(state)
    assert next_due(state) == NOW + KEEP_ENDED_MS
    assert decide(state, Tick(), NOW + KEEP_ENDED_MS) == [FlowForgotten("c1")]
    forgotten = evolve(state, FlowForgotten("c1"))
    assert forgotten == Session("t1", "c1")
    assert not is_live(forgotten)
    assert decide(forgotten, Tick(), NOW) == []


def test_a_running_session_keeps_its_definition():
    state, _ = given(start(flow()))
    assert state.definition.version == 7
    state, _ = report(state, "digits", "2")
    assert state.definition.version == 7
