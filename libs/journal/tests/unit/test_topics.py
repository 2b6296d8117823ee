"""Partitions of streams, declarations of topics, ids."""

from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from junctor_journal import topics
from junctor_journal.input_window import KEPT_MS, InputWindow, Seen
from junctor_journal.record import event_id


@given(st.binary(max_size=40))
def test_the_partition_is_that_of_kafkas_default_partitioner(key):
    if key:
        assert topics.partition_of_key(key, 12) == DefaultPartitioner()(key, list(range(12)), list(range(12)))


@pytest.mark.parametrize(
    "text, expected", [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_murmur2_is_javas(text, expected):
    # Vectors of Kafka's own UtilsTest.testMurmur2.
    assert topics.murmur2(text) == expected & 0xFFFFFFFF


def test_the_products_topics_are_declared():
    found = {d.name: d for d in topics.declared(Path(__file__).parents[4] / "topics.yaml")}
    assert found["junctor.router.journal.v1"].partitions == found["junctor.router.inputs.v1"].partitions == 12
    assert found["junctor.directory.state.v1"].config["cleanup.policy"] == "compact"


@pytest.mark.parametrize(
    "text, reason",
    [
        ("- a", "mapping"),
        ("topics: [{partitions: 3}]", "needs a name"),
        ("topics: [{name: x, partitions: 0}]", "positive"),
        ("topics: [{name: x, partitions: 3, colour: red}]", "unknown fields colour"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path, text, reason):
    path = tmp_path / "topics.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        topics.declared(path)


def test_ids_of_events_are_the_same_everywhere():
    assert event_id("input", 0) == "a27fdfae-9520-536d-b65c-d0988d6c933d"
    assert len({event_id("input", 0), event_id("input", 1), event_id("other", 0)}) == 3


def test_seen_inputs_leave_by_age_and_by_number():
    window = InputWindow(kept_inputs=3)
    for n in range(5):
        window.add(str(n), Seen(n, n, b""))
    assert [name for name, _ in window.items()] == ["2", "3", "4"]
    loaded = InputWindow(kept_inputs=3)
    loaded.load(window.items())
    for found in (window, window.copy(), loaded):
        found.add("3", Seen(3, 7, b"again"))
        assert [name for name, _ in found.items()] == ["2", "3", "4"]
        found.add("late", Seen(KEPT_MS + 4, 9, b""))
        assert [name for name, _ in found.items()] == ["4", "late"]


def test_what_is_mirrored_is_what_the_other_site_reads():
    found = {d.name for d in topics.mirrored(Path(__file__).parents[4] / "topics.yaml")}
    assert {f"junctor.router.{kind}.v1" for kind in ("inputs", "journal")} <= found
    assert "junctor.cti.events.v1" in found
    assert not found & {
        "junctor.cti.inputs.v1",
        "junctor.cti.journal.v1",
        "junctor.router.events.v1",
        "junctor.audit.v1",
    }
