"""Which records of one journal count: R1 to R4, against an independent statement of them, on journals as mirrors make them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import judge
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal.reader import JournalReader, Verdict, Why
from junctor_journal.record import EpochPair, chain_hash, encode


def claim(owner_epoch, owner_id, site_epoch=1):
    epoch = pb.Epoch(site_epoch=site_epoch, owner_epoch=owner_epoch)
    return encode(pb.JournalRecord(owner_started=pb.OwnerStarted(epoch=epoch, owner_id=owner_id)))


class Writer:
    """An owner: appends its entries one behind the other, from the place that it took over."""

    def __init__(self, owner_epoch, owner_id, seq=0, hash=b"", site_epoch=1):
        self.epoch = pb.Epoch(site_epoch=site_epoch, owner_epoch=owner_epoch)
        self.owner_id, self.seq, self.hash = owner_id, seq, hash

    def claim(self):
        return claim(self.epoch.owner_epoch, self.owner_id, self.epoch.site_epoch)

    def begin(self, previous=0):
        """Its site epoch, behind the last entry that it read."""
        return encode(
            pb.JournalRecord(
                epoch_started=pb.EpochStarted(
                    epoch=self.epoch,
                    owner_id=self.owner_id,
                    previous_site_epoch=previous,
                    cut_seq=self.seq,
                    cut_hash=self.hash,
                )
            )
        )

    def opening(self, previous=0):
        return [self.claim(), self.begin(previous)]

    def entry(self, name=""):
        self.seq += 1
        input = pb.Input(id=name or f"{self.owner_id}-{self.seq}")
        entry = pb.Entry(epoch=self.epoch, owner_id=self.owner_id, seq=self.seq, previous_hash=self.hash, input=input)
        value = encode(pb.JournalRecord(entry=entry))
        self.hash = chain_hash(self.hash, value)
        return value


def read(values, reader=None):
    reader = reader or JournalReader()
    return [reader.see(value) for value in values], reader


def valid(values):
    verdicts, _ = read(values)
    return [value for value, verdict in zip(values, verdicts, strict=True) if verdict is Verdict.VALID]


def test_entries_before_any_claim_are_void():
    assert read([Writer(1, 7).entry()])[0] == [Verdict.VOID]


def test_entries_of_the_claimed_reign_count():
    writer = Writer(1, 7)
    assert read([*writer.opening(), writer.entry(), writer.entry()])[0] == [
        Verdict.CLAIMED, Verdict.EPOCH, Verdict.VALID, Verdict.VALID,
    ]  # fmt: skip


def test_nothing_counts_between_a_claim_and_the_beginning_of_its_site_epoch():
    writer, late = Writer(1, 7), Writer(1, 7)
    verdicts, reader = read([writer.claim(), late.entry(), writer.begin(), writer.entry()])
    assert verdicts == [Verdict.CLAIMED, Verdict.VOID, Verdict.EPOCH, Verdict.VALID]
    assert reader.void == 1


def test_a_site_epoch_begins_once():
    first = Writer(1, 7)
    values = [*first.opening(), first.entry()]
    second = Writer(2, 8, first.seq, first.hash)
    values += [second.claim(), second.begin(), second.entry()]
    verdicts, reader = read(values)
    assert verdicts[3:] == [Verdict.CLAIMED, Verdict.VOID, Verdict.VALID]
    assert reader.place.seq == 2


def test_the_next_owner_begins_what_the_first_did_not():
    first, second = Writer(1, 7), Writer(2, 8)
    assert read([first.claim(), *second.opening(), first.begin(), second.entry()])[0] == [
        Verdict.CLAIMED, Verdict.CLAIMED, Verdict.EPOCH, Verdict.VOID, Verdict.VALID,
    ]  # fmt: skip


def test_a_site_epoch_does_not_continue_a_higher_one():
    writer = Writer(1, 7, site_epoch=2)
    assert read([writer.claim(), writer.begin(previous=3), writer.entry()])[0] == [
        Verdict.CLAIMED, Verdict.VOID, Verdict.VOID,
    ]  # fmt: skip


def test_the_first_of_two_claims_of_one_epoch_wins():
    first, second = Writer(1, 7), Writer(1, 8)
    values = [first.claim(), second.claim(), first.begin(), second.entry(), first.entry()]
    assert read(values)[0] == [Verdict.CLAIMED, Verdict.VOID, Verdict.EPOCH, Verdict.VOID, Verdict.VALID]


def test_a_stale_owners_entries_are_void_after_a_higher_claim():
    old = Writer(1, 7)
    values = [*old.opening(), old.entry()]
    new = Writer(2, 8, old.seq, old.hash)
    values += [new.claim(), old.entry(), new.entry()]
    assert read(values)[0][3:] == [Verdict.CLAIMED, Verdict.VOID, Verdict.VALID]


def test_a_gap_cuts_until_the_next_claim():
    writer = Writer(1, 7)
    opening = writer.opening()
    first, lost, third, fourth = writer.entry(), writer.entry(), writer.entry(), writer.entry()
    next_owner = Writer(2, 8, 1, chain_hash(b"", first))
    values = [*opening, first, third, fourth, lost, next_owner.claim(), next_owner.entry()]
    assert read(values)[0][1:] == [
        Verdict.EPOCH, Verdict.VALID, Verdict.CUT, Verdict.VOID, Verdict.VOID, Verdict.CLAIMED, Verdict.VALID,
    ]  # fmt: skip


def test_a_broken_chain_cuts():
    writer, forged = Writer(1, 7), Writer(1, 7, 1, b"otherway")
    assert read([*writer.opening(), writer.entry(), forged.entry()])[0][-1] is Verdict.CUT


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff\xff", b"\x00"])
def test_bytes_that_are_no_record_are_void_and_harm_nothing(value):
    writer = Writer(1, 7)
    assert read([*writer.opening(), value, writer.entry()])[0][2:] == [Verdict.VOID, Verdict.VALID]


def test_a_site_epoch_is_above_every_owner_epoch_of_the_one_before():
    old, new = Writer(9, 7), Writer(1, 8, site_epoch=2)
    assert read([*old.opening(), *new.opening(1), old.entry(), new.entry()])[0][2:] == [
        Verdict.CLAIMED, Verdict.EPOCH, Verdict.VOID, Verdict.VALID,
    ]  # fmt: skip


def test_entries_go_on_behind_the_cut_wherever_it_lies():
    old, new = Writer(1, 7), Writer(1, 8, 40, b"elsewhere", site_epoch=3)
    values = [*old.opening(), old.entry(), old.entry(), *new.opening(2), new.entry()]
    verdicts, reader = read(values)
    assert verdicts[-3:] == [Verdict.CLAIMED, Verdict.EPOCH, Verdict.VALID]
    assert reader.place.seq == 41


def test_after_a_seal_the_owner_writes_no_more():
    writer = Writer(1, 7)
    values = [*writer.opening(), writer.entry()]
    sealed = pb.Sealed(epoch=writer.epoch, owner_id=7, seq=writer.seq, hash=writer.hash)
    values += [encode(pb.JournalRecord(sealed=sealed)), writer.entry()]
    assert read(values)[0][3:] == [Verdict.SEALED, Verdict.VOID]


def test_a_void_record_says_why():
    old, new = Writer(1, 7), Writer(2, 8)
    opening = old.opening()
    first = old.entry()
    new.seq, new.hash = old.seq, old.hash
    cases = [
        ([*opening, first, b"\xff"], Why.UNREADABLE),
        ([*opening, first, opening[0]], Why.LOWER_CLAIM),
        ([*opening, first, opening[1]], Why.SECOND_BEGIN),
        ([*opening, first, first], Why.REPEAT),
        ([*opening, first, new.claim(), old.entry()], Why.NO_REIGN),
        ([opening[0], first], Why.NOT_BEGUN),
        ([*opening, first, Writer(1, 7, 8).entry(), first], Why.AFTER_CUT),
    ]
    for values, why in cases:
        verdicts, reader = read(values)
        assert (verdicts[-1], reader.why) == (Verdict.VOID, why)


@st.composite
def journals(draw):
    """What owners that race, stall and wake up write: each claims above what it has read, some of them late."""
    log, writers = [], []
    for step in range(draw(st.integers(1, 60))):
        if not writers or draw(st.integers(0, 9)) == 0:
            reader = JournalReader()
            seen = draw(st.integers(max(0, len(log) - 5), len(log)))
            for value in log[:seen]:
                reader.see(value)
            writer = Writer(reader.place.epoch.owner + 1, step + 1)
            log.append(writer.claim())
            for value in log[seen:]:
                reader.see(value)
            writer.seq, writer.hash = reader.place.seq, reader.place.hash
            if not reader.place.begun:
                log.append(writer.begin())
            writers.append(writer)
        else:
            log.append(draw(st.sampled_from(writers)).entry(f"i{step}"))
    return log


@st.composite
def mirrored(draw, values):
    """As an at-least-once, order-keeping mirror holds it: it goes on from anywhere behind, again and again."""
    out, at = [], 0
    while at < len(values):
        step = draw(st.integers(1, 20))
        out += values[at : at + step]
        at += step
        if at < len(values):
            at = max(0, at - draw(st.integers(0, 30)))
    return out


@given(journals())
@settings(max_examples=60, deadline=None)
def test_the_reader_and_the_judge_agree(values):
    verdict = judge(values)
    assert valid(values) == [values[index] for index, _ in verdict.valid]
    seqs = [entry.seq for _, entry in verdict.valid]
    assert seqs == list(range(1, len(seqs) + 1))


@given(st.data(), journals())
@settings(max_examples=60, deadline=None)
def test_records_repeated_by_a_mirror_change_nothing(data, values):
    assert valid(data.draw(mirrored(values))) == valid(values)


@given(st.data(), journals())
@settings(max_examples=60, deadline=None)
def test_a_journal_that_lost_records_is_a_prefix_or_heals_at_a_claim_and_never_skips(data, values):
    left = [value for value in values if data.draw(st.integers(0, 9)) > 0]
    kept = valid(left)
    seqs = [pb.JournalRecord.FromString(value).entry.seq for value in kept]
    assert seqs == list(range(1, len(seqs) + 1))
    previous = b""
    for value in kept:
        assert pb.JournalRecord.FromString(value).entry.previous_hash == previous
        previous = chain_hash(previous, value)


@given(st.data(), journals())
@settings(max_examples=40, deadline=None)
def test_a_reordered_journal_never_counts_what_does_not_follow(data, values):
    shuffled = data.draw(st.permutations(values))
    previous, seq = b"", 0
    for value in valid(shuffled):
        entry = pb.JournalRecord.FromString(value).entry
        assert (entry.seq, entry.previous_hash) == (seq + 1, previous)
        previous, seq = chain_hash(previous, value), entry.seq


@given(journals(), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_reader_goes_on_from_its_place(values, at):
    _, half = read(values[:at])
    resumed = JournalReader(replace(half.place))
    rest, _ = read(values[at:], resumed)
    assert rest == read(values)[0][at:]


def test_the_first_claim_is_above_nothing():
    assert JournalReader().place.epoch == EpochPair(0, 0)
