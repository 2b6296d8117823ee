"""A queue's figures: the definition. docs/metrics.md explains them; the view `queue_report` is the same in SQL.

Shares are 0 to 1, durations milliseconds; None where there was nothing to measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from junctor_analytics.domain.records import CompletedTask, Segment, Span

DEFAULT_THRESHOLD_MS = 20_000
"""The service level's threshold of a queue that names none: the usual 80/20."""

SHORT_ABANDON_MS = 5_000
"""Who leaves the line within this time did not mean to wait: not held against the queue."""


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """The columns of `queue_report`."""

    queue: str
    offered: int
    answered: int
    abandoned: int
    overflowed: int
    service_level: float | None
    asa_ms: float | None
    aht_ms: float | None
    short_abandoned: int
    abandonment: float | None
    handled: int


def duration(started_at: int, ended_at: int) -> int:
    """Never negative: the two moments may come from clocks of different machines."""
    return max(0, ended_at - started_at)


def waiting_time(segment: Segment) -> int:
    """Of a queue segment that has ended."""
    assert segment.ended_at is not None
    return duration(segment.started_at, segment.ended_at)


def is_short_abandon(segment: Segment) -> bool:
    return segment.result == "abandoned" and waiting_time(segment) < SHORT_ABANDON_MS


def counts_for_service(segment: Segment) -> bool:
    """The denominator of service level and abandonment: contacts whose wait ended here, short abandons left out.

    Who waits still is not judged yet; who went to another queue is judged there.
    """
    return segment.result in {"completed", "abandoned", "overflowed", "failed"} and not is_short_abandon(segment)


def service_level(waits: Iterable[Segment], threshold_ms: int) -> float | None:
    """Share of the contacts that count which were joined to an agent within the threshold (itself included)."""
    counted = [segment for segment in waits if counts_for_service(segment)]
    in_time = sum(1 for s in counted if s.result == "completed" and waiting_time(s) <= threshold_ms)
    return in_time / len(counted) if counted else None


def abandonment(waits: Iterable[Segment]) -> float | None:
    """Share of the contacts that count whose customer left the line."""
    counted = [segment for segment in waits if counts_for_service(segment)]
    return sum(1 for s in counted if s.result == "abandoned") / len(counted) if counted else None


def average_speed_of_answer(waits: Iterable[Segment]) -> float | None:
    """Mean wait of the contacts that were joined to an agent."""
    answered = [waiting_time(segment) for segment in waits if segment.result == "completed"]
    return sum(answered) / len(answered) if answered else None


def average_handle_time(talks: Sequence[Segment], tasks: Iterable[CompletedTask]) -> float | None:
    """Talk and wrap-up, per time that an agent served a contact. A contact served by two agents counts twice."""
    talk = sum(duration(s.started_at, s.ended_at) for s in talks if s.ended_at is not None)
    wrap_up = sum(duration(t.ended_at, t.completed_at) for t in tasks if t.ended_at is not None)
    return (talk + wrap_up) / len(talks) if talks else None


def queue_figures(
    segments: Iterable[Segment], tasks: Iterable[CompletedTask], thresholds: Mapping[str, int], span: Span
) -> list[QueueFigures]:
    """Figures of each queue with work in the span, by queue.

    A wait belongs to the moment at which it began, talk and wrap-up to the moment at which the talk ended.
    """
    waits: dict[str, list[Segment]] = {}
    talks: dict[str, list[Segment]] = {}
    wrap_ups: dict[str, list[CompletedTask]] = {}
    for segment in segments:
        if segment.kind == "queue" and segment.started_at in span:
            waits.setdefault(segment.queue, []).append(segment)
        elif segment.kind == "agent" and segment.ended_at in span:
            talks.setdefault(segment.queue, []).append(segment)
    for task in tasks:
        if task.ended_at in span:
            wrap_ups.setdefault(task.queue, []).append(task)
    return [
        _figures(queue, waits.get(queue, []), talks.get(queue, []), wrap_ups.get(queue, []), thresholds)
        for queue in sorted({*waits, *talks, *wrap_ups})
        if queue
    ]


def _figures(
    queue: str,
    waits: Sequence[Segment],
    talks: Sequence[Segment],
    tasks: Sequence[CompletedTask],
    thresholds: Mapping[str, int],
) -> QueueFigures:
    return QueueFigures(
        queue=queue,
        offered=len(waits),
        answered=sum(1 for s in waits if s.result == "completed"),
        abandoned=sum(1 for s in waits if s.result == "abandoned"),
        overflowed=sum(1 for s in waits if s.result == "overflowed"),
        service_level=service_level(waits, thresholds.get(queue, 0) or DEFAULT_THRESHOLD_MS),
        asa_ms=average_speed_of_answer(waits),
        aht_ms=average_handle_time(talks, tasks),
        short_abandoned=sum(1 for s in waits if is_short_abandon(s)),
        abandonment=abandonment(waits),
        handled=len(talks),
    )
