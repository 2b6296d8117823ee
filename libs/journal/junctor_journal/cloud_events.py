"""Events on Kafka as CloudEvents 1.0, Kafka protocol binding 1.0.1, binary mode: metadata in `ce_` headers, protobuf as value."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from google.protobuf.message import DecodeError, Message
from junctor.journal.v1 import journal_pb2 as pb

from junctor_journal import topics
from junctor_journal.entry_read import EntryRead
from junctor_journal.errors import UnknownMessage
from junctor_journal.log import Headers, NewRecord, Record
from junctor_journal.message_types import class_of
from junctor_journal.record import epoch_event_id, event_id, type_of

_CONTENT = b"application/protobuf"
_EPOCH_STARTED = pb.EpochStarted.DESCRIPTOR.full_name


class Event(NamedTuple):
    """One published event. `time` is Unix milliseconds. (`journal_partition`, `sequence`) is its entry's place.

    `site` is the one that decided it, under `site_epoch`. `message` is None where this process has no class for `type`,
    or the value does not parse as it.
    """

    id: str
    type: str
    source: str
    time: int
    tenant: str
    site: str
    stream: str
    correlation_id: str
    causation_id: str
    traceparent: str
    journal_partition: int
    sequence: int
    message: Message | None
    topic: str
    partition: int
    offset: int
    site_epoch: int = 0


def event_records(service: str, site: str, entry: EntryRead) -> list[NewRecord]:
    input = entry.input
    key, of_stream = _of_stream(service, site, input.tenant, input.stream)
    shared = [
        *of_stream,
        ("ce_time", _rfc3339(entry.now)),
        ("ce_correlationid", input.correlation_id.encode()),
        ("ce_causationid", input.id.encode()),
        ("ce_partition", str(entry.partition).encode()),
        ("ce_sequence", str(entry.seq).encode()),
        ("ce_siteepoch", str(entry.site_epoch).encode()),
    ]
    if input.traceparent:
        shared.append(("traceparent", input.traceparent.encode()))
    return [
        NewRecord(
            key,
            packed.value,
            [
                ("ce_id", event_id(input.id, n, entry.site_epoch).encode()),
                ("ce_type", type_of(packed).encode()),
                *shared,
            ],
            entry.now,
        )
        for n, packed in enumerate(entry.record.events)
    ]


@lru_cache(1_024)
def _of_stream(service: str, site: str, tenant: str, stream: str) -> tuple[bytes, Headers]:
    """The key, and the headers that all events of a stream have in common."""
    return topics.key_of(tenant, stream), (
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/junctor/{service}".encode()),
        ("ce_subject", stream.encode()),
        ("content-type", _CONTENT),
        ("ce_tenant", tenant.encode()),
        ("ce_site", site.encode()),
    )


def dead_letter_record(entry: EntryRead) -> NewRecord:
    """Keyed by the entry's place: a repeat is recognised by it."""
    return NewRecord(f"{entry.partition}/{entry.seq}".encode(), entry.record.dead.SerializeToString(), (), entry.now)


def epoch_record(service: str, topic: str, partition: int, started: pb.EpochStarted) -> NewRecord:
    """The event that a site epoch began, with what was issued again. It belongs to no tenant and no stream."""
    return NewRecord(
        f"{partition}/epoch".encode(),
        started.SerializeToString(deterministic=True),
        [
            ("ce_id", epoch_event_id(topic, partition, started.epoch.site_epoch).encode()),
            ("ce_type", _EPOCH_STARTED.encode()),
            ("ce_specversion", b"1.0"),
            ("ce_source", f"/junctor/{service}".encode()),
            ("ce_subject", str(partition).encode()),
            ("ce_time", _rfc3339(started.now)),
            ("content-type", _CONTENT),
            ("ce_tenant", b""),
            ("ce_site", started.site.encode()),
            ("ce_correlationid", b""),
            ("ce_causationid", b""),
            ("ce_partition", str(partition).encode()),
            ("ce_sequence", str(started.cut_seq).encode()),
            ("ce_siteepoch", str(started.epoch.site_epoch).encode()),
        ],
        started.now,
    )


def published_position(record: Record, partition: int) -> tuple[int, int] | None:
    """Site epoch and sequence of the entry that an event came from, if it came from that partition."""
    headers = dict(record.headers)
    if headers.get("ce_partition") != str(partition).encode():
        return None
    return int(headers.get("ce_siteepoch") or 0), int(headers.get("ce_sequence") or 0)


def decode_event(record: Record) -> Event | None:
    """None for a record that is no CloudEvent."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    kind = headers.get("ce_type")
    if not kind or not headers.get("ce_id"):
        return None
    return Event(
        id=headers["ce_id"],
        type=kind,
        source=headers.get("ce_source", ""),
        time=_milliseconds(headers.get("ce_time", ""), record.timestamp),
        tenant=headers.get("ce_tenant", ""),
        site=headers.get("ce_site", ""),
        stream=headers.get("ce_subject", ""),
        correlation_id=headers.get("ce_correlationid", ""),
        causation_id=headers.get("ce_causationid", ""),
        traceparent=headers.get("traceparent", ""),
        journal_partition=_number(headers.get("ce_partition", "")),
        sequence=_number(headers.get("ce_sequence", "")),
        message=_parse(kind, record.value or b""),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        site_epoch=_number(headers.get("ce_siteepoch", "")),
    )


def _parse(kind: str, value: bytes) -> Message | None:
    try:
        return class_of(kind).FromString(value)
    except (UnknownMessage, DecodeError):
        return None


@lru_cache(64)
def _rfc3339(milliseconds: int) -> bytes:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()


def _milliseconds(time: str, otherwise: int) -> int:
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except ValueError:
        return otherwise


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1
