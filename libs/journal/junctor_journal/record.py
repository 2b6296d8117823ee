"""The journal's records: their bytes, the chain of hashes through them, and the ids that follow from them."""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from junctor.journal.v1 import journal_pb2 as pb

_TYPE_URL = "type.googleapis.com/"
_NAMESPACE = uuid.UUID("6a756e63-746f-5f72-8a6f-75726e616c31")
_TYPE_URLS: dict[type[Message], str] = {}
_NAMESPACE_BYTES = _NAMESPACE.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
HASH_BYTES = 8


class EpochPair(NamedTuple):
    """Compared in this order: the site epoch of the register, then the owner epoch of the log."""

    site: int = 0
    owner: int = 0

    def to_proto(self) -> pb.Epoch:
        return pb.Epoch(site_epoch=self.site, owner_epoch=self.owner)


def pair(epoch: pb.Epoch) -> EpochPair:
    return EpochPair(epoch.site_epoch, epoch.owner_epoch)


def encode(record: pb.JournalRecord) -> bytes:
    """The same bytes wherever it is made."""
    return record.SerializeToString(deterministic=True)


def decode(value: bytes | None) -> pb.JournalRecord | None:
    """The record, or None for bytes that are none: readers take those as void."""
    if value is None:
        return None
    try:
        return pb.JournalRecord.FromString(value)
    except DecodeError:
        return None


def chain_hash(previous: bytes, value: bytes) -> bytes:
    """Hash of an entry: BLAKE2b, 8 bytes, over the hash before it and the record's bytes as they lie in the log."""
    return hashlib.blake2b(previous + value, digest_size=HASH_BYTES).digest()


def event_id(input_id: str, index: int, site_epoch: int = 1) -> str:
    """UUIDv5 of the input, the event's place in its entry, and from the second site epoch on that epoch: a repeat is
    recognised by it, and what another site decided anew is no repeat."""
    name = f"{input_id}/{index}" if site_epoch <= 1 else f"{input_id}/{index}/{site_epoch}"
    return _uuid5(name)


def epoch_event_id(topic: str, partition: int, site_epoch: int) -> str:
    """Names the event that a site epoch began. `topic`: the journal's, as its own site calls it."""
    return _uuid5(f"epoch/{topic}/{partition}/{site_epoch}")


def tick_id(topic: str, partition: int, seq: int) -> str:
    """Names the input that an owner's timer makes, by the entry that it becomes."""
    return _uuid5(f"tick/{topic}/{partition}/{seq}")


def pack(message: Message) -> Any:
    """The message in an Any, encoded the same way every time."""
    kind = type(message)
    url = _TYPE_URLS.get(kind)
    if url is None:
        url = _TYPE_URLS[kind] = _TYPE_URL + kind.DESCRIPTOR.full_name
    return Any(type_url=url, value=message.SerializeToString(deterministic=True))


def type_of(packed: Any) -> str:
    """Full name of the packed message's type."""
    return _type_in(packed.type_url)


@lru_cache(4_096)
def _type_in(type_url: str) -> str:
    return type_url.rpartition("/")[2]


def _uuid5(name: str) -> str:
    """RFC 9562, section 5.5, in our namespace; an eighth of the time of the standard library's."""
    digest = hashlib.sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"
