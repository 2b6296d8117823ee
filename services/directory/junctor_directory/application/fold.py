"""The journal's fold: each tenant's configuration. The stream of a tenant's configuration is `<tenant>/directory`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb
from junctor.journal.v1 import journal_pb2
from junctor_journal.apply import Applied, refusal

from junctor_directory.application.values import canonical, change_names, event_message, name_of
from junctor_directory.domain.configuration import (
    ApplyConfiguration,
    Change,
    Command,
    Configuration,
    ConfigurationApplied,
    Name,
    Rejected,
    RevertConfiguration,
    Stored,
    decide,
    evolve,
)

STREAM = "directory"
_ATTEMPT = "~"
_CHUNK_BYTES = 200_000


def attempt_id(request_id: str, attempt: int) -> str:
    """The request id of a later try of the same request: checked again, against a newer revision."""
    return f"{request_id}{_ATTEMPT}{attempt}" if attempt else request_id


def first_request_id(request_id: str) -> str:
    """The caller's request id of any attempt."""
    return request_id.partition(_ATTEMPT)[0]


def to_command(body: Message, principal: str) -> Command:
    """The domain's command for a request. Raises `ValueError` for a value without a kind or another message."""
    if isinstance(body, pb.ApplyConfigurationRequest):
        return ApplyConfiguration(
            values=tuple((name_of(value), canonical(value)) for value in body.values),
            delete=tuple(Name(name.kind, name.id) for name in body.delete),
            prune=body.prune,
            base_revision=body.base_revision,
            checked_revision=body.checked_revision if body.HasField("checked_revision") else None,
            comment=body.comment,
            principal=principal,
            request_id=first_request_id(body.request_id),
        )
    if isinstance(body, pb.RevertConfigurationRequest):
        checked = body.checked_revision if body.HasField("checked_revision") else None
        return RevertConfiguration(body.revision, checked, principal, first_request_id(body.request_id))
    raise ValueError(f"{body.DESCRIPTOR.full_name} is no command of the directory")


class DirectoryFold:
    """Implements `junctor_journal.apply.Fold`."""

    def __init__(self) -> None:
        self._tenants: dict[str, Configuration] = {}

    def get(self, tenant: str) -> Configuration:
        """The tenant's configuration; an empty one where there is none."""
        return self._tenants.get(tenant) or Configuration()

    def tenants(self) -> Mapping[str, Configuration]:
        """Not a copy."""
        return self._tenants

    def apply(self, input: journal_pb2.Input, body: Message, now: int) -> Applied:
        if isinstance(body, journal_pb2.Tick):
            return Applied()
        state = self.get(input.tenant)
        try:
            command = to_command(body, input.principal)
            events = decide(state, command, now)
        except Rejected as error:
            return Applied(refusal=refusal(error.code, error.message, error.retryable))
        except ValueError as error:
            return Applied(refusal=refusal("invalid_argument", f"{error}."))
        messages = [event_message(input.tenant, event) for event in events]
        for event in events:
            state = evolve(state, event)
        if events:
            self._tenants[input.tenant] = state
        changes = change_names(change for event in events for change in event.changes)
        answer = (
            pb.ApplyConfigurationResponse if isinstance(command, ApplyConfiguration) else pb.RevertConfigurationResponse
        )
        return Applied(response=answer(revision=state.revision, changes=changes), events=messages)

    def next_due(self) -> None:
        return None

    def dump(self) -> Iterable[bytes]:
        return self._pieces(dict(self._tenants))

    def load(self, chunks: Iterable[bytes]) -> None:
        loaded = _Loading()
        for chunk in chunks:
            for item in msgspec.msgpack.decode(chunk):
                loaded.take(item)
        self._tenants = loaded.tenants()

    def hash(self) -> bytes:
        digest = hashlib.sha256()
        for piece in self.dump():
            digest.update(piece)
        return digest.digest()[:16]

    def copy(self) -> DirectoryFold:
        copied = DirectoryFold()
        copied._tenants = dict(self._tenants)
        return copied

    def _pieces(self, tenants: Mapping[str, Configuration]) -> Iterator[bytes]:
        items: list[Any] = []
        size = 0
        for item in _items(tenants):
            items.append(item)
            size += sum(len(part) for part in item if isinstance(part, bytes | str)) + 16
            if size > _CHUNK_BYTES:
                yield msgspec.msgpack.encode(items)
                items, size = [], 0
        if items:
            yield msgspec.msgpack.encode(items)


def _items(tenants: Mapping[str, Configuration]) -> Iterator[tuple[Any, ...]]:
    for tenant in sorted(tenants):
        state = tenants[tenant]
        yield ("tenant", tenant, state.revision)
        for name in sorted(state.values):
            yield ("value", *name, *state.values[name])
        for event in state.history:
            yield ("revision", event.revision, event.principal, event.comment, event.applied_at, event.request_id)
            for change in event.changes:
                yield ("change", *change.name, change.before, change.after)


class _Loading:
    """Takes the items in the order in which `_items` gives them."""

    def __init__(self) -> None:
        self._heads: list[tuple[str, int]] = []
        self._values: list[dict[Name, Stored]] = []
        self._revisions: list[list[tuple[Any, list[Change]]]] = []

    def take(self, item: list[Any]) -> None:
        match item:
            case ["tenant", tenant, revision]:
                self._heads.append((tenant, revision))
                self._values.append({})
                self._revisions.append([])
            case ["value", kind, id, version, value]:
                self._values[-1][Name(kind, id)] = Stored(version, value)
            case ["revision", *head]:
                self._revisions[-1].append((head, []))
            case ["change", kind, id, before, after]:
                self._revisions[-1][-1][1].append(Change(Name(kind, id), before, after))
            case _:
                raise ValueError(f"a snapshot of another shape: {item[:1]}")

    def tenants(self) -> dict[str, Configuration]:
        found = {}
        for (tenant, revision), values, revisions in zip(self._heads, self._values, self._revisions, strict=True):
            history = tuple(
                ConfigurationApplied(number, tuple(changes), principal, comment, applied_at, request_id)
                for (number, principal, comment, applied_at, request_id), changes in revisions
            )
            found[tenant] = Configuration(revision, values, history)
        return found
