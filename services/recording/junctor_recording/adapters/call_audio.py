"""The audio of one recorded call: two forks in, one stereo WAV out, on one clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from junctor_recording.adapters.channel_timeline import RATE, ChannelTimeline
from junctor_recording.adapters.rtp_receiver import RtpReceiver
from junctor_recording.adapters.stereo_writer import SYNC_EVERY, RecordingFailed, StereoWriter

log = logging.getLogger(__name__)
DELAY = RATE
"""Samples that stay in memory for reordering: one second, also what SIGKILL loses at most (with `FLUSH_EVERY`)."""
FLUSH_EVERY = 0.5
LONGEST_GAP = 4 * 3600 * RATE
"""Silence written at most for the time in which the recorder was away."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A pause or its end, `at_ms` after the beginning."""

    kind: Literal["paused", "resumed"]
    at_ms: int


@dataclass(frozen=True, slots=True)
class FinishedAudio:
    """`packets`, `late`, `dropped`: (customer, agent). `failure`: why the file ends before the call, if it does."""

    path: Path
    duration_ms: int
    marks: tuple[Mark, ...]
    packets: tuple[int, int]
    late: tuple[int, int]
    dropped: tuple[int, int]
    failure: RecordingFailed | None


class CallAudio:
    """`open`, let cti fork to `customer` and `agent` (host, port), `pause`/`resume`, `close`.

    A failing disk stops the writing, never the receiving: `failure` is set and `on_failure` called once.
    """

    def __init__(
        self, writer: StereoWriter, started_at: float, clock: Clock, on_failure: Callable[[RecordingFailed], None]
    ) -> None:
        self.failure: RecordingFailed | None = None
        self.marks: list[Mark] = []
        self._writer, self._clock, self._on_failure = writer, clock, on_failure
        self._began = started_at
        self._channels = (ChannelTimeline(writer.frames), ChannelTimeline(writer.frames))
        self._receivers: tuple[RtpReceiver, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._sync: asyncio.Task[None] | None = None
        self._synced_at = clock()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        host: str = "127.0.0.1",
        ports: Iterable[int] = (0, 0),
        started_at_ms: int | None = None,
        on_failure: Callable[[RecordingFailed], None] = lambda _: None,
        clock: Clock = time.monotonic,
    ) -> CallAudio:
        """Write to `path`; with `started_at_ms` (Unix ms) go on with the file that is there.

        The time in which nobody recorded becomes silence. Raises RecordingFailed (disk full, a recording of that name
        exists) or OSError (no port free).
        """
        away = 0.0 if started_at_ms is None else max(0.0, time.time() - started_at_ms / 1000)
        resumed = started_at_ms is not None and path.exists()
        writer = StereoWriter.resume(path) if resumed else StereoWriter.create(path)
        away = min(away, (writer.frames + LONGEST_GAP) / RATE)
        audio = cls(writer, clock() - away, clock, on_failure)
        free = list(ports)
        try:
            for channel in audio._channels:
                receiver = RtpReceiver.open(host, free, audio._taker(channel))
                audio._receivers += (receiver,)
                if receiver.port in free:
                    free.remove(receiver.port)
            if resumed:
                audio._fill(max(0, audio._now() - DELAY))
        except (OSError, RecordingFailed):
            for receiver in audio._receivers:
                receiver.close()
            writer.close()
            if not resumed:
                path.unlink(missing_ok=True)
            raise
        audio._task = asyncio.get_running_loop().create_task(audio._run())
        return audio

    @property
    def customer(self) -> tuple[str, int]:
        return self._receivers[0].host, self._receivers[0].port

    @property
    def agent(self) -> tuple[str, int]:
        return self._receivers[1].host, self._receivers[1].port

    def pause(self) -> Mark:
        """Silence on both channels from now on. Again: nothing changes."""
        if self.marks and self.marks[-1].kind == "paused":
            return self.marks[-1]
        now = self._now()
        for channel in self._channels:
            channel.pause(now)
        self.marks.append(Mark("paused", now * 1000 // RATE))
        return self.marks[-1]

    def resume(self) -> Mark | None:
        """Audio again; None where nothing was paused."""
        if not self.marks or self.marks[-1].kind != "paused":
            return None
        now = self._now()
        for channel in self._channels:
            channel.resume(now)
        self.marks.append(Mark("resumed", now * 1000 // RATE))
        return self.marks[-1]

    async def close(self) -> FinishedAudio:
        """Write all that has arrived, sync, and give back the ports. Raises nothing: see `failure` in the result."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._sync is not None:
            await asyncio.gather(self._sync, return_exceptions=True)
        self._flush(delay=0)
        for receiver in self._receivers:
            receiver.close()
        if self.failure is None:
            await self._sync_file()
        self._writer.close()
        counts = [channel.counts for channel in self._channels]
        return FinishedAudio(
            self._writer.path,
            self._writer.duration_ms,
            tuple(self.marks),
            (counts[0]["packets"], counts[1]["packets"]),
            (counts[0]["late"], counts[1]["late"]),
            (self._receivers[0].counts.total(), self._receivers[1].counts.total()),
            self.failure,
        )

    async def _run(self) -> None:
        while self.failure is None:
            await asyncio.sleep(FLUSH_EVERY)
            self._flush(DELAY)
            if self._clock() - self._synced_at >= SYNC_EVERY and (self._sync is None or self._sync.done()):
                self._synced_at = self._clock()
                self._sync = asyncio.get_running_loop().create_task(self._sync_file())

    def _flush(self, delay: int) -> None:
        for receiver in self._receivers:
            receiver.drain()
        until = self._now() - delay
        if self.failure is not None or until <= self._writer.frames:
            return
        left, right = (channel.take(until) for channel in self._channels)
        try:
            self._writer.append(left, right)
        except RecordingFailed as failure:
            self._fail(failure)

    def _fill(self, until: int) -> None:
        """Silence in the file for the time in which nobody recorded."""
        missing = until - self._writer.frames
        if missing > 0:
            self._writer.append_silence(missing)
            for channel in self._channels:
                channel.skip(self._writer.frames)

    async def _sync_file(self) -> None:
        try:
            await asyncio.to_thread(self._writer.sync)
        except RecordingFailed as failure:
            self._fail(failure)

    def _fail(self, failure: RecordingFailed) -> None:
        if self.failure is not None:
            return
        self.failure = failure
        log.error("recording stopped", extra={"reason": failure.reason, "path": str(failure.path)})
        self._on_failure(failure)

    def _now(self) -> int:
        return int((self._clock() - self._began) * RATE)

    def _taker(self, channel: ChannelTimeline) -> Callable[[int, int, int, bytes], None]:
        def take(payload_type: int, timestamp: int, ssrc: int, payload: bytes) -> None:
            if self.failure is None:
                channel.add(payload_type, timestamp, ssrc, payload, self._now())

        return take
