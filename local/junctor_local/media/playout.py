"""Prompts and digits played into calls: one clock, 20 ms, for all of them; no timer runs while nothing plays."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from junctor_local.media import g711
from junctor_local.media.output import FRAME, Output

INTERVAL = 0.02
LATE_LIMIT = 0.2
"""Behind by more than this the clock starts anew instead of sending a burst."""
PROMPT_LIMIT = 32 << 20
"""Bytes of one prompt file: 35 minutes."""


class PlayError(ValueError):
    """The prompt cannot be read or is not 16-bit 8 kHz mono PCM. The same file fails again."""


class Player(Protocol):
    def tick(self) -> bool:
        """Send 20 ms; False when there is nothing left."""
        ...


Ended = Callable[[Player], None]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Audio in both laws, padded with silence to whole frames. `duration_ms` is that of the file."""

    audio: dict[int, bytes]
    duration_ms: int


class PromptCache:
    """Files by path, read again when they change; the newest 64 are kept."""

    def __init__(self) -> None:
        self._prompts: dict[tuple[str, int, int], Prompt] = {}

    def file(self, name: str) -> Prompt:
        """The prompt in the file. Raises PlayError."""
        try:
            path = Path(name)
            status = path.stat()
            key = (name, status.st_mtime_ns, status.st_size)
            if key not in self._prompts:
                if status.st_size > PROMPT_LIMIT:
                    raise PlayError(f"{name}: {status.st_size} bytes are over the limit of {PROMPT_LIMIT}")
                self._prompts[key] = read_wav(path.read_bytes(), name)
                if len(self._prompts) > 64:
                    del self._prompts[next(iter(self._prompts))]
        except (OSError, ValueError) as error:
            raise error if isinstance(error, PlayError) else PlayError(f"{name}: {error}") from error
        return self._prompts[key]


def read_wav(data: bytes, name: str) -> Prompt:
    """A WAV of 16-bit 8 kHz mono PCM. Raises PlayError, saying what it is instead."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            shape = (file.getsampwidth() * 8, file.getframerate(), file.getnchannels())
            pcm = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise PlayError(f"{name}: not a PCM WAV file: {error or 'it is cut short'}") from error
    if shape != (16, 8000, 1):
        raise PlayError(f"{name}: {shape[0]} bit, {shape[1]} Hz, {shape[2]} channels; 16 bit, 8000 Hz, 1 is needed")
    pcm = pcm[: len(pcm) & ~1]
    if not pcm:
        raise PlayError(f"{name}: no audio in it")
    padding = -(len(pcm) // 2) % FRAME
    return Prompt(
        {number: g711.encode(pcm, number) + g711.SILENCE[number] * padding for number in g711.NAMES},
        len(pcm) // 16,
    )


class PromptPlayer:
    """Plays a prompt `times` over into `output`, in whatever law it then has."""

    def __init__(self, prompt: Prompt, times: int, output: Output) -> None:
        self._prompt = prompt
        self._left = times
        self._output = output
        self._at = 0
        self.played = 0
        """Frames sent."""

    def tick(self) -> bool:
        if self._left <= 0:
            return False
        audio = self._prompt.audio[self._output.payload_type]
        self._output.own(audio[self._at : self._at + FRAME])
        self.played += 1
        self._at += FRAME
        if self._at >= len(audio):
            self._at, self._left = 0, self._left - 1
        return True


class DigitPlayer:
    """One RFC 4733 event of `frames` times 20 ms, its end sent three times."""

    def __init__(self, code: int, frames: int, volume: int, output: Output) -> None:
        self._code, self._frames, self._volume, self._output = code, frames, volume, output
        self._sent = 0

    def tick(self) -> bool:
        if self._sent >= self._frames:
            return False
        self._sent += 1
        last = self._sent == self._frames
        payload = bytes([self._code, (0x80 if last else 0) | self._volume]) + (FRAME * self._sent).to_bytes(2, "big")
        for _ in range(3 if last else 1):
            self._output.own_event(payload, first=self._sent == 1)
        return True


class PlayClock:
    """Ticks every active player by an absolute schedule, so that no drift builds up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._players: dict[Player, Ended] = {}
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.late = 0
        """Times that the clock fell behind by more than `LATE_LIMIT`."""

    def start(self, player: Player, ended: Ended) -> None:
        """Send the first frame now and the rest on time; `ended(player)` follows when it is through, not on `stop`."""
        if not player.tick():
            ended(player)
            return
        self._players[player] = ended
        if self._timer is None:
            self._due = self._loop.time() + INTERVAL
            self._timer = self._loop.call_at(self._due, self._tick)

    def stop(self, player: Player) -> None:
        self._players.pop(player, None)

    def _tick(self) -> None:
        for player, ended in list(self._players.items()):
            if player in self._players and not player.tick():
                self._players.pop(player, None)
                ended(player)
        self._timer = None
        if not self._players:
            return
        self._due += INTERVAL
        now = self._loop.time()
        if now - self._due > LATE_LIMIT:
            self.late += 1
            self._due = now
        self._timer = self._loop.call_at(self._due, self._tick)
