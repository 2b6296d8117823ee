"""The recordings that were ever made, for look-up after the journal's live state is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from junctor_recording.domain.recording import RecordingFile, RecordingState


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One recording. Times are Unix milliseconds; `sealed_at` 0 where it is not sealed."""

    recording_id: str
    tenant: str
    contact_id: str
    state: RecordingState
    agent_id: str
    queue: str
    started_at: int
    sealed_at: int
    path: str
    duration_ms: int
    bytes: int
    sha256: str
    reason: str

    @property
    def file(self) -> RecordingFile:
        return RecordingFile(self.recording_id, self.path)


class Catalogue(Protocol):
    """A read model: it follows the events and is a moment behind."""

    async def of_contact(self, tenant: str, contact_id: str) -> list[CatalogueEntry]:
        """The contact's recordings, newest first."""

    async def sealed_before(self, moment: int, limit: int) -> list[CatalogueEntry]:
        """Kept recordings of all tenants that were sealed before `moment`, oldest first."""
