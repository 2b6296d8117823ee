"""Folds of aggregates: refusals, timers, snapshots, hashes."""

from dataclasses import dataclass, replace

import pytest
import tally
from hypothesis import given, settings
from hypothesis import strategies as st
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.apply import Due, is_retryable, refusal
from junctor_journal.partition_state import PartitionState, Reign
from junctor_journal.record import EpochPair
from junctor_journal.state_codec import StateCodec
from tally_messages import tally_pb
from tally_service import AGGREGATE, MAPPING, add, ask, new_fold


def apply(fold, body, stream="s", now=0):
    return fold.apply(ask("x", body, stream), body, now)


def test_a_response_and_events_come_from_one_decision():
    applied = apply(new_fold(), tally_pb.AddRequest(amount=2))
    assert applied.response == tally_pb.AddResponse(total=2)
    assert list(applied.events) == [tally_pb.Added(amount=2, total=2)]


def test_a_refusal_changes_nothing():
    fold = new_fold()
    assert apply(fold, tally_pb.AddRequest(amount=-1)).refusal.code == 9
    assert fold.get("t", "s") is None


def test_a_finished_stream_is_dropped():
    fold = new_fold()
    apply(fold, tally_pb.RingRequest(at=5))
    apply(fold, tally_pb.FinishRequest())
    assert not fold.streams()
    assert fold.next_due() is None
    assert fold.hash() == new_fold().hash()


def test_timers_are_due_in_order_of_time_then_stream():
    fold = new_fold()
    for stream, at in (("c", 7), ("b", 5), ("a", 7), ("d", 9)):
        apply(fold, tally_pb.RingRequest(at=at), stream)
    apply(fold, tally_pb.RingRequest(at=6), "d")
    order = []
    while (due := fold.next_due()) is not None:
        order.append((due.at, due.stream))
        apply(fold, pb.Tick(), due.stream, due.at)
    assert order == [(5, "b"), (6, "d"), (7, "a"), (7, "c")]


def fold_with(**changes):
    return AggregateFold(replace(AGGREGATE, **changes), MAPPING)


def test_a_timer_that_does_not_move_is_postponed():
    fold = fold_with(decide=lambda state, command, now: [] if command == tally.Tick() else [tally.RingSet(command.at)])
    apply(fold, tally_pb.RingRequest(at=5))
    apply(fold, pb.Tick(), now=5)
    assert fold.next_due() == Due(1_005, "t", "s")


def test_a_timer_that_fails_is_postponed_and_blocks_no_other():
    def decide(state, command, now):
        if command == tally.Tick():
            raise ZeroDivisionError
        return [tally.RingSet(command.at)]

    fold = fold_with(decide=decide)
    apply(fold, tally_pb.RingRequest(at=5), "a")
    apply(fold, tally_pb.RingRequest(at=6), "b")
    assert apply(fold, pb.Tick(), "a", 5).refusal.code == 13
    assert fold.next_due() == Due(6, "t", "b")


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.one_of(
            st.integers(-1, 9).map(lambda n: tally_pb.AddRequest(amount=n)),
            st.integers(0, 99).map(lambda n: tally_pb.RingRequest(at=n)),
            st.just(tally_pb.FinishRequest()),
        ),
    ),
    max_size=40,
)


@given(COMMANDS, COMMANDS)
@settings(max_examples=40, deadline=None)
def test_a_loaded_fold_and_a_copy_go_on_as_the_original(before, after):
    fold = new_fold()
    for stream, body in before:
        apply(fold, body, stream)
    fold.hash()
    dumped = fold.dump()
    copied = fold.copy()
    loaded = new_fold()
    loaded.load(dumped)
    for other in (copied, loaded):
        assert other.hash() == fold.hash()
        assert other.next_due() == fold.next_due()
    for stream, body in after:
        expected = apply(fold, body, stream)
        assert apply(copied, body, stream) == apply(loaded, body, stream) == expected
    assert copied.hash() == loaded.hash() == fold.hash()
    fresh = new_fold()
    fresh.load(fold.dump())
    assert fresh.hash() == fold.hash()


def test_a_dump_is_of_the_moment_it_was_asked_for():
    fold = new_fold()
    apply(fold, tally_pb.AddRequest(amount=1))
    before, dump = fold.hash(), fold.dump()
    apply(fold, tally_pb.AddRequest(amount=1))
    loaded = new_fold()
    loaded.load(dump)
    assert loaded.hash() == before


@dataclass(frozen=True, slots=True)
class Idle:
    since: int


@dataclass(frozen=True, slots=True)
class Busy:
    tags: frozenset[str]
    places: dict[tuple[str, int], bytes]


@dataclass(frozen=True, slots=True)
class Rich:
    legs: tuple[Idle | Busy, ...]
    last: Busy | None = None


