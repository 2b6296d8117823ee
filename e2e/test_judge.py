"""The judge finds what is wrong when something is."""

from e2e.judge.intervals import Interval, out_of_order, overlaps


def test_a_contact_with_two_agents_and_an_agent_with_two_contacts_are_found():
    found = overlaps([Interval("c1", "x", 0, 5), Interval("c1", "y", 4, 9), Interval("c2", "y", 3, 4.5)])
    assert (found.with_two_agents, found.slots_with_two, found.count) == (["c1"], ["y"], 2)


def test_one_after_the_other_is_no_overlap_and_an_open_talk_lasts():
    assert overlaps([Interval("c1", "x", 0, 5), Interval("c1", "y", 5)]).count == 0
    assert overlaps([Interval("c1", "x", 0), Interval("c2", "x", 7, 8)]).slots_with_two == ["x"]
    assert overlaps([Interval("c1", "x", 0), Interval("c2", "x", 7, 8)], slots=2).count == 0


def test_who_is_served_before_one_who_came_earlier_is_found():
    talks = [Interval("first", "x", 2, 3), Interval("second", "y", 1, 4), Interval("third", "y", 4, 5)]
    assert out_of_order(["first", "second", "third"], talks) == [("first", "second")]
    assert out_of_order(["second", "first", "never", "third"], talks) == []
