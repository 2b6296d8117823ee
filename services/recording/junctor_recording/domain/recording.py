"""A contact's recording: what was asked for, what is written, what is kept. The stream is the contact.

A state is live while something is still to be done for it; a recording that is kept, failed or erased is known to the
read model only, and the contact may be recorded again (after a transfer). Times are Unix milliseconds.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "recording.junctor")

RecordingState = Literal["", "starting", "active", "paused", "sealing", "sealed", "failed", "erased", "erasing"]
ENDED: frozenset[RecordingState] = frozenset({"", "sealed", "failed", "erased"})


@dataclass(frozen=True, slots=True)
class StartRecording:
    contact_id: str
    agent_id: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True)
class StopRecording:
    contact_id: str


@dataclass(frozen=True, slots=True)
class PauseRecording:
    contact_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResumeRecording:
    contact_id: str


@dataclass(frozen=True, slots=True)
class RecordingFile:
    recording_id: str
    path: str


@dataclass(frozen=True, slots=True)
class EraseRecording:
    """`files` are those of the contact that are kept, by the read model."""

    contact_id: str
    reason: str = ""
    files: tuple[RecordingFile, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingForked:
    """The fact: audio is written to `path`."""

    contact_id: str
    path: str


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """The fact: nobody talks any more."""

    contact_id: str


@dataclass(frozen=True, slots=True)
class RecordingStored:
    """The fact: the file is sealed and stored."""

    contact_id: str
    path: str
    duration_ms: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RecordingBroken:
    """The fact: it cannot go on. `partial`: what is there so far can be kept."""

    contact_id: str
    reason: str
    partial: bool = False


@dataclass(frozen=True, slots=True)
class RecordingDeleted:
    """The fact: keys and files are deleted."""

    contact_id: str


Command = (
    StartRecording
    | StopRecording
    | PauseRecording
    | ResumeRecording
    | EraseRecording
    | RecordingForked
    | TalkEnded
    | RecordingStored
    | RecordingBroken
    | RecordingDeleted
)


@dataclass(frozen=True, slots=True)
class StartRecordingResponse:
    recording_id: str


@dataclass(frozen=True, slots=True)
class RecordingRequested:
    tenant: str
    contact_id: str
    recording_id: str
    agent_id: str
    queue: str
    requested_at: int


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    tenant: str
    contact_id: str
    recording_id: str
    path: str
    started_at: int


@dataclass(frozen=True, slots=True)
class RecordingContinued:
    tenant: str
    contact_id: str
    recording_id: str
    path: str


@dataclass(frozen=True, slots=True)
class RecordingPaused:
    tenant: str
    contact_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordingResumed:
    tenant: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class RecordingStopping:
    """`reason` says why the recording is not complete."""

    tenant: str
    contact_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordingSealed:
    tenant: str
    contact_id: str
    recording_id: str
    path: str
    duration_ms: int
    bytes: int
    sha256: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    tenant: str
    contact_id: str
    recording_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordingErasing:
    tenant: str
    contact_id: str
    reason: str
    files: tuple[RecordingFile, ...]


@dataclass(frozen=True, slots=True)
class RecordingErased:
    tenant: str
    contact_id: str
    reason: str
    recording_ids: tuple[str, ...]


Event = (
    RecordingRequested
    | RecordingStarted
    | RecordingContinued
    | RecordingPaused
    | RecordingResumed
    | RecordingStopping
    | RecordingSealed
    | RecordingFailed
    | RecordingErasing
    | RecordingErased
)


@dataclass(frozen=True, slots=True)
class Recording:
    """`started_at` is the recording's time 0, `path` the file that is written once the audio is forked, `reason` what is
    missing."""

    tenant: str
    contact_id: str
    state: RecordingState = ""
    recording_id: str = ""
    agent_id: str = ""
    queue: str = ""
    started_at: int = 0
    path: str = ""
    reason: str = ""
    erasing: tuple[RecordingFile, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Decision:
    """Events, and what the caller is told."""

    events: tuple[Event, ...]
    response: StartRecordingResponse | None = None


class Rejected(Exception):
    """The command does not fit the state. `retryable`: whether the same command may fit a moment later."""

    def __init__(self, message: str, code: str = "failed_precondition", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


def decide(state: Recording, command: Command, now: int) -> Decision:
    """Events that `command` causes at `now`. Raises `Rejected`, with nothing changed, where it cannot apply."""
    match command:
        case StartRecording(_, agent_id, queue):
            return _start(state, agent_id, queue, now)
        case EraseRecording(_, reason, files):
            return Decision(_erase(state, reason, files))
        case _:
            return Decision(tuple(_decide(state, command)))


def _decide(
    state: Recording,
    command: StopRecording
    | PauseRecording
    | ResumeRecording
    | RecordingForked
    | TalkEnded
    | RecordingStored
    | RecordingBroken
    | RecordingDeleted,
) -> list[Event]:
    tenant, contact, recording = state.tenant, state.contact_id, state.recording_id
    match command:
        case StopRecording() | TalkEnded():
            return [RecordingStopping(tenant, contact)] if _runs(state) else []
        case PauseRecording(_, reason):
            _require_audio(state, "paused")
            return [RecordingPaused(tenant, contact, reason)] if state.state == "active" else []
        case ResumeRecording():
            _require_audio(state, "resumed")
            return [RecordingResumed(tenant, contact)] if state.state == "paused" else []
        case RecordingForked(_, path):
            if state.state == "starting":
                return [RecordingStarted(tenant, contact, recording, path, state.started_at)]
            if state.state in {"active", "paused"}:
                return [RecordingContinued(tenant, contact, recording, path)]
            return []
        case RecordingStored(_, path, duration_ms, size, sha256):
            if state.state != "sealing":
                return []
            return [RecordingSealed(tenant, contact, recording, path, duration_ms, size, sha256, state.reason)]
        case RecordingBroken(_, reason, partial):
            if _runs(state) and partial:
                return [RecordingStopping(tenant, contact, reason)]
            if _runs(state) or (state.state == "sealing" and not partial):
                return [RecordingFailed(tenant, contact, recording, state.reason or reason)]
            return []
        case RecordingDeleted():
            if state.state != "erasing":
                return []
            erased = tuple(file.recording_id for file in state.erasing)
            return [RecordingErased(tenant, contact, state.reason, erased)]
        case _:
            assert_never(command)


def evolve(state: Recording, event: Event) -> Recording:
    """The state after `event`."""
    match event:
        case RecordingRequested():
            return Recording(
                state.tenant,
                state.contact_id,
                "starting",
                event.recording_id,
                event.agent_id,
                event.queue,
                event.requested_at,
            )
        case RecordingStarted():
            return replace(state, state="active", path=event.path)
        case RecordingContinued():
            return replace(state, path=event.path)
        case RecordingPaused():
            return replace(state, state="paused")
        case RecordingResumed():
            return replace(state, state="active")
        case RecordingStopping():
            return replace(state, state="sealing", reason=event.reason)
        case RecordingSealed():
            return replace(state, state="sealed")
        case RecordingFailed():
            return replace(state, state="failed", reason=event.reason)
        case RecordingErasing():
            return replace(state, state="erasing", reason=event.reason, erasing=event.files)
        case RecordingErased():
            return replace(state, state="erased", erasing=())
        case _:
            assert_never(event)


def is_live(state: Recording) -> bool:
    """Whether something is still to be done."""
    return state.state not in ENDED


def _start(state: Recording, agent_id: str, queue: str, now: int) -> Decision:
    if _runs(state):
        return Decision((), StartRecordingResponse(state.recording_id))
    if is_live(state):
        doing = "sealed" if state.state == "sealing" else "erased"
        raise Rejected(f"the contact's last recording is still being {doing}", retryable=True)
    recording_id = str(uuid.uuid5(_NAMESPACE, f"{state.tenant}/{state.contact_id}/{now}"))
    requested = RecordingRequested(state.tenant, state.contact_id, recording_id, agent_id, queue, now)
    return Decision((requested,), StartRecordingResponse(recording_id))


def _erase(state: Recording, reason: str, files: tuple[RecordingFile, ...]) -> tuple[Event, ...]:
    if state.state == "erasing":
        return ()
    if _runs(state):
        raise Rejected("the contact is being recorded; stop the recording first")
    if is_live(state):
        raise Rejected("the recording is still being sealed", retryable=True)
    if not files:
        raise Rejected("the contact has no recording", code="not_found")
    return (RecordingErasing(state.tenant, state.contact_id, reason, files),)


def _runs(state: Recording) -> bool:
    return state.state in {"starting", "active", "paused"}


def _require_audio(state: Recording, act: str) -> None:
    if state.state == "starting":
        raise Rejected(f"the recording has not begun yet and cannot be {act}", retryable=True)
    if not _runs(state):
        raise Rejected(f"the contact is not being recorded; nothing can be {act}")
