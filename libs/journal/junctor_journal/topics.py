"""Topics: their names, their declarations (`topics.yaml`), and which partition a stream lies in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from junctor_journal.log import TopicDeclaration

LED = frozenset({"router", "directory"})
"""Services whose partitions are led by one site at a time; the others' belong to their site."""
EDGES = ("cti", "ivr", "recording", "omnichannel")
"""Services that decide for the contacts of their own site."""
_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def inputs(service: str) -> str:
    return f"junctor.{service}.inputs.v1"


def journal(service: str) -> str:
    return f"junctor.{service}.journal.v1"


def snapshots(service: str) -> str:
    return f"junctor.{service}.snapshots.v1"


def events(service: str) -> str:
    return f"junctor.{service}.events.v1"


def dead_letters(service: str) -> str:
    return f"junctor.{service}.dlq.v1"


def state(service: str) -> str:
    return f"junctor.{service}.state.v1"


def of_site(site: str, topic: str) -> str:
    """The name under which a mirror keeps another site's topic."""
    return f"{site}.{topic}"


def origin(site: str, topic: str) -> str:
    """The site in whose Kafka the records of a topic were written first, as seen at `site`."""
    before, found, _ = topic.partition(".junctor.")
    return before if found else site


def led(service: str, found: Iterable[str]) -> list[str]:
    """The topics among `found` in which the journal of a service lies: the own one, and with two sites that lead its
    partitions in turn, the mirrored one. Of other services another site's journal is one of its own."""
    own = journal(service)
    if service in EDGES:
        return [own]
    return [own, *sorted(name for name in found if name.endswith(f".{own}"))]


def key_of(tenant: str, stream: str) -> bytes:
    return f"{tenant}/{stream}".encode()


@lru_cache(4_096)
def partition_for(tenant: str, stream: str, partitions: int) -> int:
    """The partition of a stream, as any Kafka client with the default partitioner finds it."""
    return partition_of_key(key_of(tenant, stream), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Murmur2, 32 bit, with the seed of Kafka's default partitioner (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def declared(path: Path) -> list[TopicDeclaration]:
    """The topics of a `topics.yaml`: `topics`, and `per_service` once for each of `services` with its name filled in.

    Raises `ValueError` naming the file and the entry that is wrong.
    """
    return [_declaration(path, entry, service) for entry, service in _entries(path)]


def mirrored(path: Path) -> list[TopicDeclaration]:
    """Those of `declared` that are mirrored to the other site. Raises `ValueError` as it does."""
    return [
        declaration
        for entry, service in _entries(path)
        if (declaration := _declaration(path, entry, service)) and _is_mirrored(entry, service)
    ]


def _is_mirrored(entry: Any, service: str) -> bool:
    said = entry.get("mirrored", False)
    return service in said if isinstance(said, list) else bool(said)


def _entries(path: Path) -> list[tuple[Any, str]]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a mapping with services, per_service and topics is expected")
    per_service = [
        (entry, service) for service in content.get("services") or [] for entry in content.get("per_service") or []
    ]
    return per_service + [(entry, "") for entry in content.get("topics") or []]


def _declaration(path: Path, entry: Any, service: str) -> TopicDeclaration:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ValueError(f"{path}: a topic needs a name: {entry!r}")
    name = entry["name"].replace("{service}", service)
    partitions = entry.get("partitions")
    if not isinstance(partitions, int) or partitions < 1:
        raise ValueError(f"{path}: {name}: partitions must be a positive number, not {partitions!r}")
    unknown = set(entry) - {"name", "partitions", "retention_ms", "cleanup", "config", "mirrored", "about"}
    if unknown:
        raise ValueError(f"{path}: {name}: unknown fields {', '.join(sorted(unknown))}")
    config = {str(k): str(v) for k, v in (entry.get("config") or {}).items()}
    for field, setting in (("retention_ms", "retention.ms"), ("cleanup", "cleanup.policy")):
        if field in entry:
            config[setting] = str(entry[field])
    return TopicDeclaration(name, partitions, config)
