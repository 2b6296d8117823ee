"""Finished recordings on disk: sealed in chunks, under `<tenant>/<yyyy>/<mm>/<dd>/<contact_id>.wav.sealed`.

A sealed file is `JNSR1\\n`, the header's length (4 bytes) and the header (JSON), then chunks: length (4 bytes) and the
cipher's output. The file's own random key stands in the header, sealed with the contact's key, so that erasing the
contact's key erases the recording. Each chunk is bound to the header, its place and whether it is the last, so that
chunks cannot be exchanged, reordered or cut off (as in the STREAM construction, Hoang et al., 2015).
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from junctor_service.crypto import Aes256Gcm, Cipher, NotAuthentic, new_key

from junctor_recording.adapters.stereo_writer import FRAME_BYTES, HEADER_BYTES, RATE, RecordingFailed

MAGIC = b"JNSR1\n"
CHUNK = 256 * 1024
_LENGTH = struct.Struct(">I")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}\Z")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class KeySealer(Protocol):
    """Seals short texts with the contact's key (`junctor_service.personal_data.Sealer` is one)."""

    def seal_text(self, text: str, tenant: str, contact_id: str) -> str: ...

    def unseal_text(self, text: str, tenant: str) -> str: ...


class BrokenRecording(Exception):
    """The file is no sealed recording, or was changed or cut. No retry helps."""

    retryable = False


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """`bytes` and `sha256` (hex) are of the file as it is stored; `duration_ms` is that of its audio."""

    path: Path
    bytes: int
    duration_ms: int
    sha256: str


class SealedStore:
    """`sealer` None stores plain WAV files (`.wav`): for demonstrations, never with customers' data.

    The methods block on the disk: call them in a thread.
    """

    def __init__(self, root: Path, sealer: KeySealer | None, cipher: Cipher | None = None) -> None:
        self._root = root
        self._sealer = sealer
        self._cipher = cipher or Aes256Gcm()

    def path_of(self, tenant: str, contact_id: str, started_at_ms: int) -> Path:
        """Where the recording is or will be, by the UTC day of `started_at_ms`. Raises ValueError for bad names."""
        for name in (tenant, contact_id):
            if not _NAME.match(name):
                raise ValueError(f"not usable as a file name: {name[:40]!r}")
        day = datetime.fromtimestamp(started_at_ms / 1000, UTC)
        suffix = ".wav" if self._sealer is None else ".wav.sealed"
        return self._root / tenant / day.strftime("%Y/%m/%d") / f"{contact_id}{suffix}"

    def seal(self, part: Path, tenant: str, contact_id: str, started_at_ms: int) -> StoredRecording:
        """Move the finished WAV `part` into the store; `part` is deleted once the sealed file is durable.

        Repeating it after a crash at any point gives the same recording. Raises RecordingFailed (disk full: `part`
        stays) or FileNotFoundError where there is neither a part nor a stored file.
        """
        target = self.path_of(tenant, contact_id, started_at_ms)
        if not part.exists() and target.exists():
            return self._stored(target, tenant)
        temporary = target.with_name(target.name + ".tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("rb") as source, temporary.open("wb") as sink:
                self._copy(source, sink, tenant, contact_id)
                sink.flush()
                os.fsync(sink.fileno())
            duration_ms = (part.stat().st_size - HEADER_BYTES) // FRAME_BYTES * 1000 // RATE
            temporary.replace(target)
            _sync_directory(target.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            if error.errno in _FULL:
                raise RecordingFailed("disk_full", target, "no room on the disk to seal it") from error
            raise
        part.unlink()
        return _described(target, duration_ms)

    def read(self, path: Path, tenant: str) -> Iterator[bytes]:
        """The WAV in pieces. Raises BrokenRecording, and what the sealer raises (erased, another tenant's key)."""
        with path.open("rb") as source:
            if self._sealer is None or path.suffix == ".wav":
                while piece := source.read(CHUNK):
                    yield piece
                return
            yield from self._opened(source, tenant)

    def delete(self, path: Path) -> None:
        """Remove the file; no error where it is gone already."""
        path.unlink(missing_ok=True)

    def _copy(self, source: BinaryIO, sink: BinaryIO, tenant: str, contact_id: str) -> None:
        if self._sealer is None:
            while piece := source.read(CHUNK):
                sink.write(piece)
            return
        key = new_key()
        sealed_key = self._sealer.seal_text(base64.b64encode(key).decode(), tenant, contact_id)
        header = json.dumps({"contact_id": contact_id, "key": sealed_key, "tenant": tenant}, sort_keys=True).encode()
        sink.write(MAGIC + _LENGTH.pack(len(header)) + header)
        binding = hashlib.sha256(header).digest()
        number, piece = 0, source.read(CHUNK)
        while True:
            after = source.read(CHUNK)
            sealed = self._cipher.seal(key, piece, _place(binding, number, last=not after))
            sink.write(_LENGTH.pack(len(sealed)) + sealed)
            if not after:
                return
            number, piece = number + 1, after

    def _opened(self, source: BinaryIO, tenant: str) -> Iterator[bytes]:
        assert self._sealer is not None
        if source.read(len(MAGIC)) != MAGIC:
            raise BrokenRecording("not a sealed recording")
        header = _exactly(source, _length(source, 1 << 16))
        try:
            sealed_key = json.loads(header)["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenRecording("the header is damaged") from error
        key = base64.b64decode(self._sealer.unseal_text(sealed_key, tenant))
        binding = hashlib.sha256(header).digest()
        number, size = 0, _length(source, CHUNK + 1024)
        while True:
            sealed = _exactly(source, size)
            following = source.read(_LENGTH.size)
            try:
                yield self._cipher.unseal(key, sealed, _place(binding, number, last=not following))
            except NotAuthentic as error:
                raise BrokenRecording("the file was changed or cut") from error
            if not following:
                return
            number, size = number + 1, _checked(following, CHUNK + 1024)

    def _stored(self, path: Path, tenant: str) -> StoredRecording:
        audio = sum(len(piece) for piece in self.read(path, tenant)) - HEADER_BYTES
        return _described(path, audio // FRAME_BYTES * 1000 // RATE)


def _place(binding: bytes, number: int, *, last: bool) -> bytes:
    return binding + _LENGTH.pack(number) + (b"\x01" if last else b"\x00")


def _length(source: BinaryIO, limit: int) -> int:
    return _checked(source.read(_LENGTH.size), limit)


def _checked(data: bytes, limit: int) -> int:
    if len(data) != _LENGTH.size or _LENGTH.unpack(data)[0] > limit:
        raise BrokenRecording("the file was changed or cut")
    length: int = _LENGTH.unpack(data)[0]
    return length


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise BrokenRecording("the file was changed or cut")
    return data


def _described(path: Path, duration_ms: int) -> StoredRecording:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return StoredRecording(path, path.stat().st_size, duration_ms, digest.hexdigest())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
