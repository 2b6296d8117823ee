"""Use cases of the RPCs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, cast

from google.protobuf.message import Message
from junctor.recording.v1 import recording_pb2 as pb
from junctor_service.audit import Audit, Outcome
from junctor_service.crypto import NotAuthentic
from junctor_service.errors import Code, ServiceError, invalid, not_found, precondition, unavailable
from junctor_service.personal_data import Erased, UnknownKey
from junctor_service.tokens import current_principal

from junctor_recording.application.catalogue import Catalogue, CatalogueEntry
from junctor_recording.domain.recording import Recording

PIECE = 64 * 1024
ENDED = frozenset({"sealed", "failed", "erased"})


class Damaged(Exception):
    """A kept file was changed, cut or is gone. No retry helps."""

    retryable = False


class Reader(Protocol):
    """Opens kept files."""

    def read(self, tenant: str, path: str) -> AsyncIterator[bytes]:
        """The WAV in pieces. Raises `Damaged`, `Erased`, `UnknownKey`, `NotAuthentic`."""


class Recordings:
    """`apply` takes a request to the journal, `look` finds a live recording in it."""

    def __init__(
        self,
        apply: Callable[..., Awaitable[Message]],
        look: Callable[[str, str], Recording | None],
        catalogue: Catalogue,
        reader: Reader,
        audit: Audit,
    ) -> None:
        self._apply = apply
        self._look = look
        self._catalogue = catalogue
        self._reader = reader
        self._audit = audit

    async def command(self, request: Any) -> Any:
        """Start, stop, pause and resume: the journal decides."""
        _require_contact(request.contact_id)
        return await self._apply(request, stream=request.contact_id, correlation_id=request.contact_id)

    async def erase(self, request: pb.EraseRecordingRequest) -> pb.EraseRecordingResponse:
        """Erases all that is kept of the contact. Asked for again afterwards, there is nothing to do and no error."""
        _require_contact(request.contact_id)
        command = pb.EraseRecordingRequest()
        command.CopyFrom(request)
        command.ClearField("files")
        if self._look(request.tenant, request.contact_id) is None:
            entries = await self._known(request.tenant, request.contact_id)
            if any(entry.state not in ENDED for entry in entries):
                raise unavailable("The recording has just been made; ask again.", reason="RECORDING_NOT_LISTED_YET")
            kept = [entry for entry in entries if entry.state == "sealed"]
            if not kept and any(entry.state == "erased" for entry in entries):
                return pb.EraseRecordingResponse()
            for entry in kept:
                command.files.add(recording_id=entry.recording_id, path=entry.path)
        response = await self.command(command)
        self._record("recording.erase", request.tenant, request.contact_id)
        return cast(pb.EraseRecordingResponse, response)

    async def get(self, request: pb.GetRecordingRequest) -> pb.GetRecordingResponse:
        """The contact's last recording: from the journal while it is made, else from the catalogue."""
        _require_contact(request.contact_id)
        state = self._look(request.tenant, request.contact_id)
        if state is not None and state.recording_id:
            return pb.GetRecordingResponse(recording=_of_state(state))
        entries = await self._known(request.tenant, request.contact_id)
        return pb.GetRecordingResponse(recording=_of_entry(entries[0]))

    async def fetch(self, request: pb.FetchAudioRequest) -> AsyncIterator[pb.FetchAudioResponse]:
        """The audio of the contact's last recording."""
        _require_contact(request.contact_id)
        entries = await self._known(request.tenant, request.contact_id)
        entry = next((one for one in entries if one.state == "sealed"), None)
        if entry is None:
            raise _not_kept(entries[0])
        self._record("recording.fetch", request.tenant, request.contact_id, entry.recording_id)
        try:
            async for piece in self._reader.read(request.tenant, entry.path):
                for start in range(0, len(piece), PIECE):
                    yield pb.FetchAudioResponse(data=piece[start : start + PIECE])
        except (Erased, UnknownKey) as error:
            raise precondition("The key of the recording is gone.", reason="RECORDING_KEY_GONE") from error
        except (Damaged, NotAuthentic) as error:
            message = "The file of the recording was changed, cut or is gone."
            raise ServiceError(Code.DATA_LOSS, message, reason="RECORDING_DAMAGED") from error

    async def _known(self, tenant: str, contact_id: str) -> list[CatalogueEntry]:
        entries = await self._catalogue.of_contact(tenant, contact_id)
        if not entries:
            raise not_found("The contact has no recording.", reason="RECORDING_UNKNOWN")
        return entries

    def _record(self, action: str, tenant: str, contact_id: str, recording_id: str = "") -> None:
        target = f"contact/{contact_id}" + (f"/recording/{recording_id}" if recording_id else "")
        self._audit.record(action, current_principal(), tenant, Outcome.ALLOWED, target=target)


def _require_contact(contact_id: str) -> None:
    if not contact_id:
        raise invalid("A contact must be named.", reason="CONTACT_MISSING")


def _not_kept(entry: CatalogueEntry) -> ServiceError:
    match entry.state:
        case "erased" | "erasing":
            return precondition("The recording was erased.", reason="RECORDING_ERASED")
        case "failed":
            return precondition(f"There is no audio: {entry.reason}.", reason="RECORDING_FAILED")
        case _:
            return unavailable("The recording is not sealed yet; ask again.", reason="RECORDING_NOT_SEALED")


def _of_state(state: Recording) -> pb.Recording:
    return pb.Recording(
        recording_id=state.recording_id,
        contact_id=state.contact_id,
        state=_state(state.state),
        started_at=state.started_at,
        reason=state.reason,
        agent_id=state.agent_id,
        queue=state.queue,
    )


def _of_entry(entry: CatalogueEntry) -> pb.Recording:
    return pb.Recording(
        recording_id=entry.recording_id,
        contact_id=entry.contact_id,
        state=_state(entry.state),
        path=entry.path,
        duration_ms=entry.duration_ms,
        bytes=entry.bytes,
        sha256=entry.sha256,
        started_at=entry.started_at,
        reason=entry.reason,
        agent_id=entry.agent_id,
        queue=entry.queue,
    )


def _state(name: str) -> pb.RecordingState.ValueType:
    return pb.RecordingState.Value(f"RECORDING_STATE_{name.upper()}")
