"""Ids repeat with the outside world, and only with it."""

import uuid

from junctor_service import ids


def test_a_repeated_invite_has_the_same_contact_and_another_one_has_not():
    first = ids.sip_contact_id("trunk", "call@host", "tag")
    assert first == ids.sip_contact_id("trunk", "call@host", "tag")
    assert uuid.UUID(first).version == 5
    others = {
        ids.sip_contact_id("trunk2", "call@host", "tag"),
        ids.sip_contact_id("trunk", "call@hos", "ttag"),
        ids.sip_contact_id("trunk", "call@host", "tag2"),
        ids.widget_contact_id("trunk", "call@host"),
        ids.mail_contact_id("trunk", "call@host"),
    }
    assert len(others | {first}) == 6


def test_contact_ids_never_change():
    """They are in journals and archives: another value here would make repeats new contacts."""
    assert ids.sip_contact_id("t", "c", "f") == str(
        uuid.uuid5(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, "junctor"), "contact"), "3:sip1:t1:c1:f")
    )


def test_steps_and_events_are_told_apart():
    contact = ids.mail_contact_id("acme", "<1@x>")
    assert ids.step_request_id(contact, "route") == ids.step_request_id(contact, "route", 0)
    assert len({ids.step_request_id(contact, step, n) for step in ("route", "flow") for n in (0, 1)}) == 4
    assert ids.event_id("i", 0) != ids.event_id("i", 1)


def test_uuid7_sorts_by_time():
    made = [ids.uuid7(ms) for ms in (1_000, 2_000, 2_000_000_000_000)]
    assert made == sorted(made)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}
    assert len({ids.uuid7(5) for _ in range(1000)}) == 1000
