"""Snapshots: found by sequence, passed over when not whole."""

import asyncio
from types import SimpleNamespace

import pytest
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.chain_reader import ChainPlace, JournalPlace
from junctor_journal.lineage import Begun
from junctor_journal.log import NewRecord, TopicPartition
from junctor_journal.memory import MemoryLog
from junctor_journal.reader import ReaderPlace
from junctor_journal.record import EpochPair, pack
from junctor_journal.snapshot import CHUNK_BYTES, close_snapshot, newest_snapshots, write_snapshot

OWN, MIRRORED = "junctor.tally.journal.v1", "b.junctor.tally.journal.v1"
PLACE = ChainPlace(
    2,
    40,
    b"12345678",
    {
        OWN: JournalPlace(50, ReaderPlace(EpochPair(1, 2), 3, 30, b"12345678", False, "host:1", "a", 1)),
        MIRRORED: JournalPlace(7, ReaderPlace(EpochPair(2, 1), 4, 40, b"12345678", True, "host:2", "b", 2)),
    },
    (
        Begun(pb.EpochStarted(epoch=pb.Epoch(site_epoch=1, owner_epoch=1), owner_id=3), OWN),
        Begun(
            pb.EpochStarted(epoch=pb.Epoch(site_epoch=2, owner_epoch=1), previous_site_epoch=1, cut_seq=30), MIRRORED
        ),
    ),
)


@pytest.fixture
def log():
    return MemoryLog(default_partitions=2)


async def put(log, seq, pieces=(b"a", b"b"), place=PLACE):
    from dataclasses import replace

    return await write_snapshot(log, "tally", 0, replace(place, seq=seq), pieces)


async def test_a_snapshot_comes_back_with_its_place(log):
    large = b"x" * (2 * CHUNK_BYTES + 17)
    await close_snapshot(log, "tally", 0, await put(log, 40, (b"", large, b"end")))
    found = (await newest_snapshots(log, "tally", [0, 1]))[0]
    assert found.place == PLACE
    assert found.pieces == (b"", large, b"end")
    sizes = [len(record.value) for record in log.records(topics.snapshots("tally"), 0)]
    assert max(sizes) < 512_000
    assert 1 not in await newest_snapshots(log, "tally", [1])


async def test_while_one_is_written_others_have_their_turn_after_each_piece(log, monkeypatch):
    turns, worked = [], [0.0]
    monkeypatch.setattr("junctor_journal.snapshot.time", SimpleNamespace(monotonic=lambda: worked[0]))

    def pieces():
        for _ in range(20):
            turns.append("piece")
            worked[0] += 1.0
            yield b"x"

    writing = asyncio.ensure_future(put(log, 40, pieces()))
    await asyncio.sleep(0.5)
    while not writing.done():
        turns.append("other")
        await asyncio.sleep(1.0)
    assert turns == ["piece", "other", "other"] * 20


async def test_the_newest_is_the_one_with_the_highest_sequence(log):
    for seq in (40, 60, 50):
        await close_snapshot(log, "tally", 0, await put(log, seq))
    assert (await newest_snapshots(log, "tally", [0]))[0].place.seq == 60


async def test_of_many_large_ones_the_newest_alone_is_read(log, monkeypatch):
    for seq in (40, 50, 60):
        await close_snapshot(log, "tally", 0, await put(log, seq, (b"x" * (20 * CHUNK_BYTES),)))
    starts, tail = [], log.tail

    async def heard(positions, **more):
        starts.extend(positions.values())
        return await tail(positions, **more)

    monkeypatch.setattr(log, "tail", heard)
    assert (await newest_snapshots(log, "tally", [0]))[0].place.seq == 60
    records = len(log.records(topics.snapshots("tally"), 0))
    assert min(starts) == records * 2 // 3
    assert len(starts) == 2


async def test_what_began_and_is_in_the_state_is_kept_without_what_it_issued_again(log):
    from dataclasses import replace

    applied, waiting = (
        Begun(pb.EpochStarted(epoch=pb.Epoch(site_epoch=e), reissued=[pack(pb.Tick())]), OWN) for e in (2, 3)
    )
    await close_snapshot(log, "tally", 0, await put(log, 40, place=replace(PLACE, begun=(applied, waiting))))
    found = (await newest_snapshots(log, "tally", [0]))[0].place.begun
    assert [len(begun.started.reissued) for begun in found] == [0, 1]


async def test_only_one_that_is_accepted_is_taken(log):
    for seq in (40, 60, 50):
        await close_snapshot(log, "tally", 0, await put(log, seq))
    assert (await newest_snapshots(log, "tally", [0], lambda place: place.seq < 60))[0].place.seq == 50


async def test_an_unfinished_snapshot_does_not_count(log):
    await close_snapshot(log, "tally", 0, await put(log, 40))
    await put(log, 60)
    assert (await newest_snapshots(log, "tally", [0]))[0].place.seq == 40


@pytest.mark.parametrize("field, value", [("sha256", b"0" * 32), ("chunks", 9), ("format", 999)])
async def test_a_wrong_or_unknown_snapshot_does_not_count(log, field, value):
    await close_snapshot(log, "tally", 0, await put(log, 40))
    manifest = await put(log, 60)
    setattr(manifest, field, value)
    await close_snapshot(log, "tally", 0, manifest)
    assert (await newest_snapshots(log, "tally", [0]))[0].place.seq == 40


async def test_one_behind_many_others_is_found(log):
    await close_snapshot(log, "tally", 0, await put(log, 40))
    junk = pb.SnapshotRecord(chunk=pb.SnapshotChunk(snapshot_id="x", index=1, data=b"")).SerializeToString()
    log.write(TopicPartition(topics.snapshots("tally"), 0), [NewRecord(b"k", junk)] * 1_000)
    log.write(TopicPartition(topics.snapshots("tally"), 0), [NewRecord(b"k", b"\xff\xff")])
    assert (await newest_snapshots(log, "tally", [0]))[0].place.seq == 40
