"""One tenant's configuration: whole values by kind and id, changed all or none, each change a revision.

A value is opaque here: canonical bytes. What it means is checked before it comes in, against `checked_revision`.
Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

KEPT_REVISIONS = 200
"""How many revisions the state can undo; older ones are in the journal and the read model."""


class Name(NamedTuple):
    kind: str
    id: str


class Stored(NamedTuple):
    """`version` is the revision in which the value last changed."""

    version: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """None before: it is new. None after: it goes."""

    name: Name
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class ApplyConfiguration:
    """`base_revision` 0 takes any; `checked_revision` None where nothing was checked. `request_id` finds a repeat."""

    values: tuple[tuple[Name, bytes], ...]
    delete: tuple[Name, ...] = ()
    prune: bool = False
    base_revision: int = 0
    checked_revision: int | None = None
    comment: str = ""
    principal: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RevertConfiguration:
    revision: int
    checked_revision: int | None = None
    principal: str = ""
    request_id: str = ""


Command = ApplyConfiguration | RevertConfiguration


@dataclass(frozen=True, slots=True)
class ConfigurationApplied:
    revision: int
    changes: tuple[Change, ...]
    principal: str
    comment: str
    applied_at: int
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """`history` holds the last revisions, oldest first."""

    revision: int = 0
    values: Mapping[Name, Stored] = field(default_factory=dict)
    history: tuple[ConfigurationApplied, ...] = ()

    def applied(self, revision: int) -> ConfigurationApplied | None:
        """What a kept revision changed."""
        return next((one for one in reversed(self.history) if one.revision == revision), None)

    def applied_by(self, request_id: str) -> ConfigurationApplied | None:
        """The kept revision that the request made."""
        return next((one for one in reversed(self.history) if one.request_id == request_id), None)


class Rejected(Exception):
    """The command cannot apply to this state, and nothing changed.

    Where `retryable`, the same change may be taken after it was checked against the newer revision.
    """

    def __init__(self, message: str, code: str = "failed_precondition", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable


def decide(state: Configuration, command: Command, now: int) -> list[ConfigurationApplied]:
    """The revision that the command makes; none where nothing would change. Raises `Rejected`."""
    changes = changes_of(state, command)
    if command.checked_revision is not None and command.checked_revision != state.revision:
        raise Rejected(
            f"The configuration moved on from revision {command.checked_revision} to {state.revision} meanwhile.",
            "aborted",
            retryable=True,
        )
    if not changes:
        return []
    comment = command.comment if isinstance(command, ApplyConfiguration) else f"Revert of revision {command.revision}"
    return [ConfigurationApplied(state.revision + 1, changes, command.principal, comment, now, command.request_id)]


def evolve(state: Configuration, event: ConfigurationApplied) -> Configuration:
    values = dict(state.values)
    for change in event.changes:
        if change.after is None:
            values.pop(change.name, None)
        else:
            values[change.name] = Stored(event.revision, change.after)
    return replace(state, revision=event.revision, values=values, history=(*state.history, event)[-KEPT_REVISIONS:])


def changes_of(state: Configuration, command: Command) -> tuple[Change, ...]:
    """What the command would change, by kind and id. Raises `Rejected` where it cannot apply at all."""
    match command:
        case ApplyConfiguration():
            return _changes_of_apply(state, command)
        case RevertConfiguration(revision):
            return _changes_of_revert(state, revision)


def _changes_of_apply(state: Configuration, command: ApplyConfiguration) -> tuple[Change, ...]:
    if command.base_revision and command.base_revision != state.revision:
        raise Rejected(
            f"The change is based on revision {command.base_revision}, but the configuration is at revision "
            f"{state.revision}: look at it again."
        )
    wanted: dict[Name, bytes | None] = {}
    if command.prune:
        wanted.update(dict.fromkeys(state.values))
    for name in command.delete:
        if name not in state.values:
            raise Rejected(f"There is no {name.kind} '{name.id}' to delete.", "not_found")
        wanted[name] = None
    wanted.update(command.values)
    return _differences(state, wanted.items())


def _changes_of_revert(state: Configuration, revision: int) -> tuple[Change, ...]:
    undone = state.applied(revision)
    if undone is None:
        raise Rejected(
            f"There is no revision {revision} to undo; the last {len(state.history)} up to {state.revision} can be.",
            "not_found",
        )
    for change in undone.changes:
        stored = state.values.get(change.name)
        if (stored.value if stored else None) != change.after:
            raise Rejected(
                f"Revision {revision} cannot be undone alone: {change.name.kind} '{change.name.id}' was changed again"
                f" in revision {_last_change(state, change.name)}. Undo that one first."
            )
    return _differences(state, ((change.name, change.before) for change in undone.changes))


def _last_change(state: Configuration, name: Name) -> int:
    return next(one.revision for one in reversed(state.history) if any(change.name == name for change in one.changes))


def _differences(state: Configuration, wanted: Iterable[tuple[Name, bytes | None]]) -> tuple[Change, ...]:
    changes = []
    for name, after in sorted(wanted, key=lambda item: item[0]):
        stored = state.values.get(name)
        before = stored.value if stored else None
        if before != after:
            changes.append(Change(name, before, after))
    return tuple(changes)
