"""A stereo WAV that is valid at every moment: 16 bit, 8 kHz, left the customer, right the agent.

Samples are appended and then the header is written anew, so a reader never sees a length beyond the data. After SIGKILL
`resume` takes the length of the file itself, so nothing that was written is lost; after a power cut at most
`SYNC_EVERY` seconds are, because the file is synced (fdatasync) that often, and always at the end.
"""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Literal, Self

RATE = 8000
FRAME_BYTES = 4
HEADER_BYTES = 44
SYNC_EVERY = 5.0
MAX_FRAMES = (0xFFFFFFFF - HEADER_BYTES) // FRAME_BYTES
"""A WAV's length has 32 bits: 37 hours."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RecordingFailed(Exception):
    """Audio cannot be written any more; what was written before stays valid. Concerns the recording, never the call.

    `reason`: "disk_full" (retryable once there is room), "too_long", "exists" or "io_error" (not retryable).
    """

    def __init__(self, reason: Literal["disk_full", "too_long", "exists", "io_error"], path: Path, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.reason = reason
        self.path = path
        self.retryable = reason == "disk_full"


class StereoWriter:
    """Made by `create` or `resume`. Every method but `close` raises RecordingFailed."""

    def __init__(self, path: Path, descriptor: int, frames: int) -> None:
        self.path = path
        self.frames = frames
        self._descriptor = descriptor

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty recording. Raises RecordingFailed("exists") where there is one."""
        return cls._open(path, os.O_CREAT | os.O_EXCL)

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Go on at the end of a file that was left by a process that died."""
        return cls._open(path, 0)

    @classmethod
    def _open(cls, path: Path, flags: int) -> Self:
        try:
            if flags:
                path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | flags, 0o600)
        except OSError as error:
            raise _failure(path, error) from error
        writer = cls(path, descriptor, 0)
        try:
            size = os.fstat(descriptor).st_size
            writer.frames = max(0, size - HEADER_BYTES) // FRAME_BYTES
            if size > HEADER_BYTES:
                os.ftruncate(descriptor, HEADER_BYTES + writer.frames * FRAME_BYTES)
            writer._write_header()
        except OSError as error:
            os.close(descriptor)
            raise _failure(path, error) from error
        return writer

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // RATE

    def append(self, left: tuple[bytes, bytes], right: tuple[bytes, bytes]) -> None:
        """The next samples of both channels, each as (low bytes, high bytes) of equal lengths."""
        count = len(left[0])
        if self.frames + count > MAX_FRAMES:
            raise RecordingFailed("too_long", self.path, "37 hours are the most that a WAV holds")
        data = bytearray(count * FRAME_BYTES)
        data[0::4], data[1::4] = left
        data[2::4], data[3::4] = right
        try:
            self._write_all(data, HEADER_BYTES + self.frames * FRAME_BYTES)
            self.frames += count
            self._write_header()
        except OSError as error:
            self._drop_torn_frame()
            raise _failure(self.path, error) from error

    def append_silence(self, frames: int) -> None:
        """A long silence as a hole in the file."""
        if self.frames + frames > MAX_FRAMES:
            raise RecordingFailed("too_long", self.path, "37 hours are the most that a WAV holds")
        try:
            os.ftruncate(self._descriptor, HEADER_BYTES + (self.frames + frames) * FRAME_BYTES)
            self.frames += frames
            self._write_header()
        except OSError as error:
            raise _failure(self.path, error) from error

    def sync(self) -> None:
        """Onto the disk. May take long: call it in a thread."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise _failure(self.path, error) from error

    def close(self) -> None:
        os.close(self._descriptor)

    def _write_all(self, data: bytearray, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written

    def _write_header(self) -> None:
        size = self.frames * FRAME_BYTES
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", HEADER_BYTES - 8 + size, b"WAVE"),
            *(b"fmt ", 16, 1, 2, RATE, RATE * FRAME_BYTES, FRAME_BYTES, 16),
            *(b"data", size),
        )
        self._write_all(bytearray(header), 0)

    def _drop_torn_frame(self) -> None:
        """A full disk may have taken a part of the data: the file ends with the last whole append."""
        try:
            os.ftruncate(self._descriptor, HEADER_BYTES + self.frames * FRAME_BYTES)
        except OSError:
            return


def repaired(path: Path) -> int:
    """Set right the header of a file that a killed process left; its length in ms. Raises RecordingFailed."""
    writer = StereoWriter.resume(path)
    writer.close()
    return writer.duration_ms


def _failure(path: Path, error: OSError) -> RecordingFailed:
    if error.errno in _FULL:
        return RecordingFailed("disk_full", path, f"no room on the disk ({error.strerror})")
    if error.errno == errno.EEXIST:
        return RecordingFailed("exists", path, "there is a recording already")
    return RecordingFailed("io_error", path, error.strerror or str(error))
