"""Which of the contacts of several queues an agent gets who becomes free."""

from collections import Counter

from junctor_router.domain.commands import EndContact, RequeueTask
from junctor_router.domain.configuration import QueueValue
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.values import TaskState


def reasons(centre, contact_id):
    return explain_contact(centre.pool.state, centre.task(contact_id)).reasons


def test_the_contact_with_the_least_time_left_to_its_service_level_is_next(centre):
    centre.queue("slow", service_level_ms=60_000)
    centre.queue("fast", service_level_ms=10_000)
    centre.arrive("patient", queue="slow")
    centre.wait(5_000)
    centre.arrive("urgent", queue="fast")
    assert reasons(centre, "patient")[0] == "Of the service level of 60 s 55 s are left."
    centre.agent("ann")
    assert centre.task("urgent").agent_id == "ann"


def test_a_wait_that_eats_up_a_long_service_level_comes_before_a_fresh_short_one(centre):
    centre.queue("slow", service_level_ms=60_000)
    centre.queue("fast", service_level_ms=10_000)
    centre.arrive("patient", queue="slow")
    centre.wait(55_000)
    centre.arrive("urgent", queue="fast")
    centre.agent("ann")
    assert centre.task("patient").agent_id == "ann"


def test_priority_comes_before_the_service_level(centre):
    centre.queue("fast", service_level_ms=10_000)
    centre.queue("vip", service_level_ms=60_000, priority=1)
    centre.arrive("urgent", queue="fast")
    centre.arrive("important", queue="vip")
    centre.agent("ann")
    assert centre.task("important").agent_id == "ann"


def test_a_changed_service_level_counts_for_those_in_line(centre):
    centre.queue("slow", service_level_ms=60_000)
    centre.arrive("c1", queue="sales")
    centre.arrive("c2", queue="slow")
    centre.configure("slow", QueueValue(service_level_ms=1_000))
    centre.agent("ann")
    assert centre.task("c2").agent_id == "ann"


def test_queues_with_a_ratio_get_their_part_of_the_offers(centre):
    centre.queue("a", ratio=3)
    centre.queue("b", ratio=1)
    for number in range(40):
        centre.arrive(f"b{number:02}", queue="b")
    for number in range(40):
        centre.arrive(f"a{number:02}", queue="a")
    centre.agent("ann")
    assert reasons(centre, "b39")[0] == "The queue takes turns with a; its part is 1."
    served = Counter()
    for _ in range(40):
        contact_id = next(iter(centre.person("ann").tasks))
        served[contact_id[0]] += 1
        centre.accept(contact_id)
        centre.pool = centre.restored()
        centre.do(EndContact(contact_id))
    assert served == {"a": 30, "b": 10}


def test_a_queue_without_contacts_does_not_hold_up_the_others(centre):
    centre.queue("a", ratio=3)
    centre.queue("b", ratio=1)
    centre.arrive("b1", queue="b")
    centre.arrive("b2", queue="b")
    centre.agent("ann")
    centre.agent("bob")
    assert [centre.task(id).state for id in ("b1", "b2")] == [TaskState.RESERVED] * 2


def test_who_waited_too_long_comes_before_all_others(centre):
    centre.queue("low", priority=9, starvation_ms=60_000)
    centre.arrive("old", queue="low")
    assert [(event.contact_id, event.cause) for event in centre.wait(60_000)] == [("old", "starving")]
    centre.arrive("first", priority=1)
    assert "It has waited for longer than the queue allows and comes before all others." in reasons(centre, "old")
    centre.pool = centre.restored()
    centre.agent("ann")
    assert centre.task("old").agent_id == "ann"


def test_nobody_starves_however_many_come_with_a_better_priority(centre):
    centre.queue("low", priority=9, starvation_ms=60_000)
    centre.agent("ann")
    centre.arrive("now")
    centre.arrive("old", queue="low")
    for number in range(10):
        centre.arrive(f"c{number}", priority=1)
        current = next(iter(centre.person("ann").tasks))
        centre.accept(current)
        centre.wait(10_000)
        centre.do(EndContact(current))
        centre.wait(5_000)
        if centre.task("old").agent_id:
            break
    assert centre.task("old").agent_id == "ann"


def test_the_time_with_an_agent_is_no_waiting(centre):
    centre.queue("low", starvation_ms=60_000)
    centre.agent("ann")
    centre.arrive("c1", queue="low")
    centre.accept("c1")
    centre.wait(300_000)
    centre.do(RequeueTask("c1"))
    assert (centre.task("c1").priority, centre.task("c1").starves_at) == (5, centre.now + 60_000)


def test_a_changed_limit_holds_for_who_comes_later_in_every_process(centre):
    centre.queue("low", starvation_ms=60_000)
    centre.arrive("c1", queue="low")
    centre.configure("low", QueueValue(starvation_ms=5_000))
    assert centre.restored().next_due() == centre.pool.next_due() == centre.now + 60_000
