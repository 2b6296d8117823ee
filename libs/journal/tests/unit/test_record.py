"""Ids that follow from names."""

import uuid

from hypothesis import given
from hypothesis import strategies as st
from junctor_journal import record


@given(st.text(max_size=80), st.integers(0, 30))
def test_an_events_id_is_a_version_5_uuid(input_id, index):
    found = record.event_id(input_id, index)
    assert found == str(uuid.uuid5(record._NAMESPACE, f"{input_id}/{index}"))
    assert uuid.UUID(found).version == 5
