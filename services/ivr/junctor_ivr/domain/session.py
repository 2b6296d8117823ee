"""A flow session: one contact in one flow. The stream is the contact.

The session keeps the definition that it started with, so that a change of the flow touches later contacts only and the
journal replays alone. Times are Unix milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from junctor_ivr.domain.condition import holds
from junctor_ivr.domain.definition import (
    DecideAction,
    FlowDefinition,
    HangUpAction,
    MenuAction,
    PlayAction,
    RouteAction,
)

MAX_SILENT_NODES = 64
"""Nodes passed in one decision without a word to the caller; more is a loop."""
PROMPT_PATIENCE_MS = 60_000
"""What a verb may take for each of its prompts beyond the time it waits for digits."""
KEEP_ENDED_MS = 60_000
"""How long an ended session answers queries and repeats."""

FlowResult = Literal["", "route", "hang_up", "abandoned", "failed"]


@dataclass(frozen=True, slots=True)
class StartFlow:
    contact_id: str
    flow: str
    data: dict[str, str]
    definition: FlowDefinition | None


@dataclass(frozen=True, slots=True)
class StopFlow:
    contact_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class MediaVerbReported:
    """`cause`: `digits`, `timeout`, `finished`, `failed` or `hang_up`."""

    contact_id: str
    verb_id: str
    cause: str
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment of `next_due` has come."""


Command = StartFlow | StopFlow | MediaVerbReported | Tick


@dataclass(frozen=True, slots=True)
class FlowStarted:
    tenant: str
    contact_id: str
    flow: str
    version: int
    definition: FlowDefinition
    data: dict[str, str]
    language: str


@dataclass(frozen=True, slots=True)
class FlowNodeEntered:
    contact_id: str
    flow: str
    node: str
    branch: str
    set: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptRequested:
    """A media verb is asked for. Without a report by `expires_at` it has failed."""

    contact_id: str
    verb_id: str
    prompts: tuple[str, ...]
    language: str
    max_digits: int
    timeout_ms: int
    barge_in: bool
    secret: bool
    expires_at: int
    attempt: int


@dataclass(frozen=True, slots=True)
class FlowEnded:
    tenant: str
    contact_id: str
    result: FlowResult
    data: dict[str, str]
    language: str
    ended_at: int
    queue: str = ""
    requirements: tuple[str, ...] = ()
    priority: int = 0
    wait_prompt: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FlowForgotten:
    contact_id: str


Event = FlowStarted | FlowNodeEntered | PromptRequested | FlowEnded | FlowForgotten


@dataclass(frozen=True, slots=True)
class Session:
    """`verbs` counts the media verbs asked for; `awaiting` is the one that has not ended."""

    tenant: str
    contact_id: str
    definition: FlowDefinition | None = None
    node: str = ""
    data: dict[str, str] = field(default_factory=dict)
    language: str = ""
    verbs: int = 0
    awaiting: PromptRequested | None = None
    result: FlowResult = ""
    reason: str = ""
    ended_at: int = 0


class Rejected(Exception):
    """The command cannot apply. Retrying it changes nothing."""

    code = "invalid_argument"
    retryable = False


def decide(state: Session, command: Command, now: int) -> list[Event]:
    """Events that `command` causes at `now`. Raises `Rejected`, with nothing changed, where it cannot apply."""
    match command:
        case StartFlow():
            return _start(state, command, now)
        case StopFlow(_, cause):
            return [_ended(state, "abandoned", now, reason=cause)] if _runs(state) else []
        case MediaVerbReported(_, verb_id, cause, digits):
            if state.awaiting is None or state.awaiting.verb_id != verb_id:
                return []
            return _verb_ended(state, cause, digits, now)
        case Tick():
            return _tick(state, now)
        case _:
            assert_never(command)


def evolve(state: Session, event: Event) -> Session:
    """The state after `event`."""
    match event:
        case FlowStarted():
            return replace(
                Session(state.tenant, state.contact_id, verbs=state.verbs),
                definition=event.definition,
                data=event.data,
                language=event.language,
            )
        case FlowNodeEntered():
            return replace(state, node=event.node, data={**state.data, **event.set}, awaiting=None)
        case PromptRequested():
            return replace(state, awaiting=event, verbs=state.verbs + 1)
        case FlowEnded():
            return replace(
                state,
                node="",
                awaiting=None,
                data=event.data,
                result=event.result,
                reason=event.reason,
                ended_at=event.ended_at,
            )
        case FlowForgotten():
            return Session(state.tenant, state.contact_id)
        case _:
            assert_never(event)


def next_due(state: Session) -> int | None:
    """When a `Tick` is wanted: the awaited verb's latest end, or the end of an ended session's keeping."""
    if state.awaiting is not None:
        return state.awaiting.expires_at
    return state.ended_at + KEEP_ENDED_MS if state.result else None


def is_live(state: Session) -> bool:
    """Whether the state is kept."""
    return state.definition is not None


def _runs(state: Session) -> bool:
    return state.definition is not None and not state.result


def _start(state: Session, command: StartFlow, now: int) -> list[Event]:
    if _runs(state):
        return []
    definition = command.definition
    if definition is None:
        raise Rejected(f"the flow {command.flow} came without its definition")
    language = command.data.get("language") or definition.language
    started = FlowStarted(
        state.tenant,
        state.contact_id,
        definition.flow,
        definition.version,
        definition,
        command.data,
        language,
    )
    return [started, *_enter(evolve(state, started), definition.start, "start", now)]


