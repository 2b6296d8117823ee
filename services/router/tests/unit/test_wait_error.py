"""How far estimated waits were from what then happened."""

from junctor_router.domain.commands import CancelTask, EndContact
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.wait_estimate import Errors


def paced(centre):
    """ann accepts a contact every 10 s."""
    centre.queue("desk")
    centre.agent("ann")
    for number in range(3):
        centre.arrive(f"p{number}", queue="desk")
        centre.accept(f"p{number}")
        centre.wait(10_000)
        if number < 2:
            centre.do(EndContact(f"p{number}"))
    return centre.pool.state.queues["desk"]


def test_the_first_offer_shows_how_wrong_the_estimate_was(centre):
    queue = paced(centre)
    assert centre.arrive("c1", queue="desk").response.estimated_wait_ms == 10_000
    centre.arrive("c2", queue="desk")
    centre.wait(4_000)
    centre.pool = centre.restored()
    centre.do(EndContact("p2"))
    errors = centre.pool.state.queues["desk"].errors
    assert queue.errors == Errors()
    assert (errors.count, errors.mean_ms, errors.mean_absolute_ms) == (1, 6_000, 6_000)
    centre.wait(20_000)
    assert errors.count == 1, "only the first offer counts"
    assert (
        "Such estimates were wrong by 6 s on average." in explain_contact(centre.pool.state, centre.task("c2")).summary
    )


def test_errors_of_both_signs(centre):
    errors = Errors()
    errors.add(10_000, 4_000)
    errors.add(10_000, 26_000)
    assert (errors.mean_ms, errors.mean_absolute_ms) == (-5_000, 11_000)


def test_who_is_offered_at_once_or_gives_up_is_not_measured(centre):
    queue = paced(centre)
    centre.agent("bob")
    centre.arrive("c1", queue="desk")
    centre.arrive("c2", queue="desk")
    centre.do(CancelTask("c2"))
    assert queue.errors.count == 0