def test_unions_sets_and_maps_of_a_state_come_back():
    import msgspec

    codec = StateCodec(Rich)
    value = Rich((Idle(1), Busy(frozenset({"b", "a"}), {("x", 1): b"\x00"})), Busy(frozenset(), {}))
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(codec.to_plain(value)))
    assert codec.from_plain(plain) == value


def test_canonical_bytes_do_not_depend_on_the_order_of_filling():
    codec = StateCodec(Rich)
    one = Rich((), Busy(frozenset({"a", "b", "c"}), {("x", 1): b"", ("a", 2): b"1"}))
    two = Rich((), Busy(frozenset({"c", "b", "a"}), {("a", 2): b"1", ("x", 1): b""}))
    assert codec.canonical(one) == codec.canonical(two)
    assert codec.canonical(one) != codec.canonical(replace(one, last=Busy(frozenset(), {})))


def test_a_class_that_the_state_does_not_name_is_refused():
    with pytest.raises(TypeError):
        StateCodec(Idle).to_plain(Busy(frozenset(), {}))


def test_a_refusal_says_whether_a_retry_helps():
    assert is_retryable(refusal("unavailable", "later", retryable=True))
    assert not is_retryable(refusal("failed_precondition", "no"))
    with pytest.raises(ValueError, match="no gRPC status"):
        refusal("nonsense", "")


REIGN = Reign(EpochPair(0, 1), 7)


def test_a_replay_finds_what_differs():
    owner = PartitionState("tally", new_fold())
    value = owner.take(REIGN, add("1", 3), None, 5)
    entry = pb.JournalRecord.FromString(value).entry
    entry.events[0].value = tally_pb.Added(amount=3, total=4).SerializeToString()
    assert PartitionState("tally", new_fold()).replay(entry, value) == ["events"]


@pytest.mark.parametrize("change", ["another", "refuses", "fails"])
def test_the_state_follows_the_record_where_the_code_has_changed(change):
    def decide(state, command, now):
        if command == tally.Tick():
            return [tally.Rang(now), tally.Added(1, 77)]
        if change == "refuses":
            raise tally.Refused("not any more")
        if change == "fails":
            raise ZeroDivisionError
        return [tally.Added(100, 100)]

    owner, replayed = PartitionState("tally", new_fold()), PartitionState("tally", fold_with(decide=decide))
    for n, body in enumerate((tally_pb.AddRequest(amount=3), tally_pb.RingRequest(at=9), pb.Tick())):
        value = owner.take(REIGN, ask(str(n), body), None, 10 + n)
        assert replayed.replay(pb.JournalRecord.FromString(value).entry, value)
    assert replayed.fold.get("t", "s") == owner.fold.get("t", "s")
    assert replayed.fold.next_due() == owner.fold.next_due()
    assert replayed.state_hash() == owner.state_hash()


def test_time_never_goes_back():
    owner = PartitionState("tally", new_fold())
    nows = [
        pb.JournalRecord.FromString(owner.take(REIGN, add(str(n)), None, clock)).entry.now
        for n, clock in enumerate((5, 3, 7))
    ]
    assert nows == [5, 5, 7]


def test_the_state_of_a_partition_is_dumped_whole():
    owner = PartitionState("tally", new_fold())
    for n in range(1_500):
        source = pb.Coordinates(topic="in", partition=0, offset=n)
        owner.take(REIGN, add(f"i{n}", 1, stream=f"s{n % 7}"), source, n)
    loaded = PartitionState("tally", new_fold())
    loaded.load(owner.dump())
    copied = owner.copy()
    for other in (loaded, copied):
        assert (other.seq, other.now, other.hash, other.sources) == (owner.seq, owner.now, owner.hash, owner.sources)
        assert other.state_hash() == owner.state_hash()
        assert other.window.items() == owner.window.items()


def test_unknown_aggregate_parts_have_defaults():
    aggregate = Aggregate(initial=tally.Tally, decide=tally.decide, evolve=tally.evolve, state=tally.Tally)
    fold = AggregateFold(replace(aggregate, rejected=tally.Refused), MAPPING)
    apply(fold, tally_pb.RingRequest(at=3))
    assert fold.next_due() is None


def test_a_command_is_decided_by_what_other_streams_of_the_partition_hold():
    def doubled(command, look):
        return replace(command, amount=2 * command.amount) if look("t", "switch") is not None else command

    fold = fold_with(beside=doubled)
    assert apply(fold, tally_pb.AddRequest(amount=1)).response.total == 1
    apply(fold, tally_pb.AddRequest(amount=1), "switch")
    copied = fold.copy()
    assert apply(fold, tally_pb.AddRequest(amount=1)).response.total == 3
    assert apply(copied, tally_pb.AddRequest(amount=1)).response.total == 3
