"""Given revisions, when a command, then a revision: the whole behaviour of a tenant's configuration."""

import pytest
from junctor_directory.domain.configuration import (
    ApplyConfiguration,
    Change,
    Configuration,
    ConfigurationApplied,
    Name,
    Rejected,
    RevertConfiguration,
    Stored,
    decide,
    evolve,
)

LOANS, CARDS = Name("queue", "loans"), Name("queue", "cards")


def revision(number, *changes):
    return ConfigurationApplied(number, changes, "ann", "", 1_000)


FIRST = revision(1, Change(LOANS, None, b"loans 1"), Change(CARDS, None, b"cards 1"))


def after(*events):
    state = Configuration()
    for event in events:
        state = evolve(state, event)
    return state


def apply(*values, **more):
    return ApplyConfiguration(values, **more)


def test_new_values_are_the_first_revision():
    assert decide(after(), apply((LOANS, b"x"), principal="ann", comment="begin"), now=5) == [
        ConfigurationApplied(1, (Change(LOANS, None, b"x"),), "ann", "begin", 5)
    ]


def test_a_value_that_is_as_it_was_is_no_change():
    assert decide(after(FIRST), apply((LOANS, b"loans 1")), now=5) == []


def test_only_what_differs_is_changed_in_the_order_of_kind_and_id():
    (event,) = decide(after(FIRST), apply((LOANS, b"loans 2"), (Name("agent", "alice"), b"a"), (CARDS, b"cards 1")), 5)
    assert event.changes == (Change(Name("agent", "alice"), None, b"a"), Change(LOANS, b"loans 1", b"loans 2"))


def test_prune_deletes_what_is_not_named():
    (event,) = decide(after(FIRST), apply((LOANS, b"loans 1"), prune=True), now=5)
    assert event.changes == (Change(CARDS, b"cards 1", None),)
    assert after(FIRST, event).values == {LOANS: Stored(1, b"loans 1")}


def test_a_value_keeps_the_version_in_which_it_last_changed():
    state = after(FIRST, revision(2, Change(CARDS, b"cards 1", b"cards 2")))
    assert (state.values[LOANS].version, state.values[CARDS].version, state.revision) == (1, 2, 2)


def test_deleting_what_is_not_there_is_refused():
    with pytest.raises(Rejected, match="no queue 'sales' to delete"):
        decide(after(FIRST), ApplyConfiguration((), delete=(Name("queue", "sales"),)), now=5)


def test_a_change_that_is_based_on_an_older_revision_is_refused_for_good():
    state = after(FIRST, revision(2, Change(CARDS, b"cards 1", b"cards 2")))
    with pytest.raises(Rejected, match="based on revision 1, but the configuration is at revision 2") as refusal:
        decide(state, apply((LOANS, b"x"), base_revision=1), now=5)
    assert not refusal.value.retryable


def test_a_change_that_was_checked_against_an_older_revision_is_checked_again():
    with pytest.raises(Rejected, match="moved on from revision 0 to 1") as refusal:
        decide(after(FIRST), apply((LOANS, b"x"), checked_revision=0), now=5)
    assert (refusal.value.code, refusal.value.retryable) == ("aborted", True)


def test_a_revert_puts_values_back_and_is_a_revision_itself():
    changed = revision(2, Change(CARDS, b"cards 1", None), Change(LOANS, b"loans 1", b"loans 2"))
    (event,) = decide(after(FIRST, changed), RevertConfiguration(2, principal="bob"), now=9)
    assert event == ConfigurationApplied(
        3,
        (Change(CARDS, None, b"cards 1"), Change(LOANS, b"loans 2", b"loans 1")),
        "bob",
        "Revert of revision 2",
        9,
    )


def test_the_revert_of_a_revision_whose_values_changed_again_is_refused_and_names_the_later_one():
    state = after(FIRST, revision(2, Change(LOANS, b"loans 1", b"2")), revision(3, Change(LOANS, b"2", b"3")))
    with pytest.raises(Rejected, match="queue 'loans' was changed again in revision 3"):
        decide(state, RevertConfiguration(2), now=9)


def test_the_revert_of_an_unknown_revision_is_refused():
    with pytest.raises(Rejected, match="no revision 7 to undo") as refusal:
        decide(after(FIRST), RevertConfiguration(7), now=9)
    assert refusal.value.code == "not_found"
