"""An agent's figures, by hand, and the union of intervals against counting milliseconds."""

from hypothesis import given
from hypothesis import strategies as st
from junctor_analytics.domain.agent_figures import agent_figures, clipped, covered
from junctor_analytics.domain.records import AgentState, CompletedTask, Segment, Span

HOUR = Span(1_000, 2_000)
intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


@given(intervals)
def test_the_union_is_the_set_of_milliseconds(pairs):
    assert covered(pairs) == len({ms for begin, end in pairs for ms in range(begin, end)})


@given(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_clipping_keeps_what_is_inside(begin, end, low, high):
    span = Span(min(low, high), max(low, high))
    inside = {ms for ms in range(begin, 61 if end is None else end) if span.begin <= ms < span.end}
    found = clipped(begin, end, span)
    assert len(range(*found)) == len(inside)


def talk(begin, end, agent="li"):
    return Segment("c", 3, "agent", "loans", agent, begin, end, "completed" if end else "")


def test_occupancy_counts_contacts_served_at_once_once():
    (found,) = agent_figures(
        [talk(1_100, 1_300), talk(1_200, 1_400)],
        [CompletedTask("c", "loans", "li", 1_200, 1_400, 1_500)],
        [AgentState("li", "ready", 0, 1_600), AgentState("li", "not_ready", 1_600, None)],
        HOUR,
    )
    assert (found.talk_ms, found.wrap_up_ms, found.busy_ms, found.ready_ms) == (400, 100, 400, 600)
    assert found.occupancy == 400 / 600
    assert found.handled == 2


def test_what_lasts_reaches_to_the_end_and_what_is_outside_is_cut():
    (found,) = agent_figures([talk(900, None)], [], [AgentState("li", "ready", 500, 1_100)], HOUR)
    assert (found.busy_ms, found.ready_ms, found.handled, found.occupancy) == (1_000, 100, 0, 1.0)


def test_an_agent_without_work_has_no_row():
    assert agent_figures([talk(0, 900)], [], [AgentState("li", "not_ready", 0, None)], HOUR) == []
