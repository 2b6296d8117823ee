"""`Register` as protobuf (between processes) and as JSON of that (in files and annotations)."""

from __future__ import annotations

from google.protobuf import json_format
from junctor.register.v1 import register_pb2 as pb

from junctor_register.holdings import Holding, Register, Release, SealedAt


class Unreadable(ValueError):
    """What a voter keeps is not an object of this kind. A person has to look; a retry does not help."""

    retryable = False


def to_proto(value: Register) -> pb.Register:
    """The message of an object."""
    return pb.Register(
        partitions={number: _holding(holding) for number, holding in value.partitions.items()}, sites=dict(value.sites)
    )


def from_proto(message: pb.Register) -> Register:
    """The object of a message. Raises `Unreadable` for an epoch below 1 or a holding without a holder."""
    partitions = {}
    for number, found in message.partitions.items():
        if found.epoch < 1 or not found.holder or number < 0:
            raise Unreadable(f"partition {number} has epoch {found.epoch} and holder {found.holder!r}")
        partitions[number] = Holding(
            epoch=found.epoch,
            holder=found.holder,
            renewed=found.renewed,
            release=_release_from(found.release) if found.HasField("release") else None,
            took_over=_sealed_from(found.took_over) if found.HasField("took_over") else None,
            appointed=found.appointed,
        )
    return Register(partitions, dict(message.sites))


def to_json(value: Register) -> str:
    """One line, with keys in order: equal objects give equal texts."""
    return json_format.MessageToJson(
        to_proto(value), preserving_proto_field_name=True, sort_keys=True, indent=None, ensure_ascii=False
    )


def from_json(text: str) -> Register:
    """Raises `Unreadable` for anything that `to_json` does not write."""
    try:
        return from_proto(json_format.Parse(text, pb.Register()))
    except json_format.ParseError as error:
        raise Unreadable(f"it is no register: {error}") from error


def _holding(holding: Holding) -> pb.Holding:
    return pb.Holding(
        epoch=holding.epoch,
        holder=holding.holder,
        renewed=holding.renewed,
        release=_release(holding.release),
        took_over=_sealed(holding.took_over),
        appointed=holding.appointed,
    )


def _release(release: Release | None) -> pb.Release | None:
    return None if release is None else pb.Release(to_site=release.to_site, sealed_at=_sealed(release.sealed_at))


def _sealed(sealed: SealedAt | None) -> pb.SealedAt | None:
    if sealed is None:
        return None
    return pb.SealedAt(from_site=sealed.from_site, sequence=sealed.sequence, hash=sealed.hash)


def _release_from(message: pb.Release) -> Release:
    return Release(message.to_site, _sealed_from(message.sealed_at) if message.HasField("sealed_at") else None)


def _sealed_from(message: pb.SealedAt) -> SealedAt:
    return SealedAt(message.from_site, message.sequence, message.hash)
