"""Snapshots of partition states: cut into chunks, closed by a manifest, found again by sequence and not by place."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.chain_place import place_fields, place_of
from junctor_journal.chain_reader import ChainPlace
from junctor_journal.log import Log, Record, TopicPartition
from junctor_journal.partition_state import FORMAT

log = logging.getLogger(__name__)

CHUNK_BYTES = 480_000
_REST = 2
"""So many times as long as a piece took nothing is done for a snapshot: inputs that come meanwhile find a processor."""
_LOOK_BACK = 8
"""Records at the end of the topic that are read first: a manifest among them says where its chunks begin."""
_WIDER = 8
"""How many times more are read where there is no manifest."""
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`place` says which entries are in it, and where the journals of the cluster it was written in go on."""

    place: ChainPlace
    pieces: tuple[bytes, ...]


@dataclass(slots=True)
class _Found:
    """`begins`: where the chunks of a manifest begin that were not all read, where one writer wrote them."""

    best: Snapshot | None = None
    chunks: dict[str, dict[int, bytes]] = field(default_factory=dict)
    begins: int | None = None


async def write_snapshot(
    log: Log, service: str, partition: int, place: ChainPlace, pieces: Iterable[bytes]
) -> pb.SnapshotManifest:
    """Writes the chunks and gives the manifest that makes them count, for `close_snapshot`.

    Raises `LogUnavailable`: nothing is harmed, the next snapshot starts anew.
    """
    name = f"{place.seq}-{secrets.token_hex(4)}"
    digest = hashlib.sha256()
    count = 0
    async for data in _chunks(_slowly(pieces)):
        digest.update(data)
        chunk = pb.SnapshotChunk(snapshot_id=name, index=count, data=data)
        await _send(log, service, partition, f"{name}/{count}", pb.SnapshotRecord(chunk=chunk))
        count += 1
    return pb.SnapshotManifest(
        snapshot_id=name,
        chunks=count,
        sha256=digest.digest(),
        format=FORMAT,
        **place_fields(place),
    )


async def close_snapshot(log: Log, service: str, partition: int, manifest: pb.SnapshotManifest) -> None:
    await _send(log, service, partition, manifest.snapshot_id, pb.SnapshotRecord(manifest=manifest))


async def newest_snapshots(
    log: Log, service: str, partitions: Iterable[int], accept: Callable[[ChainPlace], bool] = lambda _: True
) -> dict[int, Snapshot]:
    """The complete snapshot with the highest site epoch and sequence of each partition, of those near the end of its topic
    and among those that `accept` takes; partitions without one are left out.

    Incomplete ones, a wrong hash and unknown formats are passed over. Raises `LogUnavailable`.
    """
    tps = [TopicPartition(topics.snapshots(service), partition) for partition in partitions]
    begin, end = await log.begin_offsets(tps), await log.end_offsets(tps)
    snapshots: dict[int, Snapshot] = {}
    starts = {tp: max(begin[tp], end[tp] - _LOOK_BACK) for tp in tps if begin[tp] < end[tp]}
    while starts:
        earlier: dict[TopicPartition, int] = {}
        for tp, found in (await _scan(log, starts, end, accept)).items():
            if found.best is not None:
                snapshots[tp.partition] = found.best
            elif starts[tp] > begin[tp]:
                wider = end[tp] - _WIDER * (end[tp] - starts[tp])
                start = found.begins if found.begins is not None and found.begins < starts[tp] else wider
                earlier[tp] = max(begin[tp], start)
        starts = earlier
    return snapshots


async def _scan(
    log: Log,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    accept: Callable[[ChainPlace], bool],
) -> dict[TopicPartition, _Found]:
    found = {tp: _Found() for tp in starts}
    left = dict(starts)
    tail = await log.tail(starts, wait_ms=50)
    try:
        while left:
            for tp, records in (await tail.getmany(timeout_ms=100, max_records=50)).items():
                for record in records:
                    _see(found[tp], record, accept)
            for tp in list(left):
                if await tail.position(tp) >= ends[tp]:
                    del left[tp]
    finally:
        await tail.close()
    return found


def _see(found: _Found, at: Record, accept: Callable[[ChainPlace], bool]) -> None:
    try:
        record = pb.SnapshotRecord.FromString(at.value or b"")
    except DecodeError:
        return
    if record.HasField("chunk"):
        found.chunks.setdefault(record.chunk.snapshot_id, {})[record.chunk.index] = record.chunk.data
    elif record.HasField("manifest"):
        manifest = record.manifest
        chunks = found.chunks.pop(manifest.snapshot_id, {})
        place = place_of(manifest)
        if not accept(place):
            return
        if len(chunks) < manifest.chunks and manifest.format == FORMAT:
            found.begins = at.offset - manifest.chunks
        elif found.best is None or _rank(place) > _rank(found.best.place):
            found.best = _closed(manifest, place, chunks) or found.best


def _rank(place: ChainPlace) -> tuple[int, int]:
    return place.site_epoch, place.seq


def _closed(manifest: pb.SnapshotManifest, place: ChainPlace, chunks: Mapping[int, bytes]) -> Snapshot | None:
    if manifest.format != FORMAT:
        log.warning("a snapshot has another format", extra={"format": manifest.format, "seq": manifest.seq})
        return None
    data = [chunks[index] for index in range(manifest.chunks) if index in chunks]
    if len(data) != manifest.chunks or hashlib.sha256(b"".join(data)).digest() != manifest.sha256:
        log.warning("a snapshot is not whole", extra={"seq": manifest.seq})
        return None
    return Snapshot(place, tuple(_pieces(b"".join(data))))


async def _slowly(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    began = time.monotonic()
    for piece in pieces:
        yield piece
        await asyncio.sleep(_REST * (time.monotonic() - began))
        began = time.monotonic()


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece with its length before it, in chunks of one size."""
    pending = bytearray()
    async for piece in pieces:
        pending += len(piece).to_bytes(_LENGTH_BYTES, "big") + piece
        while len(pending) >= CHUNK_BYTES:
            yield bytes(pending[:CHUNK_BYTES])
            del pending[:CHUNK_BYTES]
    if pending:
        yield bytes(pending)


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        yield data[at + _LENGTH_BYTES : end]
        at = end


async def _send(log: Log, service: str, partition: int, key: str, record: pb.SnapshotRecord) -> None:
    await log.producer().send(
        topics.snapshots(service), f"{partition}/{key}".encode(), record.SerializeToString(), partition=partition
    )