def _tick(state: Session, now: int) -> list[Event]:
    due = next_due(state)
    if due is None or now < due:
        return []
    if state.awaiting is not None:
        return [_ended(state, "failed", now, reason=f"the media verb {state.awaiting.verb_id} did not end")]
    return [FlowForgotten(state.contact_id)]


def _verb_ended(state: Session, cause: str, digits: str, now: int) -> list[Event]:
    assert state.definition is not None
    assert state.awaiting is not None
    if cause == "hang_up":
        return [_ended(state, "abandoned", now)]
    if cause not in {"digits", "timeout", "finished"}:
        return [_ended(state, "failed", now, reason=f"the media verb {state.awaiting.verb_id} failed")]
    match state.definition.nodes[state.node].action:
        case MenuAction() as menu:
            return _menu_answered(state, menu, digits, now)
        case PlayAction(_, following):
            return _enter(state, following, "next", now)
        case _:
            return [_ended(state, "hang_up", now)]


def _menu_answered(state: Session, menu: MenuAction, digits: str, now: int) -> list[Event]:
    assert state.awaiting is not None
    chosen = menu.choices.get(digits)
    if chosen is not None:
        kept = {menu.store: digits} if menu.store and not menu.secret else {}
        return _enter(state, chosen, "choice" if menu.secret else digits, now, kept)
    branch, before = ("invalid", menu.invalid_prompt) if digits else ("timeout", menu.no_input_prompt)
    attempt = state.awaiting.attempt + 1
    if attempt <= menu.attempts:
        return [_asked(state, state.node, menu, now, attempt, before)]
    return _enter(state, menu.otherwise, branch, now)


def _enter(state: Session, node: str, branch: str, now: int, kept: dict[str, str] | None = None) -> list[Event]:
    """Goes from node to node until the caller hears something or the flow ends."""
    assert state.definition is not None
    events: list[Event] = []
    given = kept or {}
    for _ in range(MAX_SILENT_NODES):
        found = state.definition.nodes.get(node)
        if found is None:
            at = f"after the node {state.node}" if state.node else "at its start"
            reason = f"the flow has no node {node!r} {at}" if node else f"the flow has no way on {at}"
            return [*events, _ended(state, "failed", now, reason=reason)]
        entered = FlowNodeEntered(state.contact_id, state.definition.flow, node, branch, given)
        events.append(entered)
        state = evolve(state, entered)
        match found.action:
            case MenuAction() as menu:
                return [*events, _asked(state, node, menu, now, attempt=1)]
            case PlayAction(prompts, following):
                if prompts:
                    return [*events, _played(state, node, prompts, now)]
                node, branch, given = following, "next", {}
            case DecideAction() as decision:
                node, branch, given = _branch(decision, state.data)
            case RouteAction() as route:
                return [*events, _routed(state, route, now)]
            case HangUpAction(prompts):
                return [*events, _played(state, node, prompts, now) if prompts else _ended(state, "hang_up", now)]
            case _:
                assert_never(found.action)
    reason = f"the flow went through {MAX_SILENT_NODES} nodes without a word to the caller"
    return [*events, _ended(state, "failed", now, reason=reason)]


def _branch(decision: DecideAction, data: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    for number, branch in enumerate(decision.branches, start=1):
        if holds(branch.when, data):
            return branch.next, str(number), branch.set
    return decision.otherwise, "otherwise", {}


def _asked(state: Session, node: str, menu: MenuAction, now: int, attempt: int, before: str = "") -> PromptRequested:
    prompts = (before, *menu.prompts) if before else menu.prompts
    return PromptRequested(
        contact_id=state.contact_id,
        verb_id=f"{node}.{state.verbs + 1}",
        prompts=prompts,
        language=state.language,
        max_digits=menu.max_digits,
        timeout_ms=menu.timeout_ms,
        barge_in=True,
        secret=menu.secret,
        expires_at=now + menu.timeout_ms + PROMPT_PATIENCE_MS * max(1, len(prompts)),
        attempt=attempt,
    )


def _played(state: Session, node: str, prompts: tuple[str, ...], now: int) -> PromptRequested:
    return PromptRequested(
        contact_id=state.contact_id,
        verb_id=f"{node}.{state.verbs + 1}",
        prompts=prompts,
        language=state.language,
        max_digits=0,
        timeout_ms=0,
        barge_in=False,
        secret=False,
        expires_at=now + PROMPT_PATIENCE_MS * len(prompts),
        attempt=1,
    )


def _routed(state: Session, route: RouteAction, now: int) -> FlowEnded:
    return FlowEnded(
        tenant=state.tenant,
        contact_id=state.contact_id,
        result="route",
        data={**state.data, **route.set},
        language=state.language,
        ended_at=now,
        queue=route.queue,
        requirements=route.requirements,
        priority=route.priority,
        wait_prompt=route.wait_prompt,
    )


def _ended(state: Session, result: FlowResult, now: int, reason: str = "") -> FlowEnded:
    return FlowEnded(
        tenant=state.tenant,
        contact_id=state.contact_id,
        result=result,
        data=state.data,
        language=state.language,
        ended_at=now,
        reason=reason,
    )
