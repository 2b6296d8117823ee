"""An agent's figures: the definition. docs/metrics.md explains them; the view `agent_report` is the same in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from junctor_analytics.domain.records import AgentState, CompletedTask, Segment, Span

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """The columns of `agent_report`. Durations are milliseconds; `occupancy` is 0 to 1, None without working time."""

    agent_id: str
    handled: int
    talk_ms: int
    wrap_up_ms: int
    busy_ms: int
    ready_ms: int
    occupancy: float | None


def covered(intervals: Iterable[Interval]) -> int:
    """Total length of the union: what overlaps counts once."""
    total = 0
    upto: int | None = None
    for begin, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        start = begin if upto is None else max(begin, upto)
        if end > start:
            total += end - start
        upto = end if upto is None else max(upto, end)
    return total


def clipped(begin: int, end: int | None, span: Span) -> Interval:
    """The part inside the span; what lasts still reaches to its end. Empty (begin = end) where there is none."""
    low = min(max(begin, span.begin), span.end)
    return low, max(low, min(span.end if end is None else end, span.end))


def occupancy(busy: Iterable[Interval], ready: Iterable[Interval]) -> float | None:
    """Share of the working time, ready or busy, that was spent on contacts. Contacts served at once count once."""
    served = list(busy)
    working = covered([*served, *ready])
    return covered(served) / working if working else None


def agent_figures(
    segments: Iterable[Segment], tasks: Iterable[CompletedTask], states: Iterable[AgentState], span: Span
) -> list[AgentFigures]:
    """Figures of each agent with a contact or a ready state in the span, by agent. Time outside the span is cut off."""
    talk: dict[str, list[Interval]] = {}
    wrap_up: dict[str, list[Interval]] = {}
    ready: dict[str, list[Interval]] = {}
    handled: dict[str, int] = {}
    for segment in segments:
        if segment.kind == "agent":
            _keep(talk, segment.agent_id, clipped(segment.started_at, segment.ended_at, span))
            if segment.ended_at in span:
                handled[segment.agent_id] = handled.get(segment.agent_id, 0) + 1
    for task in tasks:
        if task.ended_at is not None:
            _keep(wrap_up, task.agent_id, clipped(task.ended_at, task.completed_at, span))
    for state in states:
        if state.state == "ready":
            _keep(ready, state.agent_id, clipped(state.started_at, state.ended_at, span))
    found = []
    for agent in sorted({*talk, *wrap_up, *ready, *handled}):
        busy = [*talk.get(agent, []), *wrap_up.get(agent, [])]
        found.append(
            AgentFigures(
                agent_id=agent,
                handled=handled.get(agent, 0),
                talk_ms=sum(end - begin for begin, end in talk.get(agent, [])),
                wrap_up_ms=sum(end - begin for begin, end in wrap_up.get(agent, [])),
                busy_ms=covered(busy),
                ready_ms=covered(ready.get(agent, [])),
                occupancy=occupancy(busy, ready.get(agent, [])),
            )
        )
    return found


def _keep(kept: dict[str, list[Interval]], agent: str, interval: Interval) -> None:
    if agent and interval[0] < interval[1]:
        kept.setdefault(agent, []).append(interval)
