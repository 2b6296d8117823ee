"""Where a chain is read to, as the manifest of a snapshot keeps it, and a table of a read model."""

from __future__ import annotations

from typing import Any

from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal.chain_reader import ChainPlace, JournalPlace
from junctor_journal.lineage import Begun
from junctor_journal.reader import ReaderPlace
from junctor_journal.record import pair


def place_fields(place: ChainPlace) -> dict[str, Any]:
    """The fields of a manifest that say it. What began and is in the state is kept without what it issued again."""
    return {
        "site_epoch": place.site_epoch,
        "seq": place.seq,
        "hash": place.hash,
        "journals": [_journal_to_proto(topic, at) for topic, at in place.journals.items()],
        "begun": [_begun_to_proto(begun, place.site_epoch) for begun in place.begun],
    }


def encode_place(place: ChainPlace) -> bytes:
    return pb.SnapshotManifest(**place_fields(place)).SerializeToString(deterministic=True)


def decode_place(value: bytes) -> ChainPlace:
    """Raises `google.protobuf.message.DecodeError`."""
    return place_of(pb.SnapshotManifest.FromString(value))


def _journal_to_proto(topic: str, at: JournalPlace) -> pb.JournalPlace:
    place = at.place
    return pb.JournalPlace(
        topic=topic,
        next_offset=at.next_offset,
        epoch=place.epoch.to_proto(),
        owner_id=place.owner_id,
        address=place.address,
        site=place.site,
        seq=place.seq,
        hash=place.hash,
        cut=place.cut,
        begun=place.begun,
    )


def _begun_to_proto(begun: Begun, applied: int) -> pb.BegunEpoch:
    found = pb.BegunEpoch(started=begun.started, topic=begun.topic)
    if begun.site_epoch <= applied:
        found.started.ClearField("reissued")
    return found


def place_of(manifest: pb.SnapshotManifest) -> ChainPlace:
    journals = {
        one.topic: JournalPlace(
            one.next_offset,
            ReaderPlace(pair(one.epoch), one.owner_id, one.seq, one.hash, one.cut, one.address, one.site, one.begun),
        )
        for one in manifest.journals
    }
    begun = tuple(Begun(one.started, one.topic) for one in manifest.begun)
    return ChainPlace(manifest.site_epoch, manifest.seq, manifest.hash, journals, begun)
