"""Prompts as WAV files: `<folder>/<language>/<id>.wav`, or `<folder>/<id>.wav` for those without words."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Sequence
from pathlib import Path

PROMPT_ID = re.compile(r"[a-z0-9][a-z0-9_.-]*")
FALLBACK_LANGUAGE = "en"


class Prompts:
    """Finds prompts; several are joined to one (16-bit 8 kHz mono PCM, as the media server plays them)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def wav(self, prompts: Sequence[str], language: str) -> Path | bytes:
        """What the media server plays. Raises `FileNotFoundError` naming the prompt that is not there."""
        paths = [self._path(prompt, language) for prompt in prompts]
        return paths[0] if len(paths) == 1 else _joined(paths)

    def _path(self, prompt: str, language: str) -> Path:
        if PROMPT_ID.fullmatch(prompt) and (not language or PROMPT_ID.fullmatch(language)):
            for folder in (self._folder / language, self._folder, self._folder / FALLBACK_LANGUAGE):
                path = folder / f"{prompt}.wav"
                if path.is_file():
                    return path.resolve()
        raise FileNotFoundError(f"there is no prompt {prompt!r} for language {language!r} in {self._folder}")


def _joined(paths: Sequence[Path]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        for index, path in enumerate(paths):
            with wave.open(str(path), "rb") as source:
                if index == 0:
                    target.setparams(source.getparams())
                target.writeframes(source.readframes(source.getnframes()))
    return out.getvalue()
