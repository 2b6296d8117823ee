"""What is in the way of a planned shift is told in sentences; nothing in the way is an empty list."""

import math

import pytest
from junctor.site.v1 import site_pb2
from junctor_service.heartbeats import Heard, Standing
from junctor_service.shift_conditions import Lags, Lead, in_the_way

STANDING = Standing("1.0", "12 partitions abc", (5, 7))


def heard(**changed):
    said = {"site": "b", "service": "router", "process": "p1", "version": "1.0", "configuration": "12 partitions abc"}
    return Heard(site_pb2.Heartbeat(**{**said, **changed}), 0.0)


def refused(*, leads=(Lead(0, "a", 0.1), Lead(1, "a", 0.0)), told=None, away=None, to_site="b"):
    told = [heard()] if told is None else told
    return in_the_way("a", to_site, leads, told, STANDING, {} if away is None else away)


def test_nothing_is_in_the_way():
    assert refused() == []


def test_partitions_that_are_there_already_are_left_out():
    assert refused(leads=[Lead(0, "b", None), Lead(1, "a", 0.0)]) == []


@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"leads": [Lead(0, "b", 0.0), Lead(1, "b", 0.0)]}, "Site b leads partitions 0, 1 already."),
        ({"leads": [Lead(3, "b", 0.0)]}, "Site b leads partition 3 already."),
        ({"leads": [Lead(0, "b", 0.0)], "to_site": "a"}, "Site a does not lead partition 0: b does. Ask there."),
        ({"leads": [Lead(0, "", 0.0)]}, "Site a does not lead partition 0: nobody does. Ask there."),
        (
            {"away": {"witness": "It did not answer in time."}},
            "Voter witness does not answer: It did not answer in time.",
        ),
        ({"told": []}, "No process of site b was heard a moment ago"),
        ({"told": [heard(version="1.1")]}, "The version at site b is 1.1, here it is 1.0; they must be equal."),
        ({"told": [heard(), heard(version="0.9")]}, "The version at site b is 0.9, 1.0, here"),
        ({"told": [heard(configuration="12 partitions x")]}, "The configuration at site b is 12 partitions x, here"),
        ({"leads": [Lead(0, "a", 1.0), Lead(1, "a", 0.0)]}, "Site b is 1.0 s behind on partition 0; less than 1 s"),
        ({"leads": [Lead(0, "a", None)]}, "Site b is not known to be up to date on partition 0"),
        ({"leads": [Lead(0, "a", math.inf)]}, "Site b is not known to be up to date on partition 0"),
    ],
)
def test_what_is_in_the_way_is_told(more, sentence):
    assert any(sentence in said for said in refused(**more)), refused(**more)


def test_a_site_without_a_seat_shifts_nothing():
    assert in_the_way("a", "b", [Lead(0, "a", 0.0)], [heard()], STANDING, None) == [
        "Site a has no seat in the register yet."
    ]


def test_all_that_is_in_the_way_is_told_at_once():
    assert len(refused(told=[heard(version="2", configuration="?")], away={"w": "It is away."})) == 3


def test_lag_is_the_time_since_this_site_was_where_the_other_one_is():
    lags = Lags()
    lags.see("p", [10], [10], now=100.0)
    assert lags.of(0, ["p"]) == 0.0
    lags.see("p", [10], [11], now=100.5)
    assert lags.of(0, ["p"]) == 0.5
    lags.see("p", [10], [30], now=103.0)
    assert lags.of(0, ["p"]) == 3.0
    lags.see("p", [29], [30], now=103.5)
    assert lags.of(0, ["p"]) == 3.0  # it was at 11 when that was last looked at
    lags.see("p", [30], [30], now=104.0)
    assert lags.of(0, ["p"]) == 0.0


def test_the_process_that_is_behind_the_most_counts_and_the_gone_do_not():
    lags = Lags()
    lags.see("p", [10], [10], now=1.0)
    lags.see("q", [10], [12], now=2.0)
    assert lags.of(0, ["p"]) == 0.0
    assert lags.of(0, ["p", "q"]) == 1.0
    assert lags.of(0, ["r"]) is None
    assert lags.of(1, ["p"]) is None


def test_where_nothing_is_known_of_the_time_the_lag_is_without_bound():
    lags = Lags()
    lags.see("p", [3], [9], now=1.0)
    assert lags.of(0, ["p"]) == math.inf
