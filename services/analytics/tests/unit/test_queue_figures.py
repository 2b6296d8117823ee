"""A queue's figures, by hand."""

from junctor_analytics.domain.queue_figures import queue_figures
from junctor_analytics.domain.records import CompletedTask, Segment, Span

DAY = Span(0, 86_400_000)


def wait(ms, result, queue="loans", started_at=1_000):
    ended = None if result == "" else started_at + ms
    return Segment("c", 2, "queue", queue, "", started_at, ended, result)


def figures(*segments, tasks=(), span=DAY, **thresholds):
    (found,) = queue_figures(segments, tasks, thresholds, span)
    return found


def test_service_level_counts_the_threshold_itself():
    assert figures(wait(20_000, "completed"), wait(20_001, "completed")).service_level == 0.5


def test_short_abandons_are_offered_but_held_against_nobody():
    found = figures(wait(4_999, "abandoned"), wait(5_000, "abandoned"), wait(10, "completed"))
    assert (found.offered, found.abandoned, found.short_abandoned) == (3, 2, 1)
    assert (found.service_level, found.abandonment) == (0.5, 0.5)


def test_overflow_and_failure_are_missed_and_transfer_and_waiting_are_not_judged():
    found = figures(wait(1, "overflowed"), wait(1, "failed"), wait(1, "transferred"), wait(1, ""), wait(1, "completed"))
    assert (found.offered, found.answered, found.overflowed) == (5, 1, 1)
    assert found.service_level == 1 / 3


def test_nothing_to_measure_is_none_and_no_division():
    found = figures(wait(1, ""))
    assert (found.service_level, found.asa_ms, found.aht_ms, found.abandonment) == (None, None, None, None)
    assert queue_figures([], [], {}, DAY) == []


def test_each_queue_has_its_threshold_and_none_or_zero_is_twenty_seconds():
    segment = wait(20_000, "completed")
    assert figures(segment, loans=10_000).service_level == 0.0
    assert figures(segment, loans=0).service_level == 1.0
    assert figures(segment, cards=1).service_level == 1.0


def test_speed_of_answer_is_of_the_answered():
    assert figures(wait(1_000, "completed"), wait(4_000, "completed"), wait(99_000, "abandoned")).asa_ms == 2_500


def test_handle_time_is_talk_and_wrap_up_per_agent():
    first = Segment("c", 3, "agent", "loans", "li", 0, 60_000, "transferred")
    second = Segment("c", 5, "agent", "loans", "chen", 70_000, 100_000, "completed")
    task = CompletedTask("c", "loans", "chen", 70_000, 100_000, 110_000)
    found = figures(first, second, tasks=[task])
    assert (found.handled, found.aht_ms) == (2, (60_000 + 30_000 + 10_000) / 2)


def test_a_wait_belongs_to_its_begin_and_a_talk_to_its_end():
    hour = Span(1_000, 2_000)
    talks = [
        Segment("c", 3, "agent", "loans", "li", begin, end, "completed") for begin, end in ((0, 1_000), (0, 2_000))
    ]
    waits = [wait(1, "completed", started_at=at) for at in (999, 1_000, 1_999, 2_000)]
    found = figures(*talks, *waits, span=hour)
    assert (found.offered, found.handled) == (2, 1)


def test_clocks_that_disagree_give_no_negative_time():
    assert figures(Segment("c", 2, "queue", "loans", "", 2_000, 1_000, "completed")).asa_ms == 0
