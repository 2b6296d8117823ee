"""Which records count: rules R1 to R5, against an independent statement of them, on journals as mirrors make them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import judge
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal.reader import JournalReader, ReaderPlace, Verdict
from junctor_journal.record import EpochPair, chain_hash, encode, encode_entry


def claim(owner_epoch, owner_id, site_epoch=0):
    epoch = pb.Epoch(site_epoch=site_epoch, owner_epoch=owner_epoch)
    return encode(pb.JournalRecord(owner_started=pb.OwnerStarted(epoch=epoch, owner_id=owner_id)))


class Writer:
    """An owner: appends its entries one behind the other, from the place that it took over."""

    def __init__(self, owner_epoch, owner_id, seq=0, hash=b"", site_epoch=0):
        self.epoch = pb.Epoch(site_epoch=site_epoch, owner_epoch=owner_epoch)
        self.owner_id, self.seq, self.hash = owner_id, seq, hash

    def claim(self):
        return claim(self.epoch.owner_epoch, self.owner_id, self.epoch.site_epoch)

    def entry(self, name=""):
        self.seq += 1
        input = pb.Input(id=name or f"{self.owner_id}-{self.seq}")
        value = encode_entry(
            pb.Entry(epoch=self.epoch, owner_id=self.owner_id, seq=self.seq, previous_hash=self.hash, input=input)
        )
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
    assert read([writer.claim(), writer.entry(), writer.entry()])[0] == [Verdict.CLAIMED, Verdict.VALID, Verdict.VALID]


def test_the_first_of_two_claims_of_one_epoch_wins():
    first, second = Writer(1, 7), Writer(1, 8)
    values = [first.claim(), second.claim(), second.entry(), first.entry()]
    assert read(values)[0] == [Verdict.CLAIMED, Verdict.VOID, Verdict.VOID, Verdict.VALID]


def test_a_stale_owners_entries_are_void_after_a_higher_claim():
    old = Writer(1, 7)
    values = [old.claim(), old.entry()]
    new = Writer(2, 8, old.seq, old.hash)
    values += [new.claim(), old.entry(), new.entry()]
    assert read(values)[0][2:] == [Verdict.CLAIMED, Verdict.VOID, Verdict.VALID]


def test_a_gap_cuts_until_the_next_claim():
    writer = Writer(1, 7)
    first, lost, third, fourth = writer.entry(), writer.entry(), writer.entry(), writer.entry()
    next_owner = Writer(2, 8, 1, chain_hash(b"", first))
    values = [writer.claim(), first, third, fourth, lost, next_owner.claim(), next_owner.entry()]
    assert read(values)[0] == [
        Verdict.CLAIMED, Verdict.VALID, Verdict.CUT, Verdict.VOID, Verdict.VOID, Verdict.CLAIMED, Verdict.VALID,
    ]  # fmt: skip


def test_a_broken_chain_cuts():
    writer, forged = Writer(1, 7), Writer(1, 7, 1, b"otherway")
    assert read([writer.claim(), writer.entry(), forged.entry()])[0][-1] is Verdict.CUT


@pytest.mark.parametrize("value", [None, b"", b"\xff\xff\xff", b"\x00"])
def test_bytes_that_are_no_record_are_void_and_harm_nothing(value):
    writer = Writer(1, 7)
    assert read([writer.claim(), value, writer.entry()])[0][1:] == [Verdict.VOID, Verdict.VALID]


def test_a_site_epoch_is_above_every_owner_epoch_of_the_one_before():
    old, new = Writer(9, 7, site_epoch=1), Writer(1, 8, site_epoch=2)
    assert read([old.claim(), new.claim(), old.entry(), new.entry()])[0][1:] == [
        Verdict.CLAIMED, Verdict.VOID, Verdict.VALID,
    ]  # fmt: skip


def started(writer, previous, cut_seq, cut_hash):
    return encode(
        pb.JournalRecord(
            epoch_started=pb.EpochStarted(
                epoch=writer.epoch,
                owner_id=writer.owner_id,
                previous_site_epoch=previous,
                cut_seq=cut_seq,
                cut_hash=cut_hash,
            )
        )
    )


def test_a_site_epoch_that_begins_at_the_end_voids_nothing():
    old = Writer(1, 7, site_epoch=1)
    values = [old.claim(), old.entry(), old.entry()]
    new = Writer(1, 8, old.seq, old.hash, site_epoch=2)
    values += [new.claim(), started(new, 1, old.seq, old.hash), new.entry()]
    assert read(values)[0][3:] == [Verdict.CLAIMED, Verdict.EPOCH, Verdict.VALID]


def test_decisions_beyond_the_cut_of_an_ended_site_epoch_are_void_when_read_again():
    old = Writer(1, 7, site_epoch=1)
    kept = [old.claim(), old.entry(), old.entry()]
    cut_seq, cut_hash = old.seq, old.hash
    beyond = [old.entry(), old.entry()]
    new = Writer(1, 8, cut_seq, cut_hash, site_epoch=2)
    values = [*kept, *beyond, new.claim(), started(new, 1, cut_seq, cut_hash), new.entry()]
    verdicts, reader = read(values)
    assert verdicts[-2:] == [Verdict.REWIND, Verdict.VOID]
    again, _ = read(values, JournalReader(ReaderPlace(cuts=reader.place.cuts)))
    assert again == [
        Verdict.CLAIMED, Verdict.VALID, Verdict.VALID, Verdict.VOID, Verdict.VOID,
        Verdict.CLAIMED, Verdict.EPOCH, Verdict.VALID,
    ]  # fmt: skip


def test_after_a_seal_the_owner_writes_no_more():
    writer = Writer(1, 7)
    values = [writer.claim(), writer.entry()]
    sealed = pb.Sealed(epoch=writer.epoch, owner_id=7, seq=writer.seq, hash=writer.hash)
    values += [encode(pb.JournalRecord(sealed=sealed)), writer.entry()]
    assert read(values)[0][2:] == [Verdict.SEALED, Verdict.VOID]


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
    place = half.place
    resumed = JournalReader(
        ReaderPlace(place.epoch, place.owner_id, place.seq, place.hash, place.cut, place.address, dict(place.cuts))
    )
    rest, _ = read(values[at:], resumed)
    assert rest == read(values)[0][at:]


def test_the_first_claim_is_above_nothing():
    assert JournalReader().place.epoch == EpochPair(0, 0)
