"""Audio on this machine's disk: parts while the talk goes on, sealed files afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from junctor_recording.adapters.call_audio import CallAudio
from junctor_recording.adapters.sealed_store import BrokenRecording, KeySealer, SealedStore
from junctor_recording.adapters.stereo_writer import RecordingFailed
from junctor_recording.application.recorder import Stored
from junctor_recording.application.recordings import Damaged
from junctor_recording.domain.recording import Recording, RecordingFile

_REASONS = {
    "disk_full": "the disk is full",
    "too_long": "the recording is longer than a file can hold",
    "exists": "there is a file of this name",
    "io_error": "the disk cannot be written",
}


class KeyEraser(KeySealer, Protocol):
    """Seals with a key by name and forgets it (`junctor_service.personal_data.Sealer` is one)."""

    def erase(self, tenant: str, contact_id: str) -> bool: ...


class CannotRecord(Exception):
    """Audio cannot be written here; the call goes on without. A retry would come too late."""

    retryable = False


class DiskTake:
    """Implements `recorder.Take`."""

    def __init__(self, audio: CallAudio, path: Path) -> None:
        self._audio = audio
        self.path = str(path)

    @property
    def customer(self) -> tuple[str, int]:
        return self._audio.customer

    @property
    def agent(self) -> tuple[str, int]:
        return self._audio.agent

    @property
    def failure(self) -> str:
        return _REASONS[self._audio.failure.reason] if self._audio.failure else ""

    def pause(self) -> None:
        self._audio.pause()

    def resume(self) -> None:
        self._audio.resume()

    async def close(self) -> int:
        return sum((await self._audio.close()).packets)


class DiskStudio:
    """Implements `recorder.Studio`. Keys are named after the recording, so that each can be erased by itself.

    Parts lie in `<directory>/parts`; they are plain until the talk is over.
    """

    name = "recordings' directory"
    ready = True

    def __init__(
        self, directory: Path, sealer: KeyEraser, *, seal: bool, host: str = "127.0.0.1", ports: Sequence[int] = ()
    ) -> None:
        self._directory = directory
        self._sealer = sealer
        self._store = SealedStore(directory, sealer if seal else None)
        self._host = host
        self._ports = list(ports) or [0, 0]

    async def start(self) -> None:
        """Raises `OSError` with a sentence where the directory cannot be written."""
        probe = self._directory / f".probe-{secrets.token_hex(4)}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            text = f"Recordings cannot be written to {self._directory}: {os.strerror(error.errno or 0)}."
            raise OSError(f"{text} Set JUNCTOR_RECORDING__DIRECTORY.") from error

    async def stop(self, deadline: float) -> None:
        """Nothing: files are closed by the recorder."""

    async def open(self, recording: Recording, on_failure: Callable[[], None]) -> DiskTake:
        """Raises `CannotRecord`."""
        part = self._part(recording.tenant, recording.recording_id)
        try:
            audio = await CallAudio.open(
                part,
                host=self._host,
                ports=self._free_ports(),
                started_at_ms=recording.started_at,
                on_failure=lambda _: on_failure(),
            )
        except RecordingFailed as error:
            raise CannotRecord(_REASONS[error.reason]) from error
        except OSError as error:
            raise CannotRecord("no port is free for the audio") from error
        return DiskTake(audio, part)

    async def seal(self, recording: Recording) -> Stored | None:
        """Raises `RecordingFailed` (disk full: retryable) and `OSError` (may pass)."""
        part = self._part(recording.tenant, recording.recording_id)
        try:
            with _key_store():
                stored = await asyncio.to_thread(
                    self._store.seal, part, recording.tenant, recording.recording_id, recording.started_at
                )
        except FileNotFoundError:
            return None
        return Stored(str(stored.path), stored.duration_ms, stored.bytes, stored.sha256)

    async def discard(self, recording: Recording) -> None:
        self._part(recording.tenant, recording.recording_id).unlink(missing_ok=True)

    async def delete(self, tenant: str, files: tuple[RecordingFile, ...]) -> None:
        """First the key: what is left of a file afterwards is of no use to anybody."""
        for file in files:
            with _key_store():
                await asyncio.to_thread(self._sealer.erase, tenant, file.recording_id)
            await asyncio.to_thread(self._store.delete, Path(file.path))
            self._part(tenant, file.recording_id).unlink(missing_ok=True)

    async def read(self, tenant: str, path: str) -> AsyncIterator[bytes]:
        """The WAV in pieces. Raises `Damaged`, and what the sealer raises (`Erased`, `UnknownKey`, `NotAuthentic`)."""
        pieces = self._store.read(Path(path), tenant)
        try:
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece
        except (BrokenRecording, FileNotFoundError) as error:
            raise Damaged(str(error)) from error

    def _part(self, tenant: str, recording_id: str) -> Path:
        return self._directory / "parts" / tenant / f"{recording_id}.wav"

    def _free_ports(self) -> list[int]:
        """From a random place on: ports that were just given back rest a while."""
        at = secrets.randbelow(len(self._ports))
        return self._ports[at:] + self._ports[:at]


@contextmanager
def _key_store() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"the key store cannot be used: {error}") from error
