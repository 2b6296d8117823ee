"""The timers against a plain dictionary."""

from hypothesis import given
from hypothesis import strategies as st
from junctor_router.domain.timers import OFFER, SPAN_MS, STEP, Timers

START = 1_800_000_000_000
moments = st.integers(0, 20) | st.integers(0, 10 * SPAN_MS) | st.integers(0, 10**10)
sets = st.tuples(st.sampled_from([OFFER, STEP]), st.sampled_from("abcdef"), moments)


@given(st.lists(st.one_of(sets, sets, st.tuples(st.sampled_from([OFFER, STEP]), st.sampled_from("abcdef")), moments)))
def test_they_come_up_in_order_of_moment_kind_and_contact(steps):
    timers, plain, now = Timers(), {}, START
    for step in steps:
        match step:
            case (kind, contact, after):
                timers.set(kind, contact, now + after)
                plain[kind, contact] = now + after
            case (kind, contact):
                timers.clear(kind, contact)
                plain.pop((kind, contact), None)
            case passed:
                now += passed
                due = sorted((at, kind, contact) for (kind, contact), at in plain.items() if at <= now)
                assert [timers.pop_due(now) for _ in due] == [(kind, contact) for _, kind, contact in due]
                assert timers.pop_due(now) is None
                plain = {name: at for name, at in plain.items() if at > now}
        assert timers.next() == min(plain.values(), default=None)


def test_what_is_cleared_long_before_its_moment_leaves_nothing():
    timers = Timers()
    timers.set(OFFER, "soon", START)
    assert timers.next() == START
    for n in range(10_000):
        timers.set(STEP, f"c{n}", START + 1_800_000 + n % 1_000)
        timers.clear(STEP, f"c{n}")
    assert sum(map(len, timers._spans.values())) + len(timers._heap) == 1
